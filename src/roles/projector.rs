//! The projector: events become rows.

use anyhow::Result;
use nats::Bus;
use projections::{PROJECTOR, Reads, pool};
use tokio_util::sync::CancellationToken;

use crate::cli::Own;
use crate::connect::Place;
use crate::roles::own::Process;

/// Runs all projections until told to stop.
///
/// # Errors
/// NATS or Postgres refuse it.
pub async fn run(args: Own) -> Result<()> {
    let process = Process::begin("projector", &args)?;
    let Some(bus) = process.bus("projector").await? else { return Ok(()) };
    let reads = Reads::connect(&process.place.database(PROJECTOR)?).await?;
    process.probes(&args, &bus, Some(reads)).await?;
    work(&process.place, bus, process.stop).await
}

/// Turns events into rows until `stop`.
///
/// # Errors
/// NATS or Postgres refuse it.
pub async fn work(place: &Place, bus: Bus, stop: CancellationToken) -> Result<()> {
    let pool = pool(&place.database(PROJECTOR)?, Some(PROJECTOR), 8).await?;
    let worked = projections::run(pool, bus.clone(), stop).await;
    bus.flushed_close().await;
    worked
}
