//! Tasks for workers: a queue that one worker takes from at a time. The most urgent class is asked first, and a task that
//! its worker says nothing about any more goes to another one.

use anyhow::{Context, Result, bail};
use async_nats::{Message, Subscriber};
use bytes::Bytes;
use events::processing::Class;
use futures::StreamExt;
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use crate::bus::{Bus, SendError};
use crate::put::{Note, Put, put};
use crate::read;
use crate::streams::{EVENTS, TASKS, delay};

/// How often an idle worker looks by itself.
const LOOK: Duration = Duration::from_secs(1);
/// A server answers so soon that there is nothing, or it is not there.
const WAIT: Duration = Duration::from_secs(5);

impl Bus {
    /// Hands a task to whichever worker is free, under `id`: the same id again is no second task for a while.
    ///
    /// # Errors
    /// As [`Bus::send`].
    pub async fn queue(&self, class: Class, id: Uuid, task: Vec<u8>) -> Result<(), SendError> {
        let note = Note::new(subject(class), id, None, task);
        match put(&self.0.calls, TASKS, &[note]).await {
            Put::Stored { .. } => {}
            Put::Full => return Err(SendError::Overloaded),
            other => return Err(SendError::Unavailable(anyhow::anyhow!("the task is not queued: {other:?}"))),
        }
        self.0.wakes.give(TASKS);
        Ok(())
    }

    /// Takes tasks from the queue.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn tasks(&self) -> Result<Tasks> {
        let client = &self.0.calls.client;
        let inbox = client.new_inbox();
        let answers = client.subscribe(inbox.clone()).await?;
        Ok(Tasks { bus: self.clone(), inbox, answers, hints: self.0.wakes.hear(TASKS).await })
    }

    /// The last event of an aggregate, as it is stored: enough to know whether it is over.
    ///
    /// # Errors
    /// The log does not answer.
    pub async fn last_event(&self, aggregate: &str, id: Uuid) -> Result<Option<Bytes>> {
        Ok(read::last(&self.0.calls, EVENTS, &format!("evt.{aggregate}.{id}")).await?.map(|stored| stored.payload))
    }
}

fn subject(class: Class) -> String {
    format!("task.{}", class.word())
}

/// A worker's place at the queue.
pub struct Tasks {
    bus: Bus,
    inbox: String,
    answers: Subscriber,
    hints: watch::Receiver<u64>,
}

impl Tasks {
    /// The most urgent task there is; waits for one. Dropping the future loses nothing but time: a task that was on its
    /// way comes again.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn next(&mut self) -> Result<Held> {
        loop {
            // before looking, so that a hint that comes meanwhile is not missed
            self.hints.mark_unchanged();
            for class in Class::ALL {
                if let Some(held) = self.take(class).await? {
                    return Ok(held);
                }
            }
            timeout(LOOK, self.hints.changed()).await.ok();
        }
    }

    async fn take(&mut self, class: Class) -> Result<Option<Held>> {
        let pull = Bytes::from(json!({ "batch": 1, "no_wait": true }).to_string());
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{TASKS}.{}", class.word());
        self.bus.0.calls.client.publish_with_reply(subject, self.inbox.clone(), pull).await?;
        let message = timeout(WAIT, self.answers.next()).await.context("the queue does not answer")?;
        let message = message.context("the connection is closed")?;
        match message.status {
            None => held(self.bus.clone(), message).map(Some),
            Some(status) if [404, 408].contains(&status.as_u16()) => Ok(None),
            Some(status) => bail!("the queue answers {status}"),
        }
    }
}

fn held(bus: Bus, message: Message) -> Result<Held> {
    let reply = message.reply.context("a task without its place")?;
    let words: Vec<&str> = reply.split('.').collect();
    let delivered = words.get(if words.len() == 9 { 4 } else { 6 }).and_then(|word| word.parse().ok()).unwrap_or(1);
    Ok(Held { bus, payload: message.payload, reply, delivered })
}

/// A task that a worker has; it comes to another one when nothing is heard of it for half a minute.
pub struct Held {
    bus: Bus,
    /// The event that queued it, as it is stored.
    pub payload: Bytes,
    reply: async_nats::Subject,
    delivered: i64,
}

impl Held {
    /// It is still being worked on.
    pub async fn progress(&self) {
        self.say("+WPI".to_owned()).await;
    }

    /// It is out of the queue.
    pub async fn done(&self) {
        self.say("+ACK".to_owned()).await;
    }

    /// It comes again, to anybody, after a while.
    pub async fn again(&self) {
        self.say(format!("-NAK {{\"delay\": {}}}", delay(self.delivered).as_nanos())).await;
    }

    async fn say(&self, what: String) {
        self.bus.0.calls.client.publish(self.reply.clone(), what.into()).await.ok();
    }
}
