//! What follows from an event: reactions ask at once, workers do slow things first. The ids of what they ask follow
//! from the event, so an event that is delivered twice asks once.

use anyhow::{Result, anyhow};
use chrono::{DateTime, Utc};
use events::{AuthType, Command, Event, Message, Source, Spec, Unreadable};
use futures::FutureExt;
use futures::future::BoxFuture;
use kernel::{Ask, Done, Fault, Reaction, Service, Worker};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

use crate::bus::{Bus, SendError};
use crate::consume::{Delivery, Handle, Rest};
use crate::crash;
use crate::load::hidden;

/// A worker that is still busy says so this often.
const PROGRESS: Duration = Duration::from_secs(10);

/// Follows events for one context.
pub(crate) struct React {
    bus: Bus,
    context: &'static str,
    reactions: Vec<(&'static str, Reaction)>,
    workers: Vec<(&'static str, Worker)>,
}

impl Handle for React {
    fn handle(self: Arc<Self>, delivery: Arc<Delivery>) -> BoxFuture<'static, Result<Option<Rest>, Fault>> {
        async move { self.event(delivery).await.map(|()| None) }.boxed()
    }
}

impl React {
    pub(crate) fn new(bus: Bus, service: &Service) -> Self {
        let (reactions, workers) = (service.reactions.clone(), service.workers.clone());
        React { bus, context: service.name, reactions, workers }
    }

    async fn event(&self, delivery: Arc<Delivery>) -> Result<(), Fault> {
        let opened = self.bus.keyring().open(&delivery.payload).await?;
        let event = match Message::event(&opened) {
            Ok(event) => event,
            // words this version does not know are none it reacts to
            Err(Unreadable::UnknownType(_)) => return Ok(()),
            Err(Unreadable::Malformed(error)) => return Err(Fault::Reject(hidden(&error))),
        };
        crash::point("event.received");
        for (name, reaction) in &self.reactions {
            self.send(&event, name, reaction(&event), event.time).await?;
        }
        for (name, worker) in &self.workers {
            let asks = self.work(worker, &event, &delivery).await?;
            self.send(&event, name, asks, Utc::now()).await?;
        }
        crash::point("event.handled");
        Ok(())
    }

    async fn work(&self, worker: &Worker, event: &Message<Event>, delivery: &Delivery) -> Done {
        let mut work = worker(event.clone());
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(PROGRESS) => delivery.progress(&self.bus).await,
            }
        }
    }

    /// Durable when this returns.
    async fn send(&self, event: &Message<Event>, name: &str, asks: Vec<Ask>, time: DateTime<Utc>) -> Result<(), Fault> {
        for (n, Ask { subject, command, due }) in asks.into_iter().enumerate() {
            let id = Uuid::new_v5(&event.id, format!("{}.{name}.{n}", self.context).as_bytes());
            let sent = match due {
                None => self.bus.send(&self.command(event, id, subject, command, time)).await.map(drop),
                // what a timer asks is asked when it is due
                Some(due) => self.bus.schedule(&self.command(event, id, subject, command, due), due).await,
            };
            match sent {
                Ok(()) => {}
                // whoever it is about is gone, and with them what was to be done
                Err(SendError::Erased) => tracing::info!(event.id = %event.id, reaction = name, "nobody to act for"),
                Err(error) => return Err(Fault::Retry(anyhow!("{error}"))),
            }
        }
        Ok(())
    }

    fn command(
        &self,
        cause: &Message<Event>,
        id: Uuid,
        subject: Uuid,
        body: Command,
        time: DateTime<Utc>,
    ) -> Message<Command> {
        Message {
            specversion: Spec::V1,
            id,
            source: Source(format!("/services/{}", self.context).into()),
            subject,
            time,
            correlationid: cause.correlationid,
            causationid: Some(cause.id),
            authtype: AuthType::System,
            authid: cause.authid,
            authclaims: None,
            sequence: None,
            traceparent: cause.traceparent.clone(),
            replyto: None,
            ifmatch: None,
            fingerprint: None,
            body,
        }
    }
}
