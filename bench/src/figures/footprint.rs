//! Memory of the platform's process, and how long it takes to be ready.

use anyhow::Result;
use std::time::Duration;

use super::throughput::tokens;
use crate::load::{Load, send};
use crate::people::{self, Person};
use crate::platform::Platform;
use crate::results::{Better, Row};
use crate::run::Bench;

/// Right after the start, before anybody came.
pub async fn idle(bench: &mut Bench, platform: &Platform) -> Result<()> {
    started(bench, platform, "empty data folder");
    platform.quiet().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let row = Row::value("memory of reprise", platform.megabytes()?, "MB", Better::Lower, 150.0, 75.0);
    bench.report(row.under("resident, idle after the start, sync interval; nats-server and Postgres not counted"));
    Ok(())
}

/// After a million commands, those of other figures included; then a start on what they left.
pub async fn used(bench: &mut Bench, platform: &mut Platform, people: &mut [Person]) -> Result<()> {
    while bench.commands < bench.settings.commands {
        people::renew(platform.address, people).await?;
        let (tokens, warmup) = (tokens(people, 256), Duration::ZERO);
        let load = Load { address: platform.address, tokens, warmup, duration: Duration::from_secs(5), pace: None };
        bench.commands += send(load).await?.requests;
    }
    platform.quiet().await?;
    let row = Row::value("memory of reprise", platform.megabytes()?, "MB", Better::Lower, 400.0, 200.0);
    bench.report(row.under(format!("resident, after {} commands, sync interval", bench.commands)));
    platform.restart().await?;
    started(bench, platform, &format!("data of {} commands", bench.commands));
    Ok(())
}

fn started(bench: &mut Bench, platform: &Platform, on: &str) {
    let row = Row::value("start to ready", platform.start.as_secs_f64(), "s", Better::Lower, 5.0, 2.5);
    bench.report(row.under(format!("reprise up to the first 200 of /readyz, {on}, sync interval")));
}
