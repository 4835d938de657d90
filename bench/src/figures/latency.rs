//! How long one command takes on a quiet platform, and how long until its effect can be read at half of what the
//! platform can do.

use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::throughput::tokens;
use crate::histogram::Histogram;
use crate::http::{Connection, bearer, request};
use crate::load::{Load, Update, send};
use crate::people::{self, Person};
use crate::platform::{Platform, Sync};
use crate::results::{Better, Row, short};
use crate::rounds::Rounds;
use crate::run::Bench;

/// Connections of the background load.
const BACKGROUND: usize = 64;

/// Measures both; `most` is the platform's highest rate when it is known already.
pub async fn measure(bench: &mut Bench, platform: &Platform, people: &mut [Person], most: Option<f64>) -> Result<()> {
    people::renew(platform.address, people).await?;
    outcome(bench, platform, people).await?;
    let most = match most {
        Some(most) => most,
        None => highest(bench, platform, people).await?,
    };
    visible(bench, platform, people, most).await
}

async fn outcome(bench: &mut Bench, platform: &Platform, people: &[Person]) -> Result<()> {
    let [mut p50, mut p99] = [Rounds::default(), Rounds::default()];
    for _ in 0..bench.settings.rounds {
        let measured = send(load(bench, platform, tokens(people, 1))).await?;
        bench.commands += measured.requests;
        p50.push(measured.latencies.millis(0.5));
        p99.push(measured.latencies.millis(0.99));
    }
    let must = if platform.sync() == Sync::Interval { 3.0 } else { 6.0 };
    let row = Row::value("command to outcome, p50", p50.median(), "ms", Better::Lower, must, must / 2.0);
    let conditions = format!(
        "sync {}, one connection, {} rounds of {} s: p50 {}, p99 {}",
        platform.sync().word(),
        bench.settings.rounds,
        bench.settings.round.as_secs(),
        p50.spread(),
        p99.spread()
    );
    bench.report(row.under(conditions));
    Ok(())
}

async fn highest(bench: &mut Bench, platform: &Platform, people: &[Person]) -> Result<f64> {
    let measured = send(load(bench, platform, tokens(people, BACKGROUND))).await?;
    bench.commands += measured.requests;
    platform.quiet().await?;
    Ok(measured.per_second)
}

async fn visible(bench: &mut Bench, platform: &Platform, people: &[Person], most: f64) -> Result<()> {
    let [mut p50, mut p99, mut reached] = [Rounds::default(), Rounds::default(), Rounds::default()];
    for _ in 0..bench.settings.rounds {
        let half = Load { pace: Some(most / 2.0), ..load(bench, platform, tokens(people, BACKGROUND)) };
        let prober = people.last().context("somebody to probe with")?;
        let wait = half.warmup;
        let probed = async {
            tokio::time::sleep(wait).await;
            probe(platform.address, prober, Instant::now() + bench.settings.round).await
        };
        let (measured, seen) = tokio::join!(send(half), probed);
        let (measured, seen) = (measured?, seen?);
        bench.commands += measured.requests + seen.count();
        reached.push(measured.per_second);
        p50.push(seen.millis(0.5));
        p99.push(seen.millis(0.99));
    }
    let row = Row::value("command to visible in the projection, p99", p99.median(), "ms", Better::Lower, 50.0, 25.0);
    let conditions = format!(
        "sync {}, PUT then GET with its Consistency-Token beside {}/s of {}/s, {} rounds of {} s: p50 {}, p99 {}",
        platform.sync().word(),
        short(reached.median()),
        short(most),
        bench.settings.rounds,
        bench.settings.round.as_secs(),
        p50.spread(),
        p99.spread()
    );
    bench.report(row.under(conditions));
    Ok(())
}

fn load(bench: &Bench, platform: &Platform, tokens: Vec<String>) -> Load {
    let (warmup, duration) = (bench.settings.warmup, bench.settings.round);
    Load { address: platform.address, tokens, warmup, duration, pace: None }
}

/// Times from sending a command to reading its effect, one after the other until `end`.
async fn probe(address: SocketAddr, person: &Person, end: Instant) -> Result<Histogram> {
    let mut connection = Connection::open(address).await?;
    let (mut update, mut seen) = (Update::new(&person.token), Histogram::default());
    while Instant::now() < end {
        let asked = Instant::now();
        let answer = connection.exchange(update.next()).await?;
        ensure!(answer.status == 200, "PUT /api/profile answered {}: {}", answer.status, answer.text());
        let token = answer.header("consistency-token").context("an answer without Consistency-Token")?;
        let headers = format!("{}consistency-token: {token}\r\n", bearer(&person.token));
        let answer = connection.exchange(&request("GET", "/api/profile", &headers, "")).await?;
        ensure!(answer.status == 200, "GET /api/profile answered {}: {}", answer.status, answer.text());
        let name: serde_json::Value = serde_json::from_slice(answer.body)?;
        ensure!(
            name["display_name"].as_str() == Some(&update.name()),
            "GET shows an older state than its token asks for"
        );
        seen.record(asked.elapsed());
        // probes are samples, not load
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(seen)
}
