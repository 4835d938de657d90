//! What people hear over sockets: how long after a service said it, and how many can hear it at the same time.

use anyhow::{Context, Result, ensure};
use nats::{Bus, Options};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::fill::Running;
use crate::histogram::Histogram;
use crate::people::{self, Person};
use crate::platform::Platform;
use crate::results::{Better, Row};
use crate::rounds::Rounds;
use crate::run::{Bench, say};
use crate::socket::Socket;

/// Messages a second.
const PACE: u64 = 100;
/// Sockets in one room.
const CROWD: usize = 10_000;
/// Sockets that are being opened at the same time.
const AT_ONCE: usize = 64;
/// Nobody waits longer than this for a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures both.
pub async fn measure(bench: &mut Bench, platform: &Platform, people: &mut [Person]) -> Result<()> {
    people::renew(platform.address, people).await?;
    let service = service(platform).await?;
    told(bench, platform, &service, &people[0]).await?;
    people::renew(platform.address, people).await?;
    crowd(bench, platform, &service, &people[0]).await
}

/// A connection with the rights of the service that says such things.
async fn service(platform: &Platform) -> Result<Bus> {
    let role = "notification".to_owned();
    let file = platform.data().join(format!("keys/nats/{role}.seed"));
    let seed = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let (url, seed) = (Running::read(platform.data())?.nats_url, Some(seed.trim().to_owned()));
    Bus::connect(&Options { url, role, seed, sync: nats::Sync::Interval }).await
}

fn notify(service: &Bus, person: &Person, n: u64) {
    let said = json!({ "event": "notification", "data": { "n": n, "text": "Your video is ready" } });
    service.say(&format!("rt.user.{}", person.id), said.to_string().into_bytes());
}

async fn heard(socket: &mut Socket, n: u64) -> Result<()> {
    let packet = timeout(PATIENCE, socket.next()).await.context("a message did not arrive")??;
    ensure!(packet.contains(&format!("\"n\":{n},")), "another message arrived: {packet}");
    Ok(())
}

/// From saying something to its arrival, at a hundred a second.
async fn told(bench: &mut Bench, platform: &Platform, service: &Bus, person: &Person) -> Result<()> {
    let [mut p50, mut p99] = [Rounds::default(), Rounds::default()];
    for _ in 0..bench.settings.rounds {
        let mut socket = Socket::open(platform.address, &person.token).await?;
        let many = PACE * bench.settings.round.as_secs().max(1);
        let begin = Instant::now();
        // a late message delays no other: each is due at its time, whether or not the one before has arrived
        let due = |n: u64| begin + Duration::from_secs(n + 1) / PACE as u32;
        let saying = async {
            for n in 0..many {
                sleep_until(due(n).into()).await;
                notify(service, person, n);
            }
        };
        let hearing = async {
            let mut seen = Histogram::default();
            for n in 0..many {
                heard(&mut socket, n).await?;
                seen.record(due(n).elapsed());
            }
            anyhow::Ok(seen)
        };
        let ((), seen) = tokio::join!(saying, hearing);
        let seen = seen?;
        p50.push(seen.millis(0.5));
        p99.push(seen.millis(0.99));
    }
    let row = Row::value("event to socket message at the client, p99", p99.median(), "ms", Better::Lower, 50.0, 25.0);
    let conditions = format!(
        "{PACE} a second, {} rounds of {} s: p50 {}, p99 {}",
        bench.settings.rounds,
        bench.settings.round.as_secs(),
        p50.spread(),
        p99.spread()
    );
    bench.report(row.under(conditions));
    Ok(())
}

/// One message to everybody in a large room, and what it takes to have them all there.
async fn crowd(bench: &mut Bench, platform: &Platform, service: &Bus, person: &Person) -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    platform.quiet().await?;
    let before = platform.megabytes()?;
    say(format!("opening {CROWD} sockets"));
    let (mut opening, mut sockets) = (JoinSet::new(), Vec::with_capacity(CROWD));
    for n in 0..CROWD + AT_ONCE {
        if n >= AT_ONCE {
            sockets.push(opening.join_next().await.context("somebody is opening")???);
        }
        if n < CROWD {
            let (address, token) = (platform.address, person.token.clone());
            opening.spawn(async move { Socket::open(address, &token).await });
        }
    }
    platform.quiet().await?;
    let each = (platform.megabytes()? - before) * 1e3 / CROWD as f64;
    let mut times = Rounds::default();
    for n in 0..bench.settings.rounds as u64 {
        times.push(everybody(service, person, n, &mut sockets).await?);
    }
    let row = Row::value("one message to 10 000 sockets in a room", times.median(), "s", Better::Lower, 1.0, 0.5);
    let conditions = format!("{} messages: {}; all sockets of one process", bench.settings.rounds, times.spread());
    bench.report(row.under(conditions));
    let row = Row::value("memory of a socket", each, "KB", Better::Lower, 30.0, 15.0);
    bench.report(row.under(format!("growth of reprise with {CROWD} open sockets, a share of each")));
    Ok(())
}

/// Seconds until the last one has it.
async fn everybody(service: &Bus, person: &Person, n: u64, sockets: &mut Vec<Socket>) -> Result<f64> {
    let mut hearing = JoinSet::new();
    for mut socket in sockets.drain(..) {
        hearing.spawn(async move {
            heard(&mut socket, n).await?;
            anyhow::Ok((Instant::now(), socket))
        });
    }
    // let everybody begin to listen
    tokio::time::sleep(Duration::from_millis(500)).await;
    let said = Instant::now();
    notify(service, person, n);
    let mut last = said;
    while let Some(heard) = hearing.join_next().await {
        let (at, socket) = heard??;
        last = last.max(at);
        sockets.push(socket);
    }
    Ok((last - said).as_secs_f64())
}
