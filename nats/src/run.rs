//! A context runs: its commands are decided, its timers fire, its reactions and workers follow events.

use anyhow::{Context, Result};
use kernel::Service;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::bus::Bus;
use crate::consume::{Handle, consume};
use crate::decide::Decide;
use crate::provision::consumer_states;
use crate::react::React;
use crate::streams::{ASKED, COMMANDS, EVENTS, SCHEDULES};
use crate::timers::Relay;

/// How often it is measured what waits.
const WATCH: Duration = Duration::from_secs(5);

/// Runs one context until stopped; then what has begun is finished. Any number of processes may run the same one.
///
/// # Errors
/// A part of it ended by itself, which is a defect.
pub async fn run_service(bus: Bus, service: Service, stop: CancellationToken) -> Result<()> {
    let name = service.name;
    let decide = Arc::new(Decide::new(bus.clone(), &service));
    let mut parts: Vec<(&'static str, Arc<dyn Handle>)> = vec![];
    if !service.aggregates.is_empty() {
        parts.push((COMMANDS, decide.clone()));
        parts.push((ASKED, decide.clone()));
        parts.push((SCHEDULES, Arc::new(Relay(bus.clone()))));
    }
    if !service.reactions.is_empty() || !service.workers.is_empty() {
        parts.push((EVENTS, Arc::new(React::new(bus.clone(), &service))));
    }
    let running = parts.into_iter().map(|(stream, handle)| {
        let part = tokio::spawn(consume(bus.clone(), stream, name, handle, stop.clone()));
        async move { part.await.with_context(|| format!("{stream} of {name}"))? }
    });
    let watching = tokio::spawn(watch(bus.clone(), name, stop.clone()));
    futures::future::try_join_all(running).await?;
    watching.await?;
    decide.finish().await;
    Ok(())
}

/// What waits before the consumers of a context, as metrics.
async fn watch(bus: Bus, context: &'static str, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(WATCH)).await.is_some() {
        for state in consumer_states(&bus, Some(context)).await.unwrap_or_default() {
            let labels = [("stream", state.stream), ("context", state.name)];
            metrics::gauge!("reprise_consumer_pending", &labels).set(state.pending as f64);
            metrics::gauge!("reprise_consumer_unacknowledged", &labels).set(state.unacknowledged as f64);
        }
    }
}
