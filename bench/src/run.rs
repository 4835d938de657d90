//! One run: starts what is measured, measures figure after figure, prints the table and writes `results.json`.
//! A figure that fails is said so and the others go on; everything that was started is stopped and removed.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::children::Scratch;
use crate::figures::{
    films, footprint, growth, latency, mails, rebuild, registration, segments, sockets, throughput, uploads,
};
use crate::machine::Ticks;
use crate::mailbox::Mailbox;
use crate::people::{self, Person};
use crate::platform::{Platform, Sync};
use crate::results::{self, Row, short};

/// The arguments of `reprise-bench run`.
#[derive(clap::Args)]
pub struct Options {
    /// Short rounds and 10^4 events instead of 10^6: says whether it works, not how fast it is.
    #[arg(long)]
    quick: bool,
    /// Only these figures: throughput, latency, rebuild, growth, registration, sockets, footprint, mails, uploads,
    /// segments, films.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only this fsync mode: interval or always.
    #[arg(long)]
    sync: Option<String>,
    /// The binary to measure; beside this one by default.
    #[arg(long, env = "REPRISE_BIN")]
    reprise: Option<PathBuf>,
    /// Where results and scratch data go; `target/bench` by default, on a real disk.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The figures, by the names for `--only`.
const FIGURES: [&str; 11] = [
    "throughput",
    "latency",
    "rebuild",
    "growth",
    "registration",
    "sockets",
    "footprint",
    "mails",
    "uploads",
    "segments",
    "films",
];

/// Those of them that are about load; the first two are measured with either fsync mode.
const LOADED: [&str; 5] = ["throughput", "latency", "registration", "sockets", "footprint"];

/// Those that are about files and films.
const MEDIA: [&str; 3] = ["uploads", "segments", "films"];

/// How much is measured.
pub struct Settings {
    /// Rounds of each side.
    pub rounds: usize,
    /// A round, without its warm-up.
    pub round: Duration,
    /// Not counted, before each round.
    pub warmup: Duration,
    /// Events in the log for rebuild and growth.
    pub events: u64,
    /// Events in the long aggregate.
    pub long: u64,
    /// Commands before memory is looked at again.
    pub commands: u64,
    /// Bytes of an uploaded file.
    pub upload: u64,
    /// Seconds of a film.
    pub film: u32,
}

impl Settings {
    fn new(quick: bool) -> Self {
        let (seconds, warmup) = if quick { (2.0, 0.5) } else { (8.0, 2.0) };
        Settings {
            rounds: if quick { 2 } else { 5 },
            round: Duration::from_secs_f64(seconds),
            warmup: Duration::from_secs_f64(warmup),
            events: if quick { 10_000 } else { 1_000_000 },
            long: if quick { 1_000 } else { 10_000 },
            commands: if quick { 10_000 } else { 1_000_000 },
            upload: if quick { 128 << 20 } else { 1 << 30 },
            film: if quick { 6 } else { 60 },
        }
    }
}

/// A run under way.
pub struct Bench {
    /// How much is measured.
    pub settings: Settings,
    /// Rows so far.
    pub rows: Vec<Row>,
    /// Commands that the platform under measurement has answered.
    pub commands: u64,
    options: Options,
    reprise: PathBuf,
    scratch: Scratch,
    failures: Vec<String>,
    /// When the last row was reported.
    since: Ticks,
}

/// People who send the load: as many as the most connections, and some to probe with.
pub const PEOPLE: usize = 256 + 8;

/// Runs everything that is asked for.
///
/// # Errors
/// Something could not be measured. A slow figure is no error.
pub async fn run(options: Options) -> Result<()> {
    let unknown = options.only.iter().find(|name| !FIGURES.contains(&name.as_str()));
    ensure!(unknown.is_none(), "there is no figure {:?}, only {}", unknown.map_or("", |x| x), FIGURES.join(", "));
    let beside = std::env::current_exe()?;
    let target = beside.ancestors().nth(2).context("the folder of build results")?.to_owned();
    let reprise = options.reprise.clone().unwrap_or_else(|| beside.with_file_name("reprise"));
    ensure!(reprise.exists(), "there is no {}: run cargo build --release -p reprise", reprise.display());
    let out = options.out.clone().unwrap_or_else(|| target.join("bench"));
    let scratch = Scratch::new(out.join(format!("scratch-{}", std::process::id())))?;
    let settings = Settings::new(options.quick);
    let mut bench =
        Bench { settings, rows: vec![], commands: 0, options, reprise, scratch, failures: vec![], since: Ticks::now() };
    tokio::select! {
        done = bench.all() => done?,
        () = interrupted() => bail!("interrupted"),
    }
    bench.finish(&out.join("results.json"))
}

impl Bench {
    async fn all(&mut self) -> Result<()> {
        for sync in [Sync::Interval, Sync::Always] {
            let wanted = self.options.sync.as_deref().is_none_or(|word| word == sync.word());
            // the other figures are measured with one of the modes only
            let figures = if sync == Sync::Interval { &LOADED[..] } else { &LOADED[..2] };
            if wanted && figures.iter().any(|name| self.wants(name)) {
                self.with_load(sync).await?;
            }
        }
        if self.wants("rebuild") || self.wants("growth") {
            self.with_log().await?;
        }
        if self.wants("mails") {
            self.with_mails().await?;
        }
        if MEDIA.iter().any(|name| self.wants(name)) {
            self.with_media().await?;
        }
        Ok(())
    }

    /// The figures that are about load, on one platform.
    async fn with_load(&mut self, sync: Sync) -> Result<()> {
        self.commands = 0;
        let mut platform = self.platform(sync.word(), sync).await?;
        let whole = sync == Sync::Interval;
        if whole && self.wants("footprint") {
            let done = footprint::idle(self, &platform).await;
            self.note("footprint", done);
        }
        say(format!("registering {PEOPLE} people"));
        let mut people = self.people(&platform).await?;
        let mut most = None;
        if self.wants("throughput") {
            let done = throughput::measure(self, &platform, &mut people).await;
            most = self.note("throughput", done);
        }
        if self.wants("latency") {
            let done = latency::measure(self, &platform, &mut people, most).await;
            self.note("latency", done);
        }
        if whole && self.wants("registration") {
            let done = registration::measure(self, &platform).await;
            self.note("registration", done);
        }
        // before the sockets: ten thousand of them are no commands
        if whole && self.wants("footprint") {
            let done = footprint::used(self, &mut platform, &mut people).await;
            self.note("footprint", done);
        }
        if whole && self.wants("sockets") {
            let done = sockets::measure(self, &platform, &mut people).await;
            self.note("sockets", done);
        }
        Ok(())
    }

    /// The figures that are about a long log.
    async fn with_log(&mut self) -> Result<()> {
        let mut platform = self.platform("long", Sync::Interval).await?;
        let mut people = self.people(&platform).await?;
        let filled = rebuild::fill(self, &platform).await;
        if self.note("filling the log", filled).is_none() {
            return Ok(());
        }
        if self.wants("rebuild") {
            let done = rebuild::measure(self, &platform).await;
            self.note("rebuild", done);
        }
        if self.wants("growth") {
            let done = growth::measure(self, &mut platform, &mut people).await;
            self.note("growth", done);
        }
        Ok(())
    }

    /// The figure that is about mails, on a platform that sends them.
    async fn with_mails(&mut self) -> Result<()> {
        let mut mailbox = Mailbox::open().await?;
        let folder = self.scratch.0.join("mails");
        let platform = Platform::start(&self.reprise, folder, Sync::Interval, Some(mailbox.address)).await?;
        let done = mails::measure(self, &platform, &mut mailbox).await;
        self.note("mails", done);
        Ok(())
    }

    /// The figures that are about files and films.
    async fn with_media(&mut self) -> Result<()> {
        let platform = self.platform("media", Sync::Interval).await?;
        let mut person = people::register(platform.address, 0, 1, 1).await?;
        people::settled(platform.address, &person).await?;
        if self.wants("uploads") {
            let done = uploads::measure(self, &platform, &mut person).await;
            self.note("uploads", done);
        }
        if self.wants("segments") {
            let done = segments::measure(self, &platform, &mut person).await;
            self.note("segments", done);
        }
        if self.wants("films") {
            let done = films::measure(self, &platform, &mut person).await;
            self.note("films", done);
        }
        Ok(())
    }

    /// An empty folder, gone when it is dropped.
    pub fn folder(&self, name: &str) -> Result<Scratch> {
        Scratch::new(self.scratch.0.join(name))
    }

    /// Starts a platform on an empty folder.
    pub async fn platform(&self, name: &str, sync: Sync) -> Result<Platform> {
        say(format!("starting a platform, sync {}", sync.word()));
        Platform::start(&self.reprise, self.scratch.0.join(name), sync, None).await
    }

    /// Registers those who send the load.
    pub async fn people(&self, platform: &Platform) -> Result<Vec<Person>> {
        let people = people::register(platform.address, 0, PEOPLE, 4).await?;
        people::settled(platform.address, &people).await?;
        Ok(people)
    }

    /// Adds a row and shows it at once, with what the host of a virtual machine took away while it was measured.
    pub fn report(&mut self, mut row: Row) {
        let now = Ticks::now();
        let stolen = now.stolen_since(std::mem::replace(&mut self.since, now));
        if stolen >= 1.0 {
            row.conditions += &format!("; {} % of the processors' time was stolen by the host", short(stolen));
        }
        say(results::table(std::slice::from_ref(&row)).lines().last().unwrap_or_default());
        self.rows.push(row);
    }

    fn wants(&self, figure: &str) -> bool {
        self.options.only.is_empty() || self.options.only.iter().any(|name| name == figure)
    }

    fn note<T>(&mut self, figure: &str, done: Result<T>) -> Option<T> {
        done.inspect_err(|error| {
            say(format!("{figure} failed: {error:#}"));
            self.failures.push(format!("{figure}: {error:#}"));
        })
        .ok()
    }

    fn finish(self, results: &Path) -> Result<()> {
        results::write(&self.rows, results)?;
        println!("\n{}\n\nwritten to {}", results::table(&self.rows), results.display());
        ensure!(self.failures.is_empty(), "could not be measured:\n{}", self.failures.join("\n"));
        Ok(())
    }
}

/// Says how far it is, apart from the table.
pub fn say(what: impl AsRef<str>) {
    eprintln!("bench: {}", what.as_ref());
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).expect("a handler for SIGTERM");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}
