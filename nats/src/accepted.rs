//! Outcomes that nobody looks for any more: whoever asked was told, the events are the proof, and the command does not
//! come a second time under its id. Those of some milliseconds share one message, so that a command costs one append.

use anyhow::{Result, anyhow};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

use crate::bus::Bus;
use crate::outcome::{self, Outcome};
use crate::put::{Note, Put};
use crate::streams::OUTCOMES;

/// How long an outcome waits for others.
const COMPANY: Duration = Duration::from_millis(10);
/// Outcomes in one message.
const MOST: usize = 500;

struct Waiting {
    outcome: Outcome,
    stored: oneshot::Sender<bool>,
}

/// Stores outcomes together.
pub(crate) struct Accepted(mpsc::UnboundedSender<Waiting>);

impl Accepted {
    pub(crate) fn new(bus: Bus, context: &'static str) -> Self {
        let (sender, waiting) = mpsc::unbounded_channel();
        tokio::spawn(store_all(bus, context, waiting));
        Accepted(sender)
    }

    /// Ends when the outcome is durable. If it may not be, the command comes again and finds its events.
    pub(crate) async fn store(&self, outcome: Outcome) -> Result<()> {
        let (stored, answer) = oneshot::channel();
        self.0.send(Waiting { outcome, stored }).ok();
        let durable = answer.await.unwrap_or(false);
        if durable { Ok(()) } else { Err(anyhow!("its outcome cannot be stored now")) }
    }
}

async fn store_all(bus: Bus, context: &'static str, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
    while let Some(first) = waiting.recv().await {
        tokio::time::sleep(COMPANY).await;
        let mut all = vec![first];
        while all.len() < MOST
            && let Ok(next) = waiting.try_recv()
        {
            all.push(next);
        }
        let (outcomes, tell): (Vec<_>, Vec<_>) = all.into_iter().map(|one| (one.outcome, one.stored)).unzip();
        let note = Note::only(outcome::subject(outcomes[0].id), outcome::together(&outcomes));
        let put = bus.0.outcomes.put(vec![note]).await;
        let durable = matches!(put, Put::Stored { duplicate: false, .. });
        if durable {
            let labels = [("context", context), ("status", "accepted")];
            metrics::counter!("reprise_outcomes_total", &labels).increment(outcomes.len() as u64);
            bus.0.wakes.give(OUTCOMES);
        } else {
            tracing::debug!(?put, "outcomes could not be stored together");
        }
        for one in tell {
            one.send(durable).ok();
        }
    }
}
