//! Group commit: while one batch is being flushed to disk the next one fills, so that many waiting appends share one
//! flush. A batch has a price of its own, so a few messages are plain publishes; how many depends on the disk and is
//! learned. One subject is written once in a batch; what conflicts is stored alone.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

use crate::Sync;
use crate::calls::Calls;
use crate::put::{Note, Put, put};
use crate::streams::ASKED;

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
            let (calls, held, costs) = (calls.clone(), VecDeque::new(), Costs { single: 0.000_25, batch: 0.003 });
            tokio::spawn(Lane { calls, stream, units, held, costs }.run());
            sender
        });
        Writer { calls, stream, lane }
    }

    /// The first word of the subjects that commands have in this stream.
    pub(crate) fn subjects(&self) -> &'static str {
        if self.stream == ASKED { "ask" } else { "cmd" }
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
    costs: Costs,
}

/// What storing takes, in seconds, as it was found lately.
struct Costs {
    single: f64,
    batch: f64,
}

impl Costs {
    fn batch_is_worth_it(&self, units: usize) -> bool {
        units > 1 && self.single * units as f64 > self.batch
    }

    fn learn(&mut self, batch: bool, units: usize, took: Duration) {
        let (used, other, parts) =
            if batch { (&mut self.batch, &mut self.single, 1) } else { (&mut self.single, &mut self.batch, units) };
        *used += (took.as_secs_f64() / parts as f64 - *used) * 0.1;
        // what is not used is believed in a little more each time, until it is tried again
        *other *= 0.999;
    }
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

    async fn store(&mut self, mut units: Vec<Unit>) {
        let (count, began) = (units.len(), Instant::now());
        metrics::histogram!("reprise_group_commit_size", "stream" => self.stream).record(count as f64);
        if self.costs.batch_is_worth_it(count) {
            let all: Vec<Note> = units.iter().flat_map(|unit| unit.notes.iter().cloned()).collect();
            let stored = put(&self.calls, self.stream, &all).await;
            self.costs.learn(true, count, began.elapsed());
            if let Put::Stored { sequence, duplicate: false } = stored {
                return share(units, sequence);
            }
            // one of them is in the way, or nobody knows: each finds out for itself
        }
        let (calls, stream, began) = (&self.calls, self.stream, Instant::now());
        let alone = units.drain(..).map(async |unit| {
            let result = put(calls, stream, &unit.notes).await;
            unit.answer.send(result).ok();
        });
        futures::future::join_all(alone).await;
        self.costs.learn(false, count, began.elapsed());
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
