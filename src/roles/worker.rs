//! A worker: makes of files what people watch. Needs NATS, the blob store and ffmpeg, and nothing else.

use anyhow::Result;
use blobs::Blobs;
use media::Tools;
use nats::Bus;
use std::path::PathBuf;
use tokio_util::sync::CancellationToken;
use worker::Workshop;

use crate::cli;
use crate::roles::own::Process;
use crate::roles::service::blobs;

/// Does tasks until told to stop; the one under way is left to others then.
///
/// # Errors
/// NATS refuses it, or ffmpeg is not here.
pub async fn run(args: cli::Worker) -> Result<()> {
    let process = Process::begin("worker", &args.own)?;
    let Some(bus) = process.bus("worker").await? else { return Ok(()) };
    process.probes(&args.own, &bus, None).await?;
    let data = &args.own.servers.data.data;
    let scratch = args.scratch.unwrap_or_else(|| data.join("scratch"));
    work(bus, blobs(&args.files, data)?, scratch, process.stop).await
}

/// Does tasks until `stop`.
///
/// # Errors
/// ffmpeg is not here, or there is no place for what is under way.
pub async fn work(bus: Bus, blobs: Blobs, scratch: PathBuf, stop: CancellationToken) -> Result<()> {
    let workshop = Workshop { bus: bus.clone(), blobs, tools: Tools::find()?, scratch };
    let worked = worker::run(workshop, stop).await;
    bus.flushed_close().await;
    worked
}
