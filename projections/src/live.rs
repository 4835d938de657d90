//! Following the log. Of all processes that run this, one works on a stream at a time; the others stand by and take
//! over when it ends or stands still. What is missing, by birth or because someone dropped it, is built beside.

use anyhow::Context;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, PgPool};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::generation;
use crate::log::{Follow, Log};
use crate::migrate::heal;
use crate::projection::{Projection, Stream, all};
use crate::rebuild::rebuild;
use crate::writer::{Trouble, Writer};

/// Messages in one transaction.
const BATCH: usize = 2000;
/// How often we look after ourselves: lag, dropped schemas, forgotten rows.
const LOOK: Duration = Duration::from_secs(1);
/// How often a process that stands by tries to take over.
const STANDBY: Duration = Duration::from_millis(500);
/// How often rows whose time is over are removed.
const EXPIRE: Duration = Duration::from_secs(600);

/// Keeps every projection up to date until stopped. Faults of Postgres and of the log are waited out.
///
/// # Errors
/// None that would not go away; the result is for the caller's comfort.
pub async fn run(pool: PgPool, log: impl Into<Log>, stop: CancellationToken) -> anyhow::Result<()> {
    let log = log.into();
    let streams = Stream::ALL.map(|stream| serve(pool.clone(), log.clone(), stream, stop.clone()));
    futures::future::join_all(streams).await;
    Ok(())
}

/// Stands by, leads, and begins again after every fault.
async fn serve(pool: PgPool, log: Log, stream: Stream, stop: CancellationToken) {
    let mut pause = STANDBY;
    while !stop.is_cancelled() {
        let began = Instant::now();
        let result = match Lease::take(&pool, stream).await {
            Ok(Some(lease)) => lead(&pool, &log, stream, &lease, &stop).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::warn!(stream = stream.name(), "projections stand still, trying again: {error:#}");
        }
        // what worked for a while and then failed begins again at once
        pause = if began.elapsed() > pause { STANDBY } else { (pause * 2).min(Duration::from_secs(5)) };
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(pause) => {}
        }
    }
}

/// The right to work on a stream: a lock that ends with its connection. The server closes a connection that is silent,
/// so a process that stands still loses it; whatever it writes later is refused, for its successor counted the epoch up.
struct Lease {
    lost: CancellationToken,
    keeper: JoinHandle<()>,
}

impl Lease {
    async fn take(pool: &PgPool, stream: Stream) -> anyhow::Result<Option<Lease>> {
        let mut connection = pool.acquire().await.context("the database does not answer")?.detach();
        let sql = "select pg_try_advisory_lock(hashtextextended('reprise.projector.' || $1, 0))";
        if !sqlx::query_scalar::<_, bool>(sql).bind(stream.name()).fetch_one(&mut connection).await? {
            connection.close().await.ok();
            return Ok(None);
        }
        sqlx::query("set idle_session_timeout = '15s'").execute(&mut connection).await?;
        let lost = CancellationToken::new();
        let keeper = tokio::spawn(keep(connection, lost.clone()));
        Ok(Some(Lease { lost, keeper }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep(mut connection: PgConnection, lost: CancellationToken) {
    let mut beat = interval(Duration::from_secs(3));
    while tokio::time::timeout(Duration::from_secs(5), connection.ping()).await.is_ok_and(|pong| pong.is_ok()) {
        beat.tick().await;
    }
    lost.cancel();
}

/// Works on a stream until stopped, overtaken, or something fails.
async fn lead(pool: &PgPool, log: &Log, stream: Stream, lease: &Lease, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut builder = Builder(None);
    loop {
        heal(pool).await?;
        let (whole, missing) = sort_out(pool, log, stream).await?;
        builder.start(pool, log, missing).await;
        let writer = Writer::open(pool, whole, false).await?;
        let follow = log.follow(stream, writer.position(), &[]);
        let mut leader = Leader { pool, log, stream, writer, follow, expired: None };
        let go_on = tokio::select! {
            again = leader.work(&mut builder) => again?,
            () = stop.cancelled() => false,
            () = lease.lost.cancelled() => false,
        };
        if !go_on {
            return Ok(());
        }
    }
}

type Generations = Vec<(Box<dyn Projection>, i32)>;

/// What can be followed, and the names of what has to be built first.
async fn sort_out(pool: &PgPool, log: &Log, stream: Stream) -> anyhow::Result<(Generations, Vec<&'static str>)> {
    let (mut whole, mut missing) = (vec![], vec![]);
    let last = log.last(stream).await?;
    let positions: Vec<(String, i64)> =
        sqlx::query_as("select projection, position from read.position").fetch_all(pool).await?;
    let mut projections: Vec<_> = all().into_iter().filter(|projection| projection.stream() == stream).collect();
    let live = generation::live(pool, &mut projections).await?;
    for (projection, generation) in projections.into_iter().zip(live) {
        let name = projection.name();
        let position = positions.iter().find(|(known, _)| known == name).map(|(_, position)| *position);
        let ahead = position.is_some_and(|position| position as u64 > last);
        if ahead {
            tracing::warn!(
                projection = name,
                position,
                last,
                "rows are ahead of the log: it is not the one they were made from"
            );
        }
        match generation {
            Some(generation) if !ahead => whole.push((projection, generation)),
            _ => missing.push(name),
        }
    }
    Ok((whole, missing))
}

/// Builds what is missing while the rest goes on.
struct Builder(Option<JoinHandle<anyhow::Result<()>>>);

impl Builder {
    async fn start(&mut self, pool: &PgPool, log: &Log, missing: Vec<&'static str>) {
        if missing.is_empty() || self.0.is_some() {
            return;
        }
        tracing::info!(projections = missing.join(" "), "building what is missing");
        let (pool, log) = (pool.clone(), log.clone());
        self.0 = Some(tokio::spawn(async move { rebuild(&pool, log, &missing).await.map(drop) }));
    }

    /// Waits for the end of what is being built; for ever when nothing is.
    async fn end(&mut self) -> anyhow::Result<()> {
        match &mut self.0 {
            Some(task) => {
                let result = task.await;
                self.0 = None;
                result.context("building ended")?
            }
            None => std::future::pending().await,
        }
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

struct Leader<'a> {
    pool: &'a PgPool,
    log: &'a Log,
    stream: Stream,
    writer: Writer,
    follow: Follow,
    expired: Option<Instant>,
}

impl Leader<'_> {
    /// Follows the log. True: the set of generations changed, begin again with the new one; false: someone else leads.
    async fn work(&mut self, builder: &mut Builder) -> anyhow::Result<bool> {
        let mut look = interval(LOOK);
        let idle = self.writer.positions().next().is_none();
        loop {
            tokio::select! {
                biased;
                built = builder.end() => return built.map(|()| true),
                _ = look.tick() => {
                    if !self.look_after(builder).await? {
                        return Ok(true);
                    }
                }
                batch = self.follow.next(BATCH), if !idle => {
                    let batch = batch?;
                    if batch.upto <= self.writer.position() {
                        continue;
                    }
                    match self.writer.write(&batch).await {
                        Ok(()) => self.log.say(self.stream, self.writer.position()),
                        // a rebuild put another generation in place, or another process leads: find out which
                        Err(Trouble::Overtaken) => return Ok(false),
                        Err(trouble) => return Err(trouble.into()),
                    }
                }
            }
        }
    }

    /// False when something is missing that nobody builds.
    async fn look_after(&mut self, builder: &Builder) -> anyhow::Result<bool> {
        self.writer.scrub().await;
        if self.expired.is_none_or(|last| last.elapsed() > EXPIRE) {
            self.expired = Some(Instant::now());
            self.writer.expire().await?;
        }
        let last = self.log.last(self.stream).await?;
        for (name, position) in self.writer.positions() {
            let lag = last.saturating_sub(position);
            metrics::gauge!("reprise_projection_lag_events", "projection" => name).set(lag as f64);
            let seconds = if lag == 0 { 0.0 } else { self.writer.age(name) };
            metrics::gauge!("reprise_projection_lag_seconds", "projection" => name).set(seconds);
        }
        if builder.0.is_some() {
            return Ok(true);
        }
        heal(self.pool).await?;
        Ok(sort_out(self.pool, self.log, self.stream).await?.1.is_empty())
    }
}
