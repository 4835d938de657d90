//! Provisioning: the streams and consumers that every other role takes for granted.

use anyhow::Result;
use nats::provision::{Plan, Report, provision};

use crate::cli;
use crate::connect::Place;

/// Makes what is missing and says what was there.
///
/// # Errors
/// Something exists otherwise than planned, or NATS refuses.
pub async fn run(args: cli::Provision) -> Result<()> {
    let place = Place::of(&args.servers);
    let Report { made, kept } = make(&place, args.replicas).await?;
    for (what, names) in [("made", made), ("kept", kept)] {
        names.iter().for_each(|name| println!("{what} {name}"));
    }
    Ok(())
}

/// Makes what is missing.
///
/// # Errors
/// Something exists otherwise than planned, or NATS refuses.
pub async fn make(place: &Place, replicas: usize) -> Result<Report> {
    let bus = place.bus_soon("provisioner").await?;
    let report = provision(&bus, &Plan { replicas, ..Plan::default() }).await;
    bus.flushed_close().await;
    report
}
