//! Parts of segments to many players at once, against nginx serving the same files.

use anyhow::{Context, Result, anyhow, ensure};
use media::Tools;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

use crate::clip::{self, Making};
use crate::histogram::Histogram;
use crate::http::{Connection, request};
use crate::nginx::Nginx;
use crate::people::{self, Person};
use crate::platform::Platform;
use crate::results::{Better, Row, short};
use crate::rounds::Rounds;
use crate::run::{Bench, say};
use crate::sending::{Sending, Way};

const CONNECTIONS: usize = 64;
/// Bytes of a part.
const PART: u64 = 64 << 10;
const SIZE: &str = "1280x720";

/// Measures both in turns.
pub async fn measure(bench: &mut Bench, platform: &Platform, person: &mut [Person]) -> Result<()> {
    let segments = film(bench, platform, person).await?;
    let root = platform.data().join("blobs");
    let nginx = Nginx::start(&root, bench.folder("nginx")?).await?;
    let (rounds, duration, warmup) = (bench.settings.rounds, bench.settings.round, bench.settings.warmup);
    let [mut ours, mut theirs] = [Side::default(), Side::default()];
    for _ in 0..rounds {
        let load = |address, requests| Load { address, requests, duration, warmup };
        theirs.add(load(nginx.address, segments.iter().map(|one| one.plain.clone()).collect()).send().await?);
        ours.add(load(platform.address, segments.iter().map(|one| one.signed.clone()).collect()).send().await?);
    }
    let figure = "segments with Range";
    let against = (nginx.version.as_str(), theirs.rate.median());
    let row = Row::ratio(figure, ours.rate.median(), "requests/s", against, Better::Higher, [0.4, 0.8]);
    let conditions = format!(
        "{CONNECTIONS} connections, each part {} KiB of one of {} files, signed addresses, {rounds} rounds of {} s: {}; \
         nginx, as many workers as cores: {}",
        PART >> 10,
        segments.iter().map(|one| &one.file).collect::<BTreeSet<_>>().len(),
        duration.as_secs(),
        ours.said(),
        theirs.said(),
    );
    bench.report(row.under(conditions));
    Ok(())
}

/// One side, over the rounds.
#[derive(Default)]
struct Side {
    rate: Rounds,
    p99: Rounds,
}

impl Side {
    fn add(&mut self, (rate, latencies): (f64, Histogram)) {
        self.rate.push(rate);
        self.p99.push(latencies.millis(0.99));
    }

    fn said(&self) -> String {
        format!("{}/s, p99 {} ms", self.rate.spread(), short(self.p99.median()))
    }
}

/// A part of a segment, as each side is asked for it.
struct Part {
    file: String,
    signed: Vec<u8>,
    plain: Vec<u8>,
}

/// Makes a film and gives the parts of its segments.
async fn film(bench: &Bench, platform: &Platform, person: &mut [Person]) -> Result<Vec<Part>> {
    let tools = Tools::find().map_err(|missing| anyhow!("{missing}"))?;
    let folder = bench.folder("clip")?;
    let file = folder.0.join("film.mp4");
    say("making a film to serve");
    clip::draw(&tools, SIZE, 20, &file).await?;
    people::renew(platform.address, person).await?;
    let token = &person.first().context("somebody to upload")?.token;
    let sending = Sending { address: platform.address, token: token.clone(), file, purpose: "video" };
    let arrived = sending.send(Way::Tus).await?;
    let video = Making::of(platform, token, &arrived.id).await?.until(&["ready"]).await?;
    let playback = video["playback"].as_str().context("a film that can be played")?;
    let (master, query) = playback.split_once('?').context("a signed address")?;
    let (folder, id) = (master.trim_end_matches("/master.m3u8"), video["id"].as_str().context("an id")?);
    let blobs = platform.data().join("blobs/videos").join(id);
    let mut connection = Connection::open(platform.address).await?;
    let answer = connection.exchange(&request("GET", playback, "", "")).await?;
    let playlist = String::from_utf8_lossy(answer.body);
    let mut parts = vec![];
    for index in playlist.lines().filter(|line| !line.starts_with('#')) {
        let index = index.split('?').next().unwrap_or_default();
        let (place, _) = index.rsplit_once('/').context("a playlist in a folder")?;
        for entry in std::fs::read_dir(blobs.join(place))? {
            let entry = entry?;
            let (name, size) = (entry.file_name(), entry.metadata()?.len());
            let Some(name) = name.to_str().filter(|name| name.ends_with(".m4s")) else { continue };
            let file = format!("{place}/{name}");
            for first in (0..size / PART).map(|n| n * PART) {
                let range = format!("range: bytes={first}-{}\r\n", first + PART - 1);
                let signed = request("GET", &format!("{folder}/{file}?{query}"), &range, "");
                let plain = request("GET", &format!("/videos/{id}/{file}"), &range, "");
                parts.push(Part { file: file.clone(), signed, plain });
            }
        }
    }
    ensure!(parts.len() > CONNECTIONS, "too few segments to serve: {}", parts.len());
    Ok(parts)
}

/// What is asked of one side.
struct Load {
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    duration: Duration,
    warmup: Duration,
}

impl Load {
    /// Answers a second, and how long they took, from a thread of its own.
    async fn send(self) -> Result<(f64, Histogram)> {
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::Builder::new().name("load".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let measured = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(self.all()));
            // the receiver is gone only when the whole run was cancelled
            drop(tell.send(measured));
        })?;
        told.await.map_err(|_| anyhow!("the load's thread ended early"))?
    }

    async fn all(self) -> Result<(f64, Histogram)> {
        let requests = Arc::new(self.requests);
        let mut connections = vec![];
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(self.address).await?);
        }
        let begin = Instant::now() + self.warmup;
        let end = begin + self.duration;
        let mut tasks = JoinSet::new();
        for (n, connection) in connections.into_iter().enumerate() {
            // each begins elsewhere: players do not all look at the same moment
            tasks.spawn(one(connection, requests.clone(), n * requests.len() / CONNECTIONS, begin, end));
        }
        let mut sum = Histogram::default();
        while let Some(done) = tasks.join_next().await {
            sum.merge(&done??);
        }
        Ok((sum.count() as f64 / self.duration.as_secs_f64(), sum))
    }
}

/// One connection until the end.
async fn one(
    mut connection: Connection,
    requests: Arc<Vec<Vec<u8>>>,
    first: usize,
    begin: Instant,
    end: Instant,
) -> Result<Histogram> {
    let mut latencies = Histogram::default();
    for request in requests.iter().cycle().skip(first) {
        let asked = Instant::now();
        if asked >= end {
            break;
        }
        let answer = connection.exchange(request).await?;
        let whole = answer.status == 206 && answer.body.len() as u64 == PART;
        ensure!(whole, "a part of a segment: {}, {} bytes", answer.status, answer.body.len());
        let answered = Instant::now();
        if answered >= begin && answered < end {
            latencies.record(answered - asked);
        }
    }
    Ok(latencies)
}
