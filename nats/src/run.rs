//! A context runs: its commands are decided, its timers fire, its reactions and workers follow events.

use anyhow::{Context, Result};
use kernel::Service;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

use crate::bus::Bus;
use crate::consume::{Handle, consume};
use crate::decide::Decide;
use crate::react::React;
use crate::streams::{COMMANDS, EVENTS, SCHEDULES};
use crate::timers::Relay;

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
        parts.push((SCHEDULES, Arc::new(Relay(bus.clone()))));
    }
    if !service.reactions.is_empty() || !service.workers.is_empty() {
        parts.push((EVENTS, Arc::new(React::new(bus.clone(), &service))));
    }
    let running = parts.into_iter().map(|(stream, handle)| {
        let part = tokio::spawn(consume(bus.clone(), stream, name, handle, stop.clone()));
        async move { part.await.with_context(|| format!("{stream} of {name}"))? }
    });
    futures::future::try_join_all(running).await?;
    decide.finish().await;
    Ok(())
}
