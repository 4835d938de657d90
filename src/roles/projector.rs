//! The projector: events become rows.

use anyhow::Result;
use nats::Bus;
use projections::{PROJECTOR, pool};
use sqlx::PgPool;
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
    let pool = connect(&process.place).await?;
    process.probes(&args, &bus, Some(pool.clone())).await?;
    work(pool, bus, process.stop).await
}

/// Where rows are written.
///
/// # Errors
/// Nobody says where Postgres is.
pub async fn connect(place: &Place) -> Result<PgPool> {
    pool(&place.database(PROJECTOR)?, Some(PROJECTOR), 8).await
}

/// Turns events into rows until `stop`.
///
/// # Errors
/// NATS or Postgres refuse it.
pub async fn work(pool: PgPool, bus: Bus, stop: CancellationToken) -> Result<()> {
    let worked = projections::run(pool, bus.clone(), stop).await;
    bus.flushed_close().await;
    worked
}
