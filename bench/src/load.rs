//! The load: N connections, each with a person of its own, each sending its next request when the last was answered.
//! It runs on one thread of its own. Anything but 200 is an error, and an error fails the figure.

use crate::histogram::Histogram;
use crate::http::{Connection, bearer, request};
use crate::people;
use crate::results::short;
use anyhow::{Result, anyhow, ensure};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// What is sent, and how.
#[derive(Clone)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// One access token for each connection.
    pub tokens: Vec<String>,
    /// Not counted, at the beginning.
    pub warmup: Duration,
    /// Counted.
    pub duration: Duration,
    /// Requests per second of all connections together; `None` is as fast as answers come.
    pub pace: Option<f64>,
}

/// What came of it.
#[derive(Default)]
pub struct Measured {
    /// Latencies of the requests that were answered in the counted time.
    pub latencies: Histogram,
    /// Their number by second.
    pub per_second: f64,
    /// All requests, those of the warm-up included.
    pub requests: u64,
}

/// The arguments of `reprise-bench load`.
#[derive(clap::Args)]
pub struct Options {
    /// A platform that runs already, rate limits off.
    #[arg(long)]
    platform: SocketAddr,
    /// Connections, each with a person registered for it.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds that count, after two that do not.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Requests per second of all together; as fast as answers come by default.
    #[arg(long)]
    pace: Option<f64>,
}

/// Sends load to a platform that runs already and says how it answered: something to profile against.
///
/// # Errors
/// Anything was not answered as it should be.
pub async fn alone(options: Options) -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let people = people::register(options.platform, usize::try_from(now)?, options.connections, 4).await?;
    people::settled(options.platform, &people).await?;
    let tokens = people.into_iter().map(|person| person.token).collect();
    let (warmup, duration) = (Duration::from_secs(2), Duration::from_secs(options.seconds));
    let measured = send(Load { address: options.platform, tokens, warmup, duration, pace: options.pace }).await?;
    let (p50, p99) = (measured.latencies.millis(0.5), measured.latencies.millis(0.99));
    println!("{}/s, p50 {} ms, p99 {} ms", short(measured.per_second), short(p50), short(p99));
    Ok(())
}

/// Sends the load from a thread of its own.
///
/// # Errors
/// Any request was not answered with 200.
pub async fn send(load: Load) -> Result<Measured> {
    let thread = std::thread::Builder::new().name("load".into());
    let (tell, told) = tokio::sync::oneshot::channel();
    thread.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let measured = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(all(load)));
        // the receiver is gone only when the whole run was cancelled
        drop(tell.send(measured));
    })?;
    told.await.map_err(|_| anyhow!("the load's thread ended early"))?
}

async fn all(load: Load) -> Result<Measured> {
    ensure!(!load.tokens.is_empty(), "a load needs at least one person");
    let mut connections = Vec::with_capacity(load.tokens.len());
    for token in &load.tokens {
        connections.push((Connection::open(load.address).await?, Update::new(token)));
    }
    let begin = Instant::now() + load.warmup;
    let end = begin + load.duration;
    let every = load.pace.map(|pace| Duration::from_secs_f64(load.tokens.len() as f64 / pace));
    let mut tasks = JoinSet::new();
    for (n, (connection, update)) in connections.into_iter().enumerate() {
        let first = every.map(|every| Instant::now() + every.mul_f64(n as f64 / load.tokens.len() as f64));
        tasks.spawn(one(connection, update, begin, end, first.zip(every)));
    }
    let mut sum = Measured::default();
    while let Some(done) = tasks.join_next().await {
        let (latencies, requests) = done??;
        sum.latencies.merge(&latencies);
        sum.requests += requests;
    }
    sum.per_second = sum.latencies.count() as f64 / load.duration.as_secs_f64();
    Ok(sum)
}

/// One connection until the end. With a pace, a request that is due waits for the answer to the last one.
async fn one(
    mut connection: Connection,
    mut update: Update,
    begin: Instant,
    end: Instant,
    mut pace: Option<(Instant, Duration)>,
) -> Result<(Histogram, u64)> {
    let mut latencies = Histogram::default();
    let mut requests = 0;
    loop {
        if let Some((due, every)) = &mut pace {
            sleep_until(*due).await;
            *due += *every;
        }
        let asked = Instant::now();
        if asked >= end {
            return Ok((latencies, requests));
        }
        let answer = connection.exchange(update.next()).await?;
        ensure!(answer.status == 200, "PUT /api/profile answered {}: {}", answer.status, answer.text());
        let answered = Instant::now();
        requests += 1;
        if answered >= begin && answered < end {
            latencies.record(answered - asked);
        }
    }
}

/// The bytes of `PUT /api/profile`, with another name each time: an update that changes nothing is no event.
pub struct Update {
    bytes: Vec<u8>,
    counter: u64,
}

/// Digits of the counter in the name.
const DIGITS: usize = 16;

impl Update {
    /// Updates by the person with this token.
    pub fn new(token: &str) -> Self {
        let body = format!(r#"{{"display_name":"Ada {}"}}"#, "0".repeat(DIGITS));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let counter = u64::try_from(now.as_micros()).unwrap_or_default();
        Update { bytes: request("PUT", "/api/profile", &bearer(token), &body), counter }
    }

    /// The next request.
    pub fn next(&mut self) -> &[u8] {
        self.counter += 1;
        let mut rest = self.counter;
        let end = self.bytes.len() - 2;
        for digit in self.bytes[end - DIGITS..end].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &self.bytes
    }

    /// The name that the last request gave.
    pub fn name(&self) -> String {
        format!("Ada {:0DIGITS$}", self.counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_update_is_valid_json_with_another_name() {
        let mut update = Update::new("token");
        let mut body = || {
            let text = String::from_utf8(update.next().to_vec()).expect("text");
            let (_, body) = text.split_once("\r\n\r\n").expect("a body");
            serde_json::from_str::<serde_json::Value>(body).expect("JSON")["display_name"].clone()
        };
        assert_ne!(body(), body());
    }
}
