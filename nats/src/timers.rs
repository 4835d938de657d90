//! A timer is a command with a due time, kept by the server. It fires once, up to a quarter of a second late, and what
//! it sends has the id the command was given, so that nothing it does is done twice.

use anyhow::{Result, anyhow};
use chrono::{DateTime, SecondsFormat, Utc};
use events::{Command, Message};
use futures::FutureExt;
use futures::future::BoxFuture;
use kernel::Fault;
use std::sync::Arc;
use uuid::Uuid;

use crate::bus::{Bus, SendError};
use crate::consume::{Delivery, Handle, Rest};
use crate::put::{Note, Put, put};
use crate::send::{command_subject, kind_of};
use crate::streams::SCHEDULES;

/// What fired is kept so long for a service that is away.
const KEPT: &str = "168h";

impl Bus {
    /// Sends `command` when it is due; at once when that is past. Scheduled again under the same id it stays as it was.
    ///
    /// # Errors
    /// As [`Bus::send`].
    pub async fn schedule(&self, command: &Message<Command>, due: DateTime<Utc>) -> Result<(), SendError> {
        let json = serde_json::to_vec(command).map_err(|error| SendError::Unavailable(error.into()))?;
        let target = kind_of(&json).and_then(|kind| command_subject("due", &kind, command.subject));
        let target = target.map_err(SendError::Unavailable)?;
        let sealed = self.keyring().seal(json).await?;
        let mut note = Note::new(timer(context(&target), command.id), format!("{}.timer", command.id), Some(0), sealed);
        note.extra = vec![
            ("Nats-Schedule", format!("@at {}", due.to_rfc3339_opts(SecondsFormat::Millis, true))),
            ("Nats-Schedule-Target", target),
            ("Nats-Schedule-TTL", KEPT.to_owned()),
        ];
        match put(&self.0.calls, SCHEDULES, &[note]).await {
            Put::Stored { .. } | Put::Conflict => Ok(()),
            Put::Full => Err(SendError::Overloaded),
            other => Err(SendError::Unavailable(anyhow!("the timer is not set: {other:?}"))),
        }
    }

    /// Takes a timer back. One that has fired, or never was, is none.
    ///
    /// # Errors
    /// The log does not answer; the timer may fire.
    pub async fn cancel(&self, context: &str, command: Uuid) -> Result<()> {
        let mut note = Note::new(format!("sched.{context}.cancelled"), format!("{command}.cancel"), None, "");
        note.extra = vec![
            ("Nats-Scheduler", timer(context, command)),
            ("Nats-Schedule-Next", "purge".to_owned()),
            ("Nats-TTL", "1m".to_owned()),
        ];
        match put(&self.0.calls, SCHEDULES, &[note]).await {
            Put::Stored { .. } => Ok(()),
            other => Err(anyhow!("the timer is not cancelled: {other:?}")),
        }
    }
}

fn timer(context: &str, command: Uuid) -> String {
    format!("sched.{context}.{command}")
}

fn context(subject: &str) -> &str {
    subject.split('.').nth(1).unwrap_or_default()
}

/// Moves what is due to `COMMANDS`.
pub(crate) struct Relay(pub(crate) Bus);

impl Handle for Relay {
    fn handle(self: Arc<Self>, delivery: Arc<Delivery>) -> BoxFuture<'static, Result<Option<Rest>, Fault>> {
        async move {
            let head: Head =
                serde_json::from_slice(&delivery.payload).map_err(|_| Fault::Reject(anyhow!("no command")))?;
            let subject = delivery.subject.replacen("due.", "cmd.", 1);
            self.0.put_command(&self.0.0.commands, Note::new(subject, head.id, None, delivery.payload.clone())).await?;
            Ok(None)
        }
        .boxed()
    }
}

#[derive(serde::Deserialize)]
struct Head {
    id: Uuid,
}
