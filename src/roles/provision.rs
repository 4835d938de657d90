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
    let place = Place::of(&with_some_database(args.servers))?;
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
    let bus = place.bus("provisioner").await?;
    let report = provision(&bus, &Plan { replicas, ..Plan::default() }).await;
    bus.flushed_close().await;
    report
}

/// Streams need no Postgres: with NATS_URL alone there is enough to go on.
fn with_some_database(servers: cli::Servers) -> cli::Servers {
    let unused = servers.nats_url.is_some().then(String::new);
    cli::Servers { database_url: servers.database_url.or(unused), ..servers }
}
