//! Whether a command costs more when the log is long, or the history of its aggregate: one command after the other on one
//! connection, the small case and the large one in turns.

use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::time::Instant;

use super::throughput::tokens;
use crate::histogram::Histogram;
use crate::http::Connection;
use crate::load::Update;
use crate::people::{self, Person};
use crate::platform::{Platform, Sync};
use crate::results::{Better, Row, short};
use crate::rounds::Rounds;
use crate::run::{Bench, say};

/// Events in the short log, and in a short aggregate.
const SHORT_LOG: usize = 1_000;
const SHORT: usize = 10;

/// Aggregates of each length.
const FEW: usize = 8;

/// Commands of one side in a round.
const COMMANDS: usize = 1_000;

/// Measures both on a platform whose log is long already.
pub async fn measure(bench: &mut Bench, long: &mut Platform, people: &mut [Person]) -> Result<()> {
    people::renew(long.address, people).await?;
    log(bench, long, people).await?;
    aggregate(bench, long, people).await
}

/// A long log against a short one on a platform beside it. Commands go round the same number of people.
async fn log(bench: &mut Bench, long: &Platform, people: &[Person]) -> Result<()> {
    let short = bench.platform("short", Sync::Interval).await?;
    let others = bench.people(&short).await?;
    one_by_one(short.address, &others, SHORT_LOG.saturating_sub(others.len() * 4)).await?;
    long.quiet().await?;
    let [mut small, mut large] = [Rounds::default(), Rounds::default()];
    for _ in 0..bench.settings.rounds {
        small.push(one_by_one(short.address, &others, COMMANDS).await?.millis(0.5));
        large.push(one_by_one(long.address, people, COMMANDS).await?.millis(0.5));
    }
    let name = format!("command p50, {} events in the log", bench.settings.events);
    let (from, many) = (format!("{SHORT_LOG} events"), people.len());
    let how = format!("sync interval, one connection, {many} aggregates in turn");
    report(bench, &name, &from, [&small, &large], [1.3, 1.1], how);
    Ok(())
}

/// Long aggregates against short ones on the same platform, warm and after a restart.
async fn aggregate(bench: &mut Bench, platform: &mut Platform, people: &mut [Person]) -> Result<()> {
    let (many, rounds) = (bench.settings.long as usize, bench.settings.rounds);
    let fresh = people::register(platform.address, 1_000_000, 2 * FEW, 4).await?;
    people::settled(platform.address, &fresh).await?;
    let (short, long) = fresh.split_at(FEW);
    say(format!("{many} events in each of {FEW} aggregates"));
    lengthen(platform.address, long, many).await?;
    one_by_one(platform.address, short, (SHORT - 2) * FEW).await?;
    platform.quiet().await?;
    cold(bench, platform, short, long, people).await?;
    // the short ones stay short: they are many, and have few commands each
    let crowd = &people[..people.len().min(256)];
    let [mut small, mut large] = [Rounds::default(), Rounds::default()];
    for _ in 0..rounds {
        small.push(one_by_one(platform.address, crowd, crowd.len() * 2).await?.millis(0.5));
        large.push(one_by_one(platform.address, long, COMMANDS).await?.millis(0.5));
    }
    let (name, from) = (format!("command p50, {many} events in the aggregate"), format!("about {SHORT} events"));
    let how = "sync interval, one connection, aggregates known to the service".to_owned();
    report(bench, &name, &from, [&small, &large], [1.5, 1.1], how);
    Ok(())
}

/// The first command of each aggregate after a restart, when others have warmed everything else up.
async fn cold(
    bench: &mut Bench,
    platform: &mut Platform,
    short: &[Person],
    long: &[Person],
    others: &mut [Person],
) -> Result<()> {
    let [mut small, mut large] = [Rounds::default(), Rounds::default()];
    for _ in 0..2 {
        platform.restart().await?;
        people::renew(platform.address, others).await?;
        one_by_one(platform.address, &others[..64], 256).await?;
        for (short, long) in short.iter().zip(long) {
            small.push(one_by_one(platform.address, std::slice::from_ref(short), 1).await?.millis(1.0));
            large.push(one_by_one(platform.address, std::slice::from_ref(long), 1).await?.millis(1.0));
        }
    }
    let name = format!("first command p50, {} events in the aggregate", bench.settings.long);
    let how = format!("sync interval, one connection, first command after a restart, {FEW} aggregates of each length");
    report(bench, &name, &format!("{SHORT} events"), [&small, &large], [1.5, 1.1], how);
    Ok(())
}

fn report(bench: &mut Bench, name: &str, from: &str, sides: [&Rounds; 2], bounds: [f64; 2], how: String) {
    let [small, large] = sides;
    let row = Row::ratio(name, large.median(), "ms", (from, small.median()), Better::Lower, bounds);
    bench.report(row.under(format!("{how}; {} vs {}", large.spread(), small.spread())));
}

/// Sends commands one after the other, the people in turn.
async fn one_by_one(address: SocketAddr, people: &[Person], count: usize) -> Result<Histogram> {
    let mut connection = Connection::open(address).await?;
    let mut updates: Vec<_> = tokens(people, people.len()).iter().map(|token| Update::new(token)).collect();
    let mut latencies = Histogram::default();
    for n in 0..count {
        let update = updates.get_mut(n % people.len()).context("nobody to send commands")?;
        let asked = Instant::now();
        let answer = connection.exchange(update.next()).await?;
        ensure!(answer.status == 200, "PUT /api/profile answered {}: {}", answer.status, answer.text());
        latencies.record(asked.elapsed());
    }
    Ok(latencies)
}

/// Updates everyone that many times, the people at once.
async fn lengthen(address: SocketAddr, people: &[Person], count: usize) -> Result<()> {
    let begin = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for person in people.iter().cloned() {
        tasks.spawn(async move { one_by_one(address, &[person], count).await });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    say(format!("lengthened in {} s", short(begin.elapsed().as_secs_f64())));
    Ok(())
}
