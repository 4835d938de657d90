//! Messages that nobody could handle: a copy in `DEAD` with the reason, personal data still sealed.

use anyhow::{Result, bail};

use crate::bus::Bus;
use crate::consume::Delivery;
use crate::put::{Note, Put, put};
use crate::streams::DEAD;

/// Longer reasons are cut.
const REASON: usize = 500;

/// Stores the copy. The same message twice is one copy.
pub(crate) async fn bury(bus: &Bus, context: &str, delivery: &Delivery, reason: &str) -> Result<()> {
    let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON).collect();
    let id = format!("{}.{context}.{}", delivery.stream, delivery.sequence);
    let mut note = Note::new(format!("dead.{context}"), id, None, delivery.payload.clone());
    note.extra = vec![
        ("Reprise-Reason", reason.clone()),
        ("Reprise-Stream", delivery.stream.to_owned()),
        ("Reprise-Sequence", delivery.sequence.to_string()),
        ("Reprise-Subject", delivery.subject.to_string()),
        ("Reprise-Deliveries", delivery.delivered.to_string()),
    ];
    match put(&bus.0.calls, DEAD, &[note]).await {
        Put::Stored { .. } => {}
        other => bail!("{DEAD} does not take it: {other:?}"),
    }
    metrics::counter!("reprise_dead_letters_total", "context" => context.to_owned()).increment(1);
    tracing::error!(
        message.subject = delivery.subject.as_str(),
        message.stream = delivery.stream,
        message.sequence = delivery.sequence,
        context,
        reason,
        "a message is dead"
    );
    Ok(())
}
