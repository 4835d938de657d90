//! Reading a stream in order from a known place, for projections and gateways: no gap, no message twice, whatever
//! happens to servers and connections. The place is the sequence of the last message that was read, nothing else.

use anyhow::Result;
use async_nats::Subject;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::bus::Bus;
use crate::read::{self, Stored};
use crate::reader::{self, Reader, Wanted};

/// Messages in one page.
const PAGE: u64 = 1000;
/// Pages asked for ahead while catching up.
const AHEAD: usize = 4;
/// Without a hint a reader looks by itself so often.
pub(crate) const LOOK: Duration = Duration::from_millis(250);
/// A reader that ended is followed by another one after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// After this sequence; 0 is the beginning.
    Sequence(u64),
    /// With what was stored at or after this moment.
    Time(DateTime<Utc>),
}

/// A message from the log.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Its subject.
    pub subject: String,
    /// When it was stored.
    pub time: DateTime<Utc>,
    /// As it is stored, personal fields sealed.
    pub raw: Bytes,
    /// As a reader sees it: personal fields in the clear, or erased; of a [`Feed::sealed`] as it is stored.
    pub opened: Bytes,
}

/// Ordered reading of one stream.
pub struct Feed {
    bus: Bus,
    stream: &'static str,
    filters: Vec<Subject>,
    /// Everything up to here was looked at.
    seen: u64,
    since: Option<DateTime<Utc>>,
    ready: VecDeque<Delivered>,
    ahead: VecDeque<Ahead>,
    sparse: bool,
    sealed: bool,
    gather: Duration,
    hurried: bool,
    at_end: bool,
    /// A consumer of its own, for roles that may have one.
    reader: Option<Reader>,
    /// Not before this moment another one.
    again: Instant,
    hints: Option<watch::Receiver<u64>>,
    catching_up: bool,
    /// Everything up to here is in `ready` or was given out.
    read: u64,
}

/// How far a page goes.
struct End {
    last: Option<u64>,
    /// The replica that answered has no more.
    ended: bool,
}

/// A page that is being read.
struct Ahead {
    task: JoinHandle<Result<(End, Vec<Delivered>)>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Bus {
    /// Reads `stream` in order. Of the messages only those on `filters` are given out (`>` or empty: all).
    pub fn feed(&self, stream: &'static str, filters: Vec<String>, after: Start) -> Feed {
        let (seen, since) = match after {
            Start::Sequence(sequence) => (sequence, None),
            Start::Time(time) => (0, Some(time)),
        };
        Feed {
            bus: self.clone(),
            stream,
            filters: filters.into_iter().filter(|filter| filter != ">").map(Subject::from).collect(),
            seen,
            since,
            ready: VecDeque::new(),
            ahead: VecDeque::new(),
            sparse: false,
            sealed: false,
            gather: Duration::ZERO,
            hurried: false,
            at_end: false,
            reader: None,
            again: Instant::now(),
            hints: None,
            catching_up: true,
            read: seen,
        }
    }
}

impl Feed {
    /// For filters that few messages match: where the role may have a consumer, only those are sent at all, and
    /// [`Feed::position`] stays behind the messages that do not match.
    #[must_use]
    pub fn sparse(mut self) -> Self {
        self.sparse = true;
        self
    }

    /// For whoever needs nothing personal: messages are given out as they are stored, without asking for keys.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.sealed = true;
        self
    }

    /// Where the role may have a consumer, what comes one by one is given out together, so long after the first: a question
    /// to the server and a transaction for each message would cost more than the messages.
    #[must_use]
    pub fn gathering(mut self, pause: Duration) -> Self {
        self.gather = pause;
        self
    }

    /// [`Bus::hurry`] ends the pause of [`Feed::gathering`].
    #[must_use]
    pub fn hurried(mut self) -> Self {
        self.hurried = true;
        self
    }

    /// Up to `max` messages: what there is once there is something, or nothing after `wait`.
    ///
    /// # Errors
    /// The log or the vault does not answer. Nothing is skipped: the next call goes on where this one stopped.
    pub async fn next(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivered>> {
        let deadline = Instant::now() + wait;
        self.at_end = false;
        while self.ready.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if self.has_reader() {
                self.follow(left).await;
            } else {
                self.look(left).await?;
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        let given: Vec<_> = self.ready.drain(..max.min(self.ready.len())).collect();
        self.seen = match (self.ready.is_empty(), given.last()) {
            (false, Some(last)) => last.sequence,
            _ => self.read,
        };
        Ok(given)
    }

    /// Everything up to this sequence was given out or does not match the filters.
    pub fn position(&self) -> u64 {
        self.seen
    }

    /// Whether the last call of [`Feed::next`] saw the end of the stream, so that all there was is known.
    pub fn at_end(&self) -> bool {
        self.at_end && self.ready.is_empty()
    }

    /// Whether there is a consumer to read through; makes one where that is possible.
    fn has_reader(&mut self) -> bool {
        if self.reader.is_none() && !reader::names(self.bus.role()).is_empty() && Instant::now() >= self.again {
            self.again = Instant::now() + AGAIN;
            let start = match self.since {
                Some(time) => json!({ "deliver_policy": "by_start_time", "opt_start_time": written(time) }),
                None => json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": self.read + 1 }),
            };
            let (stream, filters, sparse) = (self.stream, self.filters.clone(), self.sparse);
            let wanted = Wanted {
                stream,
                filters,
                sparse,
                sealed: self.sealed,
                gather: self.gather,
                hurried: self.hurried,
                start,
            };
            self.ahead.clear();
            self.reader = Some(Reader::begin(self.bus.clone(), wanted));
        }
        self.reader.is_some()
    }

    async fn follow(&mut self, left: Duration) {
        let Some(reader) = &mut self.reader else { return };
        match timeout(left.max(LOOK), reader.next()).await {
            Ok(Some(chunk)) => {
                self.ready.extend(chunk.messages);
                self.at_end = chunk.ended;
                if let Some(last) = chunk.last {
                    (self.read, self.since) = (last, None);
                }
            }
            // pages go on from where it stopped
            Ok(None) => self.reader = None,
            Err(_) => {}
        }
    }

    /// Takes note of hints before looking, so that one that comes meanwhile is not missed.
    async fn look(&mut self, left: Duration) -> Result<()> {
        match &mut self.hints {
            Some(hints) => hints.mark_unchanged(),
            None => self.hints = Some(self.bus.0.wakes.hear(self.stream).await),
        }
        let before = self.read;
        self.fill().await?;
        if self.ready.is_empty()
            && self.read == before
            && let Some(hints) = &mut self.hints
        {
            timeout(left.min(LOOK), hints.changed()).await.ok();
        }
        Ok(())
    }

    /// Reads the next page, and while there is much to read asks for the ones after it already.
    async fn fill(&mut self) -> Result<()> {
        let wanted = if self.catching_up && self.since.is_none() { AHEAD } else { 1 };
        while self.ahead.len() < wanted {
            let task = self.ask(self.read + PAGE * self.ahead.len() as u64);
            self.ahead.push_back(task);
        }
        let mut next = self.ahead.pop_front().expect("at least one page is wanted");
        let (page, delivered) = match (&mut next.task).await.map_err(anyhow::Error::from).flatten() {
            Ok(read) => read,
            Err(error) => {
                self.ahead.clear();
                return Err(error);
            }
        };
        self.take(&page, delivered);
        Ok(())
    }

    /// A page that is not full was answered by a replica that has no more: what was asked for behind it, perhaps from
    /// another replica, could leave a gap and is dropped.
    fn take(&mut self, page: &End, delivered: Vec<Delivered>) {
        let before = self.read;
        self.ready.extend(delivered.into_iter().filter(|message| message.sequence > before));
        if let Some(last) = page.last {
            self.read = self.read.max(last);
            self.since = None;
        }
        (self.catching_up, self.at_end) = (!page.ended, page.ended);
        if page.ended || self.read < before + PAGE {
            self.ahead.clear();
        }
    }

    fn ask(&self, after: u64) -> Ahead {
        let start = match self.since {
            Some(time) => json!({ "start_time": written(time) }),
            None => json!({ "seq": after + 1 }),
        };
        let (bus, stream, filters, sealed) = (self.bus.clone(), self.stream, self.filters.clone(), self.sealed);
        Ahead { task: tokio::spawn(async move { bus.read_page(stream, start, &filters, sealed).await }) }
    }
}

impl Bus {
    /// The sequence of the last message in a stream.
    ///
    /// # Errors
    /// The log does not answer.
    pub async fn last_sequence(&self, stream: &str) -> Result<u64> {
        let info: Value = read::api(&self.0.calls, &format!("STREAM.INFO.{stream}"), json!({})).await?;
        info["state"]["last_seq"].as_u64().ok_or_else(|| anyhow::anyhow!("there is no stream {stream}"))
    }

    /// All messages of a page are read, whatever the filters: a replica searches its whole index for a subject that
    /// does not come.
    async fn read_page(
        &self,
        stream: &str,
        start: Value,
        filters: &[Subject],
        sealed: bool,
    ) -> Result<(End, Vec<Delivered>)> {
        let page = read::page(&self.0.calls, stream, start, ">", PAGE as usize).await?;
        let end = End { last: page.messages.last().map(|last| last.sequence), ended: page.ended };
        Ok((end, self.delivered(page.messages, filters, sealed).await?))
    }

    /// Those of the messages that match, opened unless they are wanted `sealed`.
    pub(crate) async fn delivered(
        &self,
        messages: Vec<Stored>,
        filters: &[Subject],
        sealed: bool,
    ) -> Result<Vec<Delivered>> {
        let wanted: Vec<_> = messages.into_iter().filter(|message| matches(&message.subject, filters)).collect();
        let raw = wanted.iter().map(|message| message.payload.clone()).collect();
        let opened = if sealed { raw } else { self.keyring().open_all(raw).await? };
        let delivered = wanted.into_iter().zip(opened).map(|(message, opened)| Delivered {
            sequence: message.sequence,
            subject: message.subject,
            time: message.time,
            raw: message.payload,
            opened,
        });
        Ok(delivered.collect())
    }
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Nanos, true)
}

fn matches(subject: &str, filters: &[Subject]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| covers(filter, subject))
}

/// Whether a pattern with `*` and a last `>` covers a subject.
pub(crate) fn covers(pattern: &str, subject: &str) -> bool {
    let mut words = subject.split('.');
    for token in pattern.split('.') {
        match (token, words.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (token, Some(word)) if token == word => {}
            _ => return false,
        }
    }
    words.next().is_none()
}
