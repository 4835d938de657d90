//! A worker: takes a task, does it with what this machine has, and says what came of it. It decides nothing and remembers
//! nothing: a task that it drops goes to another worker, and what comes too late is refused and thrown away.

mod attempt;
mod bench;
mod carry;
mod doing;
mod said;

use anyhow::Result;
use bench::Bench;
use blobs::Blobs;
use media::Tools;
use nats::{Bus, Held};
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// After a fault of the queue it is asked again after so long.
const PAUSE: Duration = Duration::from_millis(500);

/// What a worker works with.
#[derive(Clone)]
pub struct Workshop {
    /// The way of messages.
    pub bus: Bus,
    /// Where files come from, and where what is made of them goes.
    pub blobs: Blobs,
    /// ffmpeg.
    pub tools: Tools,
    /// A folder for what is under way, which workers on the same machine may share.
    pub scratch: PathBuf,
}

/// Does one task after the other until stopped; the one under way is then left to others.
///
/// # Errors
/// The folder for what is under way cannot be made.
pub async fn run(workshop: Workshop, stop: CancellationToken) -> Result<()> {
    let bench = Bench::own(&workshop.scratch)?;
    let workshop = Workshop { scratch: bench.path(), ..workshop };
    while !stop.is_cancelled() {
        if let Err(error) = serve(&workshop, &stop).await {
            tracing::warn!(error = format!("{error:#}"), "cannot take tasks, trying again");
            stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }
    Ok(())
}

async fn serve(workshop: &Workshop, stop: &CancellationToken) -> Result<()> {
    let mut tasks = workshop.bus.tasks().await?;
    while let Some(held) = stop.run_until_cancelled(tasks.next()).await {
        // told to stop in the middle of it, it is ended in order: ffmpeg is gone before we are
        one(workshop, &held?, stop).await;
    }
    Ok(())
}

async fn one(workshop: &Workshop, held: &Held, stop: &CancellationToken) {
    match attempt::make(workshop, held, stop).await {
        Ok(attempt::End::Over) => held.done().await,
        Ok(attempt::End::NotNow) => held.again().await,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "a task could not be done now, it comes again");
            held.again().await;
        }
    }
}
