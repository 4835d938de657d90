//! What people hear over sockets: how long after a service said it, and how many can hear it at the same time.

use anyhow::{Context, Result, ensure};
use nats::Bus;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fill;
use crate::histogram::Histogram;
use crate::people::{self, Person};
use crate::platform::Platform;
use crate::ready::{self, MARK, OWNERS, PACE, Ready};
use crate::results::{Better, Row};
use crate::rounds::Rounds;
use crate::run::{Bench, say};
use crate::socket::Socket;

/// Sockets in one room.
const CROWD: usize = 10_000;
/// Sockets that are being opened at the same time.
const AT_ONCE: usize = 64;
/// Nobody waits longer than this for a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// Measures both.
pub async fn measure(bench: &mut Bench, platform: &Platform, people: &mut [Person]) -> Result<()> {
    people::renew(platform.address, people).await?;
    told(bench, platform, &people[..OWNERS]).await?;
    people::renew(platform.address, people).await?;
    crowd(bench, platform, &people[0]).await
}

/// What a socket heard, and when.
struct Heard {
    event: String,
    number: u64,
    at: Instant,
}

impl Heard {
    /// An event of ours has its number where it has room for one.
    fn now(packet: &str) -> Result<Self> {
        let (event, data): (String, Value) = serde_json::from_str(packet.strip_prefix("42").context("no event")?)?;
        let number = match event.as_str() {
            "videoProcessingComplete" => data["version"].as_u64(),
            _ => data["text"].as_str().and_then(ready::number),
        };
        let number = number.with_context(|| format!("another event: {packet}"))?;
        Ok(Heard { event, number, at: Instant::now() })
    }
}

/// Passes on what a socket hears, for as long as it is open; signs of life are answered meanwhile.
async fn listen(mut socket: Socket, tell: UnboundedSender<Result<Heard>>) {
    loop {
        let heard = socket.next().await.and_then(|packet| Heard::now(&packet));
        let over = heard.is_err();
        if tell.send(heard).is_err() || over {
            return;
        }
    }
}

async fn next(told: &mut UnboundedReceiver<Result<Heard>>) -> Result<Heard> {
    let heard = timeout(PATIENCE, told.recv()).await.context("a message did not arrive")?;
    heard.context("nobody listens")?
}

/// Videos become ready, and their owners hear of it: at once, and as a notice in their inbox.
async fn told(bench: &mut Bench, platform: &Platform, people: &[Person]) -> Result<()> {
    let owners: Vec<_> = people.iter().map(|person| person.id).collect();
    let service = fill::role(platform.data(), "video").await?;
    let ((tell, mut told), mut open) = (unbounded_channel(), JoinSet::new());
    for person in people {
        open.spawn(listen(Socket::open(platform.address, &person.token).await?, tell.clone()));
    }
    let [mut p50, mut p99, mut notices] = [Rounds::default(), Rounds::default(), Rounds::default()];
    let mut first = 0;
    // the first round is not counted: everybody once, so that what is asked for only once for each person has been
    for round in 0..=bench.settings.rounds {
        platform.quiet().await?;
        let counted = PACE * bench.settings.round.as_secs().max(1);
        let numbers = first..first + if round == 0 { OWNERS as u64 } else { counted };
        first = numbers.end;
        let ready = Ready::from_now(numbers.clone());
        let hearing = async {
            let (mut at_once, mut noticed) = (Histogram::default(), Histogram::default());
            for _ in 0..2 * (numbers.end - numbers.start) {
                let Heard { event, number, at } = next(&mut told).await?;
                let seen = if event == "notification" { &mut noticed } else { &mut at_once };
                seen.record(ready.since(number, at)?);
            }
            anyhow::Ok((at_once, noticed))
        };
        let ((), (at_once, noticed)) = tokio::try_join!(ready.happen(&service, &owners), hearing)?;
        ensure!(at_once.count() == noticed.count(), "somebody heard one thing twice and another not at all");
        if round > 0 {
            p50.push(at_once.millis(0.5));
            p99.push(at_once.millis(0.99));
            notices.push(noticed.millis(0.99));
        }
    }
    service.flushed_close().await;
    let row = Row::value("event to socket message at the client, p99", p99.median(), "ms", Better::Lower, 50.0, 25.0);
    let conditions = format!(
        "{PACE} videos a second become ready, of {OWNERS} people in turn, each with a socket; from the time of the event, {} rounds of {} s: \
         p50 {}, p99 {}; the notice that their inbox makes of it, p99 {}",
        bench.settings.rounds,
        bench.settings.round.as_secs(),
        p50.spread(),
        p99.spread(),
        notices.spread()
    );
    bench.report(row.under(conditions));
    Ok(())
}

/// One message to everybody in a large room, and what it takes to have them all there.
async fn crowd(bench: &mut Bench, platform: &Platform, person: &Person) -> Result<()> {
    allow_files()?;
    let service = fill::role(platform.data(), "notification").await?;
    platform.quiet().await?;
    let before = platform.megabytes()?;
    say(format!("opening {CROWD} sockets"));
    let (tell, mut told) = unbounded_channel();
    let (mut opening, mut crowd) = (JoinSet::new(), JoinSet::new());
    for n in 0..CROWD + AT_ONCE {
        if n >= AT_ONCE {
            let socket = opening.join_next().await.context("somebody is opening")???;
            crowd.spawn(listen(socket, tell.clone()));
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
        times.push(everybody(&service, person, n, &mut told).await?);
    }
    let row = Row::value("one message to 10 000 sockets in a room", times.median(), "s", Better::Lower, 1.0, 0.5);
    let conditions = format!("{} messages: {}; all sockets of one process", bench.settings.rounds, times.spread());
    bench.report(row.under(conditions));
    let row = Row::value("memory of a socket", each, "KB", Better::Lower, 30.0, 15.0);
    bench.report(row.under(format!("growth of reprise with {CROWD} open sockets, a share of each")));
    Ok(())
}

/// Each socket is an open file, here and in the platform, which helps itself in the same way.
fn allow_files() -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    let wanted = CROWD as u64 + 1_000;
    ensure!(
        most.is_none_or(|most| most >= wanted),
        "{CROWD} sockets need {wanted} open files, and the hard limit here is {}: ulimit -Hn",
        most.unwrap_or_default()
    );
    Ok(setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?)
}

/// Seconds until the last one has it.
async fn everybody(service: &Bus, person: &Person, n: u64, told: &mut UnboundedReceiver<Result<Heard>>) -> Result<f64> {
    let data = json!({ "title": "Your video is ready", "text": format!("“{MARK}{n}” can be watched, in every size.") });
    let message = json!({ "event": "notification", "data": data }).to_string();
    let said = Instant::now();
    service.say(&format!("rt.user.{}", person.id), message.into_bytes());
    let mut last = said;
    for _ in 0..CROWD {
        let Heard { number, at, .. } = next(told).await?;
        ensure!(number == n, "message {number} arrived instead of {n}");
        last = last.max(at);
    }
    Ok((last - said).as_secs_f64())
}
