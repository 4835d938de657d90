//! Where messages come from: the log, or messages held in memory by whoever tries a projection out. Parsing runs beside
//! reading and writing; the order stays that of the stream.

use anyhow::{Context, anyhow};
use nats::{Bus, Delivered, Feed, Start};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};

use crate::projection::Stream;
use crate::recorded::Recorded;

/// Messages that are parsed together.
const CHUNK: usize = 1000;
/// How many chunks may be under way between reading and writing.
const AHEAD: usize = 16;
/// How long reading waits before it tells that there is nothing.
const IDLE: Duration = Duration::from_millis(500);

/// A source of messages.
#[derive(Clone)]
pub enum Log {
    /// The real one.
    Bus(Bus),
    /// Messages in memory.
    Held(Held),
}

impl From<Bus> for Log {
    fn from(bus: Bus) -> Self {
        Log::Bus(bus)
    }
}

/// Some messages in a row, and how far they reach: behind the last one there may be others that nobody wanted.
#[derive(Debug, Default)]
pub struct Batch {
    /// The messages, in order.
    pub messages: Vec<Recorded>,
    /// Everything up to here was looked at.
    pub upto: u64,
}

impl From<Vec<Recorded>> for Batch {
    fn from(messages: Vec<Recorded>) -> Self {
        let upto = messages.last().map_or(0, |last| last.sequence);
        Batch { messages, upto }
    }
}

impl Log {
    /// The sequence of the last message in the stream.
    ///
    /// # Errors
    /// The log does not answer.
    pub async fn last(&self, stream: Stream) -> anyhow::Result<u64> {
        match self {
            Log::Bus(bus) => bus.last_sequence(stream.name()).await,
            Log::Held(held) => Ok(held.last(stream)),
        }
    }

    /// Follows a stream from behind `after`. Only messages on `subjects` (beginnings; none: all) are given out.
    pub fn follow(&self, stream: Stream, after: u64, subjects: &[&'static str]) -> Follow {
        let (to, chunks) = mpsc::channel(AHEAD);
        let starts = subjects.to_vec();
        let reader = match self {
            Log::Bus(bus) => {
                let patterns = if starts.is_empty() { vec![stream.subjects()] } else { starts };
                let patterns = patterns.iter().map(|start| format!("{}>", start.trim_end_matches('>'))).collect();
                let feed = bus.feed(stream.name(), patterns, Start::Sequence(after)).gathering(Stream::GATHER);
                // readers wait for what became of events; nobody waits for the page of outcomes
                let feed = if stream == Stream::Events { feed.hurried() } else { feed };
                tokio::spawn(read(feed, to))
            }
            Log::Held(held) => tokio::spawn(held.clone().read(stream, after, starts, to)),
        };
        Follow { chunks, next: None, gathered: None, reader: reader.abort_handle() }
    }

    /// Tells whoever waits how far every page over a stream has come. Telling may fail, nobody relies on it.
    pub(crate) fn say(&self, stream: Stream, position: u64) {
        if let Log::Bus(bus) = self {
            bus.say(&announced_on(stream), position.to_be_bytes().to_vec());
        }
    }
}

/// Where positions are announced.
pub(crate) fn announced_on(stream: Stream) -> String {
    format!("position.{}", stream.name())
}

type Chunk = JoinHandle<Batch>;

/// Reads until nobody follows or the log fails. That there is nothing new is told too: a rebuild has to know the end.
async fn read(mut feed: Feed, to: mpsc::Sender<anyhow::Result<Chunk>>) {
    while !to.is_closed() {
        let delivered = feed.next(CHUNK, IDLE).await;
        let upto = feed.position();
        let failed = delivered.is_err();
        let chunk = delivered.map(|delivered| tokio::spawn(async move { parse(delivered, upto) }));
        if to.send(chunk).await.is_err() || failed {
            return;
        }
    }
}

fn parse(delivered: Vec<Delivered>, upto: u64) -> Batch {
    let record = |one: Delivered| Recorded::new(one.sequence, one.subject, one.time, one.raw, &one.opened);
    Batch { messages: delivered.into_iter().map(record).collect(), upto }
}

/// Reading in progress; it ends when this is dropped.
pub struct Follow {
    chunks: mpsc::Receiver<anyhow::Result<Chunk>>,
    next: Option<Chunk>,
    gathered: Option<Batch>,
    reader: AbortHandle,
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Follow {
    /// The next messages, at most about `max`: what there is. Empty after a while without any.
    /// Dropping the future loses nothing: whatever was received is kept for the next call.
    ///
    /// # Errors
    /// The log does not answer; reading is over.
    pub async fn next(&mut self, max: usize) -> anyhow::Result<Batch> {
        while self.gathered.as_ref().is_none_or(|gathered| gathered.messages.len() < max) {
            if self.next.is_none() {
                let received = match &self.gathered {
                    None => Some(self.chunks.recv().await.unwrap_or_else(|| Err(anyhow!("reading ended")))),
                    // what was read meanwhile comes along
                    Some(_) => self.chunks.try_recv().ok(),
                };
                self.next = received.transpose()?;
            }
            let Some(chunk) = self.next.as_mut().filter(|chunk| self.gathered.is_none() || chunk.is_finished()) else {
                break;
            };
            let more = chunk.await.context("parsing ended")?;
            self.next = None;
            let gathered = self.gathered.get_or_insert_default();
            gathered.upto = gathered.upto.max(more.upto);
            gathered.messages.extend(more.messages);
        }
        Ok(self.gathered.take().unwrap_or_default())
    }
}

/// A log in memory.
#[derive(Clone)]
pub struct Held {
    messages: Arc<Mutex<Vec<(Stream, Recorded)>>>,
    changed: Arc<watch::Sender<usize>>,
}

impl Default for Held {
    fn default() -> Self {
        Held { messages: Arc::default(), changed: Arc::new(watch::Sender::new(0)) }
    }
}

impl Held {
    /// Adds messages at the end.
    pub fn add(&self, stream: Stream, messages: impl IntoIterator<Item = Recorded>) {
        let mut all = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(messages.into_iter().map(|message| (stream, message)));
        self.changed.send_replace(all.len());
    }

    fn last(&self, stream: Stream) -> u64 {
        self.after(stream, 0).last().map_or(0, |last| last.sequence)
    }

    fn after(&self, stream: Stream, after: u64) -> Vec<Recorded> {
        let all = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let new = all.iter().filter(|(of, message)| *of == stream && message.sequence > after);
        new.map(|(_, message)| message.clone()).collect()
    }

    async fn read(
        self,
        stream: Stream,
        mut after: u64,
        starts: Vec<&'static str>,
        to: mpsc::Sender<anyhow::Result<Chunk>>,
    ) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let new = self.after(stream, after);
            if new.is_empty() {
                tokio::time::timeout(IDLE, changed.changed()).await.ok();
            }
            for part in new.chunks(CHUNK) {
                after = part.last().map_or(after, |last| last.sequence);
                let wanted = |one: &&Recorded| {
                    starts.is_empty() || starts.iter().any(|start| one.subject.starts_with(start.trim_end_matches('>')))
                };
                let batch = Batch { messages: part.iter().filter(wanted).cloned().collect(), upto: after };
                if to.send(Ok(tokio::spawn(async move { batch }))).await.is_err() {
                    return;
                }
            }
            if new.is_empty()
                && to.send(Ok(tokio::spawn(async move { Batch { messages: vec![], upto: after } }))).await.is_err()
            {
                return;
            }
        }
    }
}
