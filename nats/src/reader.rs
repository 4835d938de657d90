//! Reading a stream through a short-lived consumer of one's own: it hands out messages several times faster than direct
//! gets do, and at less cost for both sides. Nothing depends on it: whoever reads goes on with direct gets where it ends,
//! for whatever reason, and makes another one later.

use anyhow::{Context, Result, bail, ensure};
use async_nats::{Subject, Subscriber};
use bytes::Bytes;
use chrono::DateTime;
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::bus::Bus;
use crate::feed::{Delivered, LOOK};
use crate::provision::trouble;
use crate::read::{self, Stored};
use crate::wake::WAITING;

/// Messages in a chunk.
const CHUNK: usize = 1000;
/// Messages asked for at a time.
const PULL: usize = 5000;
/// Chunks that wait for their reader.
const AHEAD: usize = 4;
/// A consumer that says nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(3);

/// The roles that read so, and the names that only they may give to their consumers, so that no other is out of reach.
const NAMES: [(&str, [&str; 8]); 2] = [
    ("projector", ["bulk-0", "bulk-1", "bulk-2", "bulk-3", "bulk-4", "bulk-5", "bulk-6", "bulk-7"]),
    ("gateway", ["edge-0", "edge-1", "edge-2", "edge-3", "edge-4", "edge-5", "edge-6", "edge-7"]),
];

/// The names that a role may give.
pub(crate) fn names(role: &str) -> &'static [&'static str] {
    NAMES.iter().find(|(name, _)| *name == role).map_or(&[], |(_, names)| names)
}

/// What a reader wants to see.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) stream: &'static str,
    /// Which messages are opened and given out; none: all.
    pub(crate) filters: Vec<Subject>,
    /// The server sends no others. The place of the last message then says nothing about how far others reach.
    pub(crate) sparse: bool,
    /// They are given out as they are stored.
    pub(crate) sealed: bool,
    /// What comes one by one is read together, after so long.
    pub(crate) gather: Duration,
    /// At once when somebody says that they wait.
    pub(crate) hurried: bool,
    /// Where to begin, in the words of a consumer.
    pub(crate) start: Value,
}

/// Messages in order.
pub(crate) struct Chunk {
    pub(crate) messages: Vec<Delivered>,
    /// The sequence of the last message that was looked at.
    pub(crate) last: Option<u64>,
    /// There was no more.
    pub(crate) ended: bool,
}

/// Reading under way.
pub(crate) struct Reader {
    chunks: mpsc::Receiver<JoinHandle<Result<Chunk>>>,
    next: Option<JoinHandle<Result<Chunk>>>,
    task: JoinHandle<()>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reader {
    pub(crate) fn begin(bus: Bus, wanted: Wanted) -> Self {
        let (sender, chunks) = mpsc::channel(AHEAD);
        let task = tokio::spawn(async move {
            let stream = wanted.stream;
            let ended = match Pull::begin(&bus, &wanted).await {
                Ok(pull) => pull.all(&bus, wanted, &sender).await,
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                tracing::debug!(stream, error = format!("{error:#}"), "reading through a consumer ends");
            }
        });
        Reader { chunks, next: None, task }
    }

    /// The next messages; nothing when it is over. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Chunk> {
        if self.next.is_none() {
            self.next = Some(self.chunks.recv().await?);
        }
        let chunk = self.next.as_mut()?.await;
        self.next = None;
        chunk.ok()?.ok()
    }
}

/// A consumer and the inbox it hands out to.
struct Pull {
    bus: Bus,
    stream: &'static str,
    name: &'static str,
    inbox: String,
    answers: Subscriber,
    counted: u64,
}

impl Drop for Pull {
    fn drop(&mut self) {
        self.bus.say(&format!("$JS.API.CONSUMER.DELETE.{}.{}", self.stream, self.name), vec![]);
    }
}

impl Pull {
    async fn begin(bus: &Bus, wanted: &Wanted) -> Result<Self> {
        let name = consumer(bus, wanted).await?;
        // what a consumer hands out keeps its subject, so it needs an inbox of its own
        let client = &bus.0.calls.client;
        let inbox = client.new_inbox();
        let answers = client.subscribe(inbox.clone()).await?;
        Ok(Pull { bus: bus.clone(), stream: wanted.stream, name, inbox, answers, counted: 0 })
    }

    /// Reads and goes on reading, until nobody listens or something is lost.
    async fn all(mut self, bus: &Bus, wanted: Wanted, to: &mpsc::Sender<JoinHandle<Result<Chunk>>>) -> Result<()> {
        let mut hints = bus.0.wakes.hear(self.stream).await;
        let mut waiting = bus.0.wakes.hear(WAITING).await;
        loop {
            // before looking, so that a hint that comes meanwhile is not missed
            hints.mark_unchanged();
            self.ask().await?;
            let mut got = 0;
            while got < PULL {
                let messages = self.chunk().await?;
                let ended = messages.len() < CHUNK;
                got += messages.len();
                let opening = tokio::spawn(chunk(bus.clone(), messages, wanted.clone(), ended));
                to.send(opening).await.context("nobody reads any more")?;
                if ended {
                    timeout(LOOK, hints.changed()).await.ok();
                    if wanted.hurried {
                        // who began to wait while we read counts too: what they wait for may not have been there yet
                        timeout(wanted.gather, waiting.changed()).await.ok();
                    } else {
                        sleep(wanted.gather).await;
                    }
                    break;
                }
            }
        }
    }

    async fn ask(&self) -> Result<()> {
        let pull = Bytes::from(json!({ "batch": PULL, "no_wait": true }).to_string());
        let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.stream, self.name);
        Ok(self.bus.0.calls.client.publish_with_reply(subject, self.inbox.clone(), pull).await?)
    }

    /// What was asked for, as much as fits; less when there is no more.
    async fn chunk(&mut self) -> Result<Vec<Stored>> {
        let mut messages = vec![];
        while messages.len() < CHUNK {
            let message = timeout(STALLED, self.answers.next()).await?.context("the connection is closed")?;
            if let Some(status) = message.status {
                // 404 and 408: there is no more now
                ensure!([404, 408].contains(&status.as_u16()), "{status:?}: the consumer is gone");
                break;
            }
            let (stored, count) = stored(message)?;
            self.counted += 1;
            // the consumer counts what it hands out: one that got lost on the way is noticed
            ensure!(count == self.counted, "a message was lost on the way");
            messages.push(stored);
        }
        Ok(messages)
    }
}

/// A consumer under one of the names, if one is free. It is gone soon after nobody asks it any more.
async fn consumer(bus: &Bus, wanted: &Wanted) -> Result<&'static str> {
    let filters: Vec<_> = wanted.filters.iter().filter(|_| wanted.sparse).map(Subject::as_str).collect();
    for name in names(bus.role()) {
        let mut config = json!({
            "name": name, "ack_policy": "none", "replay_policy": "instant", "mem_storage": true, "num_replicas": 1,
            "inactive_threshold": 5_000_000_000u64, "filter_subjects": filters,
            // no other request is the same, so that a name in use is refused
            "metadata": { "reader": Uuid::now_v7() },
        });
        if let (Value::Object(config), Value::Object(start)) = (&mut config, wanted.start.clone()) {
            config.extend(start);
        }
        let request = json!({ "stream_name": wanted.stream, "config": config, "action": "create" });
        let made: Value =
            read::api(&bus.0.calls, &format!("CONSUMER.CREATE.{}.{name}", wanted.stream), request).await?;
        if trouble(&made).is_none() {
            return Ok(name);
        }
    }
    bail!("all names are in use")
}

async fn chunk(bus: Bus, messages: Vec<Stored>, wanted: Wanted, ended: bool) -> Result<Chunk> {
    let last = messages.last().map(|last| last.sequence);
    Ok(Chunk { messages: bus.delivered(messages, &wanted.filters, wanted.sealed).await?, last, ended })
}

/// The message, and how many the consumer has handed out. Both are in the subject for an acknowledgement:
/// `….<delivered>.<stream sequence>.<count>.<time>.<pending>`, after four words or six.
fn stored(message: async_nats::Message) -> Result<(Stored, u64)> {
    let reply = message.reply.context("a message without its place")?;
    let words: Vec<&str> = reply.split('.').collect();
    let place = words.get(if words.len() == 9 { 5 } else { 7 }..).context("a message without its place")?;
    let [sequence, count, time, ..] = place else { bail!("a message without its place") };
    let time = DateTime::from_timestamp_nanos(time.parse()?);
    let stored =
        Stored { sequence: sequence.parse()?, subject: message.subject.into_string(), time, payload: message.payload };
    Ok((stored, count.parse()?))
}
