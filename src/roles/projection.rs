//! Looking after what is remembered.

use anyhow::Result;
use projections::{PROJECTOR, pool};

use crate::cli::Servers;
use crate::connect::Place;

/// Lists projections, and how far behind the log they are.
///
/// # Errors
/// NATS or Postgres do not answer.
pub async fn ls(servers: Servers, json: bool) -> Result<()> {
    let place = Place::of(&servers);
    let bus = place.bus_soon("projector").await?;
    let pool = pool(&place.database(PROJECTOR)?, Some(PROJECTOR), 2).await?;
    let all = projections::ls(&pool, bus).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    println!(
        "{:<14} {:>10} {:<9} {:>12} {:>11} {:>12} {:>11}",
        "NAME", "GENERATION", "STATE", "POSITION", "LAG EVENTS", "LAG SECONDS", "QUARANTINED"
    );
    for one in all {
        println!(
            "{:<14} {:>10} {:<9} {:>12} {:>11} {:>12.1} {:>11}",
            one.name, one.generation, one.state, one.position, one.lag_events, one.lag_seconds, one.quarantined
        );
    }
    Ok(())
}

/// Builds a projection anew from the whole log, or several in one pass: names separated by commas, or `all`.
///
/// # Errors
/// There is none of that name, a message cannot be applied, or NATS or Postgres do not answer.
pub async fn rebuild(name: String, servers: Servers) -> Result<()> {
    crate::observe::begin("projection")?;
    let place = Place::of(&servers);
    let bus = place.bus_soon("projector").await?;
    let pool = pool(&place.database(PROJECTOR)?, Some(PROJECTOR), 8).await?;
    let mut names: Vec<String> = name.split(',').map(str::to_owned).collect();
    if name == "all" {
        names = projections::ls(&pool, bus.clone()).await?.into_iter().map(|one| one.name).collect();
        names.dedup();
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for done in projections::rebuild(&pool, bus.clone(), &names).await? {
        println!(
            "{}: generation {} is live at position {}; {} messages in {:.1} s",
            done.name,
            done.generation,
            done.position,
            done.messages,
            done.took.as_secs_f64()
        );
    }
    bus.flushed_close().await;
    Ok(())
}
