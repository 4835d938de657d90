//! Reading much of a stream at once: a short-lived consumer hands out messages several times faster than direct gets
//! do. Nothing depends on it: whoever reads goes on with direct gets where it ends, for whatever reason.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use chrono::DateTime;
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use uuid::Uuid;

use crate::bus::Bus;
use crate::feed::Delivered;
use crate::provision::trouble;
use crate::read::{self, Stored};

/// Messages in a chunk.
const CHUNK: usize = 1000;
/// Messages asked for at a time.
const PULL: usize = 5000;
/// Chunks that wait for their reader.
const AHEAD: usize = 4;
/// A consumer that says nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(3);

/// The role that reads in bulk, and the names that it alone may give to its consumers.
pub(crate) const ROLE: &str = "projector";
pub(crate) const NAMES: [&str; 8] = ["bulk-0", "bulk-1", "bulk-2", "bulk-3", "bulk-4", "bulk-5", "bulk-6", "bulk-7"];

/// A chunk of messages, and the sequence of the last one.
type Chunk = (Vec<Delivered>, u64);

/// Messages in order from a known place to the end the stream had meanwhile.
pub(crate) struct Bulk {
    chunks: mpsc::Receiver<JoinHandle<Result<Chunk>>>,
    task: JoinHandle<()>,
}

impl Drop for Bulk {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bulk {
    /// Begins after the message `after`. The filters choose what is opened.
    pub(crate) fn begin(bus: Bus, stream: &'static str, filters: Vec<async_nats::Subject>, after: u64) -> Self {
        let (sender, chunks) = mpsc::channel(AHEAD);
        let task = tokio::spawn(async move {
            let Ok(name) = consumer(&bus, stream, after).await else { return };
            if let Err(error) = read_all(&bus, stream, name, &filters, &sender).await {
                tracing::debug!(stream, error = format!("{error:#}"), "reading in bulk ends early");
            }
            bus.say(&format!("$JS.API.CONSUMER.DELETE.{stream}.{name}"), vec![]);
        });
        Bulk { chunks, task }
    }

    /// The next messages; nothing at the end.
    pub(crate) async fn next(&mut self) -> Option<Chunk> {
        self.chunks.recv().await?.await.ok()?.ok()
    }
}

/// A consumer under one of the names, if one is free. It is gone soon after nobody asks it any more.
async fn consumer(bus: &Bus, stream: &str, after: u64) -> Result<&'static str> {
    for name in NAMES {
        let config = json!({
            "name": name, "deliver_policy": "by_start_sequence", "opt_start_seq": after + 1, "ack_policy": "none",
            "replay_policy": "instant", "mem_storage": true, "num_replicas": 1, "inactive_threshold": 5_000_000_000u64,
            // no other request is the same, so that a name in use is refused
            "metadata": { "reader": Uuid::now_v7() },
        });
        let request = json!({ "stream_name": stream, "config": config, "action": "create" });
        let made: Value = read::api(&bus.0.calls, &format!("CONSUMER.CREATE.{stream}.{name}"), request).await?;
        if trouble(&made).is_none() {
            return Ok(name);
        }
    }
    bail!("all names are in use")
}

async fn read_all(
    bus: &Bus,
    stream: &str,
    name: &str,
    filters: &[async_nats::Subject],
    chunks: &mpsc::Sender<JoinHandle<Result<Chunk>>>,
) -> Result<()> {
    // what a consumer hands out keeps its subject, so it needs an inbox of its own
    let client = &bus.0.calls.client;
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await?;
    let pull = Bytes::from(json!({ "batch": PULL, "no_wait": true }).to_string());
    let ask = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}");
    let mut counted = 0;
    loop {
        client.publish_with_reply(ask.clone(), inbox.clone(), pull.clone()).await?;
        let mut got = 0;
        while got < PULL {
            let mut messages = Vec::with_capacity(CHUNK);
            while messages.len() < CHUNK {
                let message = timeout(STALLED, answers.next()).await?.context("the connection is closed")?;
                if message.status.is_some() {
                    break;
                }
                let (stored, count) = stored(message)?;
                counted += 1;
                // the consumer counts what it hands out: one that got lost on the way is noticed
                if count != counted {
                    bail!("a message was lost on the way");
                }
                messages.push(stored);
            }
            let ended = messages.len() < CHUNK;
            got += messages.len();
            if !messages.is_empty() {
                let opening = tokio::spawn(opened(bus.clone(), messages, filters.to_vec()));
                chunks.send(opening).await.context("nobody reads any more")?;
            }
            if ended {
                return Ok(());
            }
        }
    }
}

async fn opened(bus: Bus, messages: Vec<Stored>, filters: Vec<async_nats::Subject>) -> Result<Chunk> {
    let last = messages.last().map_or(0, |last| last.sequence);
    Ok((bus.opened(messages, &filters).await?, last))
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
