//! An aggregate from its events: from memory, else from a snapshot and what came after it, else from the beginning.
//! What is loaded may be behind the log; whoever concludes something from it confirms it with the leader or by appending.

use anyhow::{Context, Result};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use events::Sequence;
use kernel::Aggregate;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

use crate::bus::Bus;
use crate::put::{Note, put};
use crate::read::{self, Stored};
use crate::streams::{EVENTS, SNAPSHOTS};

/// Aggregates kept in memory.
const KEPT: usize = 16_384;
/// A snapshot is taken every so many events; what came after it has to be read one by one.
const SNAPSHOT_EVERY: u64 = 50;
/// A snapshot is taken too when the log has grown by so much since: the server looks for the events of one aggregate in
/// all that was stored between them, which costs about a millisecond for a thousand messages when they are not in memory.
const FAR: u64 = 100_000;
/// Events asked for at a time.
const PAGE: usize = 1024;
/// Repeatable commands remembered per aggregate.
const CAUSES: usize = 2048;

/// How to make an aggregate that has no events yet.
pub(crate) type Make = fn() -> Box<dyn Aggregate>;

/// Which aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Of {
    pub(crate) context: &'static str,
    pub(crate) aggregate: &'static str,
    pub(crate) id: Uuid,
}

impl Of {
    pub(crate) fn events(&self) -> String {
        format!("evt.{}.{}.{}", self.context, self.aggregate, self.id)
    }

    fn snapshot(&self) -> String {
        format!("snap.{}.{}.{}", self.context, self.aggregate, self.id)
    }
}

/// An aggregate and how far it was read.
pub(crate) struct Loaded {
    pub(crate) state: Box<dyn Aggregate>,
    pub(crate) version: u64,
    /// The sequence in `EVENTS` of its last event; 0 when it has none.
    pub(crate) sequence: u64,
    /// Of commands that may be repeated much later: the ends of their ids.
    causes: Vec<u64>,
    /// Where a snapshot was taken last, else the sequence of the first event.
    whole: u64,
}

impl Loaded {
    fn blank(make: Make) -> Self {
        Loaded { state: make(), version: 0, sequence: 0, causes: vec![], whole: 0 }
    }

    fn advance(&mut self, version: u64, sequence: u64) {
        (self.version, self.sequence) = (version, sequence);
        if self.whole == 0 {
            self.whole = sequence;
        }
    }

    /// Whether a snapshot is worth its message, after it was at `before`; then the next one is due when this has gone on again.
    pub(crate) fn wants_snapshot(&mut self, before: u64) -> bool {
        let wants = self.version / SNAPSHOT_EVERY > before / SNAPSHOT_EVERY || self.sequence - self.whole > FAR;
        if wants {
            self.whole = self.sequence;
        }
        wants
    }

    /// Whether a repeatable command may have been decided before; a look into the log tells.
    pub(crate) fn may_follow(&self, command: Uuid) -> bool {
        self.causes.contains(&end_of(command))
    }

    /// Takes in events that followed the one at `after`, given as `{"type": …, "data": …}` in the clear. False when they
    /// do not fit, or this has gone on meanwhile: two copies of a command may be decided at once, and find the same events.
    pub(crate) fn evolve(&mut self, command: Uuid, bodies: &[&[u8]], after: u64, last: u64) -> bool {
        if self.sequence != after || bodies.iter().any(|body| self.state.evolve(body).is_err()) {
            return false;
        }
        self.advance(self.version + bodies.len() as u64, last);
        self.caused_by(command);
        true
    }

    fn caused_by(&mut self, command: Uuid) {
        // other ids never come again once they are acknowledged
        if command.get_version_num() == 5 && !self.may_follow(command) {
            if self.causes.len() == CAUSES {
                self.causes.remove(0);
            }
            self.causes.push(end_of(command));
        }
    }

    fn read(&mut self, stored: &Stored, opened: &Bytes) -> Result<()> {
        let head: EventHead = serde_json::from_slice(opened)?;
        self.state
            .evolve(opened)
            .map_err(|error| hidden(&error))
            .with_context(|| format!("event {}", stored.sequence))?;
        self.advance(head.sequence.0, stored.sequence);
        head.causationid.inspect(|command| self.caused_by(*command));
        Ok(())
    }
}

fn end_of(command: Uuid) -> u64 {
    command.as_u64_pair().1
}

/// What serde says of a wrong value quotes the value, which may be personal.
pub(crate) fn hidden(error: &serde_json::Error) -> anyhow::Error {
    let text = error.to_string();
    match text.split_once("unknown variant `").and_then(|(_, rest)| rest.split_once('`')) {
        Some((word, _)) if word.contains('.') && word.len() < 100 => anyhow::anyhow!("unknown type {word:?}"),
        _ => anyhow::anyhow!("{:?} error at column {}", error.classify(), error.column()),
    }
}

fn version_of(event: &Stored) -> Result<u64> {
    Ok(serde_json::from_slice::<EventHead>(&event.payload)?.sequence.0)
}

/// What an event says about itself.
#[derive(Deserialize)]
pub(crate) struct EventHead {
    pub(crate) id: Uuid,
    pub(crate) time: DateTime<Utc>,
    pub(crate) causationid: Option<Uuid>,
    #[serde(default)]
    pub(crate) sequence: Sequence,
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    id: Uuid,
    subject: Uuid,
    logic: u32,
    version: u64,
    sequence: u64,
    causes: Vec<u64>,
    state: Box<RawValue>,
}

/// Loads aggregates and keeps them.
pub(crate) struct Loader {
    bus: Bus,
    kept: Cache<Of, Arc<Mutex<Loaded>>>,
}

impl Loader {
    pub(crate) fn new(bus: Bus) -> Self {
        Loader { bus, kept: Cache::new(KEPT) }
    }

    /// The aggregate, at least as far as the event `at_least`.
    pub(crate) async fn load(&self, of: Of, make: Make, at_least: u64) -> Result<Arc<Mutex<Loaded>>> {
        if let Some(kept) = self.kept.get(&of)
            && kept.lock().is_ok_and(|loaded| loaded.sequence >= at_least)
        {
            return Ok(kept);
        }
        let loaded = Arc::new(Mutex::new(self.replay(of, make, at_least).await?));
        self.kept.insert(of, loaded.clone());
        Ok(loaded)
    }

    /// What is kept is wrong or behind.
    pub(crate) fn forget(&self, of: Of) {
        self.kept.remove(&of);
    }

    async fn replay(&self, of: Of, make: Make, at_least: u64) -> Result<Loaded> {
        let (calls, subject) = (&self.bus.0.calls, of.events());
        let mut loaded = Loaded::blank(make);
        let last = read::last(calls, EVENTS, &subject).await?;
        // most that is loaded is new: what has one event or none needs no snapshot, and is not asked for one
        if let Some(last) = &last
            && version_of(last)? > 1
            && let Ok(Some(stored)) = read::last(calls, SNAPSHOTS, &of.snapshot()).await
            && self.restore(stored.payload, &mut loaded, make).await
        {
            metrics::counter!("reprise_snapshots_used_total", "context" => of.context).increment(1);
        }
        if let Some(last) = last.filter(|last| last.sequence > loaded.sequence) {
            self.catch_up(&subject, &mut loaded, last).await?;
        }
        if loaded.sequence < at_least {
            let rest = from_leader(calls, &subject, loaded.sequence + 1, at_least).await?;
            self.take(&mut loaded, rest).await?;
        }
        Ok(loaded)
    }

    /// Takes in what came until `last`. So many events are asked for as there are: to find out that there is no other one,
    /// the server would look through the whole log.
    async fn catch_up(&self, subject: &str, loaded: &mut Loaded, last: Stored) -> Result<()> {
        let (until, version) = (last.sequence, version_of(&last)?);
        if version == loaded.version + 1 {
            return self.take(loaded, vec![last]).await;
        }
        while loaded.sequence < until {
            let missing = usize::try_from(version.saturating_sub(loaded.version))?;
            let from = json!({ "seq": loaded.sequence + 1 });
            let page = read::page(&self.bus.0.calls, EVENTS, from, subject, missing.clamp(1, PAGE)).await?;
            self.take(loaded, page.messages).await?;
            // another replica answered, which knows less
            if page.ended {
                break;
            }
        }
        Ok(())
    }

    async fn take(&self, loaded: &mut Loaded, events: Vec<Stored>) -> Result<()> {
        let opened = self.bus.keyring().open_all(events.iter().map(|event| event.payload.clone()).collect()).await?;
        events.iter().zip(&opened).try_for_each(|(event, opened)| loaded.read(event, opened))
    }

    /// Whether the snapshot could be used. One of another logic, or that does not fit, is as good as none.
    async fn restore(&self, raw: Bytes, loaded: &mut Loaded, make: Make) -> bool {
        let Ok(opened) = self.bus.keyring().open(&raw).await else { return false };
        let Ok(snapshot) = serde_json::from_slice::<Snapshot>(&opened) else { return false };
        let mut state = make();
        if snapshot.logic != state.logic() || state.restore(snapshot.state.get().as_bytes()).is_err() {
            return false;
        }
        let Snapshot { version, sequence, causes, .. } = snapshot;
        *loaded = Loaded { state, version, sequence, causes, whole: sequence };
        true
    }

    /// Stores a snapshot. Nothing depends on it, so nobody hears of a failure.
    pub(crate) async fn snapshot(&self, of: Of, loaded: Arc<Mutex<Loaded>>) {
        let stored = async {
            let text = snapshot_of(of, &loaded)?;
            let sealed = self.bus.keyring().seal(text).await?;
            put(&self.bus.0.calls, SNAPSHOTS, &[Note::after(of.snapshot(), None, sealed)]).await;
            anyhow::Ok(())
        };
        if let Err(error) = stored.await {
            tracing::debug!(aggregate.id = %of.id, error = format!("{error:#}"), "no snapshot");
        }
    }
}

fn snapshot_of(of: Of, loaded: &Mutex<Loaded>) -> Result<Vec<u8>> {
    let loaded = loaded.lock().map_err(|_| anyhow::anyhow!("a panic left the state unclear"))?;
    let state = RawValue::from_string(String::from_utf8(loaded.state.snapshot()?)?)?;
    let snapshot = Snapshot {
        // what is sealed belongs to this one snapshot
        id: Uuid::now_v7(),
        subject: of.id,
        logic: loaded.state.logic(),
        version: loaded.version,
        sequence: loaded.sequence,
        causes: loaded.causes.clone(),
        state,
    };
    Ok(serde_json::to_vec(&snapshot)?)
}

async fn from_leader(calls: &crate::calls::Calls, subject: &str, mut from: u64, to: u64) -> Result<Vec<Stored>> {
    let mut events = vec![];
    while from <= to {
        let Some(event) = read::leader_next(calls, EVENTS, subject, from).await? else { break };
        from = event.sequence + 1;
        events.push(event);
    }
    Ok(events)
}

/// The last of the events on `subject` that `command` caused, looked for from `since` on. What a replica does not have
/// yet is waited for: the answer is true as of the leader's tail.
pub(crate) async fn last_caused_by(
    bus: &Bus,
    subject: &str,
    command: Uuid,
    since: Option<DateTime<Utc>>,
) -> Result<Option<(EventHead, u64)>> {
    let calls = &bus.0.calls;
    let mut start = since.map_or(json!({ "seq": 1 }), |time| json!({ "start_time": time.to_rfc3339() }));
    let mut own = None;
    let mut read_to = 0;
    for _ in 0..100 {
        let page = read::page(calls, EVENTS, start.clone(), subject, PAGE).await?;
        for event in &page.messages {
            let head: EventHead = serde_json::from_slice(&event.payload)?;
            if head.causationid == Some(command) {
                own = Some((head, event.sequence));
            }
        }
        if let Some(last) = page.messages.last() {
            read_to = last.sequence;
            start = json!({ "seq": read_to + 1 });
        }
        if !page.ended {
            continue;
        }
        let unread = |tail: &Stored| tail.sequence > read_to && since.is_none_or(|since| tail.time >= since);
        if read::leader_last(calls, EVENTS, subject).await?.as_ref().is_none_or(|tail| !unread(tail)) {
            return Ok(own);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("no replica has the end of {subject}")
}
