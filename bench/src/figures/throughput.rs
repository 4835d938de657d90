//! `PUT /api/profile` as a durable command with its outcome, against the plain service's `UPDATE`, equally durable.

use anyhow::Result;
use std::time::Duration;

use crate::load::{Load, Measured, send};
use crate::people::{self, Person};
use crate::platform::{Baseline, Platform, Sync};
use crate::results::{Better, Row, short};
use crate::rounds::Rounds;
use crate::run::{Bench, say};

/// Connections, and must and aim for interval and for always.
const LOADS: [(usize, [f64; 2], [f64; 2]); 2] = [(64, [1.0, 1.7], [0.45, 1.0]), (256, [1.0, 1.7], [1.0, 1.4])];

/// Pools that the baseline may have; it gets the one that serves it best.
const POOLS: [u32; 3] = [8, 16, 32];

/// Measures both loads. Gives the platform's commands per second at 64 connections.
pub async fn measure(bench: &mut Bench, platform: &Platform, people: &mut [Person]) -> Result<f64> {
    let mut most = 0.0;
    for (connections, interval, always) in LOADS {
        let bounds = if platform.sync() == Sync::Interval { interval } else { always };
        let commands = measure_at(bench, platform, people, connections, bounds).await?;
        if connections == 64 {
            most = commands;
        }
    }
    Ok(most)
}

async fn measure_at(
    bench: &mut Bench,
    platform: &Platform,
    people: &mut [Person],
    connections: usize,
    bounds: [f64; 2],
) -> Result<f64> {
    // twice as many turns of half the time: a host's slow minutes hit both sides alike
    let (rounds, duration, warmup) = (2 * bench.settings.rounds, bench.settings.round / 2, bench.settings.warmup);
    let baseline = best_baseline(bench, platform, people, connections).await?;
    let [mut ours, mut theirs] = [Side::default(), Side::default()];
    for _ in 0..rounds {
        people::renew(platform.address, people).await?;
        let tokens = tokens(people, connections);
        let load = Load { address: baseline.address, tokens, warmup, duration, pace: None };
        theirs.add(&send(load.clone()).await?);
        let measured = send(Load { address: platform.address, ..load }).await?;
        bench.commands += measured.requests;
        ours.add(&measured);
        ours.rest.push(platform.quiet().await?);
    }
    let sync = platform.sync();
    let conditions = format!(
        "sync {} vs synchronous_commit={}, {connections} connections, {rounds} rounds of {} s; {}; baseline {}, pool {}",
        sync.word(),
        sync.commit(),
        duration.as_secs(),
        ours.said() + &format!(", quiet {} s after", short(ours.rest.median())),
        theirs.said(),
        baseline.pool,
    );
    let figure = "PUT /api/profile as a durable command with its outcome";
    let against = ("UPDATE by axum + sqlx", theirs.rate.median());
    let row = Row::ratio(figure, ours.rate.median(), "requests/s", against, Better::Higher, bounds);
    bench.report(row.under(conditions));
    Ok(ours.rate.median())
}

/// One of the two, over the rounds.
#[derive(Default)]
struct Side {
    rate: Rounds,
    p50: Rounds,
    p99: Rounds,
    rest: Rounds,
}

impl Side {
    fn add(&mut self, measured: &Measured) {
        self.rate.push(measured.per_second);
        self.p50.push(measured.latencies.millis(0.5));
        self.p99.push(measured.latencies.millis(0.99));
    }

    fn said(&self) -> String {
        let (p50, p99) = (short(self.p50.median()), short(self.p99.median()));
        format!("{}/s, p50 {p50} ms, p99 {p99} ms", self.rate.spread())
    }
}

/// The tokens of the first people.
pub fn tokens(people: &[Person], count: usize) -> Vec<String> {
    people.iter().take(count).map(|person| person.token.clone()).collect()
}

/// The baseline with the pool that serves this load best.
async fn best_baseline(
    bench: &Bench,
    platform: &Platform,
    people: &mut [Person],
    connections: usize,
) -> Result<Baseline> {
    people::renew(platform.address, people).await?;
    let (tokens, url) = (tokens(people, connections), platform.owner_url()?);
    crate::baseline::prepare(&url, people).await?;
    let duration = bench.settings.round.min(Duration::from_secs(3));
    let mut best = (0.0, POOLS[0]);
    for pool in POOLS {
        let baseline = Baseline::start(platform, &url, pool).await?;
        let (address, warmup) = (baseline.address, bench.settings.warmup / 2);
        let measured = send(Load { address, tokens: tokens.clone(), warmup, duration, pace: None }).await?;
        say(format!("baseline, {connections} connections, pool {pool}: {}/s", short(measured.per_second)));
        if measured.per_second > best.0 {
            best = (measured.per_second, pool);
        }
    }
    Baseline::start(platform, &url, best.1).await
}
