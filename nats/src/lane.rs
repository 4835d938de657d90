//! Group commit: while one batch is being flushed to disk the next one fills, so that many waiting appends share one
//! flush. Alone a message is a plain publish. One subject is written once in a batch; what conflicts is stored alone.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

use crate::Sync;
use crate::calls::Calls;
use crate::put::{Note, Put, put};

/// Messages in one batch. The server takes 1000; a smaller one is answered sooner.
const FULL: usize = 256;

/// Messages that are stored all together or not at all.
struct Unit {
    notes: Vec<Note>,
    answer: oneshot::Sender<Put>,
}

/// Stores into one stream.
pub(crate) struct Writer {
    calls: Arc<Calls>,
    stream: &'static str,
    lane: Option<mpsc::UnboundedSender<Unit>>,
}

impl Writer {
    pub(crate) fn new(calls: Arc<Calls>, stream: &'static str, sync: Sync) -> Self {
        let lane = (sync == Sync::Always).then(|| {
            let (sender, units) = mpsc::unbounded_channel();
            tokio::spawn(Lane { calls: calls.clone(), stream, units, held: VecDeque::new() }.run());
            sender
        });
        Writer { calls, stream, lane }
    }

    /// Stores `notes` together.
    pub(crate) async fn put(&self, notes: Vec<Note>) -> Put {
        let Some(lane) = &self.lane else { return put(&self.calls, self.stream, &notes).await };
        let (answer, answered) = oneshot::channel();
        if lane.send(Unit { notes, answer }).is_err() {
            return Put::Refused("the connection is closed".into());
        }
        answered.await.unwrap_or_else(|_| Put::Unclear("the connection is closed".into()))
    }
}

struct Lane {
    calls: Arc<Calls>,
    stream: &'static str,
    units: mpsc::UnboundedReceiver<Unit>,
    /// Had to wait because another unit of the batch writes to the same subject.
    held: VecDeque<Unit>,
}

impl Lane {
    async fn run(mut self) {
        while let Some(batch) = self.gather().await {
            self.store(batch).await;
        }
    }

    /// Whatever waits, as much as fits.
    async fn gather(&mut self) -> Option<Vec<Unit>> {
        let mut batch = Batch::default();
        for unit in std::mem::take(&mut self.held) {
            batch.add(unit, &mut self.held);
        }
        if batch.units.is_empty() {
            batch.add(self.units.recv().await?, &mut self.held);
        }
        self.drain(&mut batch);
        Some(batch.units)
    }

    fn drain(&mut self, batch: &mut Batch) {
        while batch.size < FULL && self.held.len() < FULL {
            let Ok(unit) = self.units.try_recv() else { break };
            batch.add(unit, &mut self.held);
        }
    }

    async fn store(&self, mut units: Vec<Unit>) {
        metrics::histogram!("reprise_group_commit_size", "stream" => self.stream).record(units.len() as f64);
        if units.len() > 1 {
            let all: Vec<Note> = units.iter().flat_map(|unit| unit.notes.iter().cloned()).collect();
            if let Put::Stored { sequence, duplicate: false } = put(&self.calls, self.stream, &all).await {
                return share(units, sequence);
            }
            // one of them is in the way, or nobody knows: each finds out for itself
        }
        let alone = units.drain(..).map(async |unit| {
            let result = put(&self.calls, self.stream, &unit.notes).await;
            unit.answer.send(result).ok();
        });
        futures::future::join_all(alone).await;
    }
}

/// The sequences of a batch are contiguous and end with `last`.
fn share(units: Vec<Unit>, last: u64) {
    let total: usize = units.iter().map(|unit| unit.notes.len()).sum();
    let mut sequence = last - total as u64;
    for unit in units {
        sequence += unit.notes.len() as u64;
        unit.answer.send(Put::Stored { sequence, duplicate: false }).ok();
    }
}

#[derive(Default)]
struct Batch {
    units: Vec<Unit>,
    subjects: HashSet<String>,
    size: usize,
}

impl Batch {
    /// Takes the unit, or holds it when one of its subjects is already written to or there is no room.
    fn add(&mut self, unit: Unit, held: &mut VecDeque<Unit>) {
        let twice = unit.notes.iter().any(|note| self.subjects.contains(&note.subject));
        let room = self.units.is_empty() || self.size + unit.notes.len() <= FULL;
        if twice || !room || held.iter().any(|before| shares_subject(before, &unit)) {
            return held.push_back(unit);
        }
        self.subjects.extend(unit.notes.iter().map(|note| note.subject.clone()));
        self.size += unit.notes.len();
        self.units.push(unit);
    }
}

fn shares_subject(one: &Unit, other: &Unit) -> bool {
    one.notes.iter().any(|a| other.notes.iter().any(|b| a.subject == b.subject))
}
