//! Rebuilding: the next generation is filled beside the live one from the beginning of the log, and readers go over to
//! it in one transaction once it has seen what they have seen. The same code as always applies the messages.

use anyhow::{Context, bail, ensure};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor, PgPool};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::generation::{self, schema};
use crate::log::{Follow, Log};
use crate::migrate::heal;
use crate::projection::{Projection, Stream, named};
use crate::writer::Writer;

/// Messages that are applied together.
const BATCH: usize = 20_000;
/// How often a rebuild tells how far it is.
const TELL: Duration = Duration::from_secs(2);

/// What a rebuild did.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebuilt {
    /// The projection.
    pub name: &'static str,
    /// The generation that readers see now.
    pub generation: i32,
    /// What that generation has seen.
    pub position: u64,
    /// Messages that were applied, those of projections rebuilt together counted together.
    pub messages: u64,
    /// How long it took, from the first message until readers saw the result.
    pub took: Duration,
}

/// Builds projections anew from the log, together if they are over one stream, and lets readers see the result. The
/// generation before is kept, the one before that is dropped.
///
/// # Errors
/// A message cannot be applied (its place is named, and nothing changes for readers), a rebuild of the same projection
/// is under way, or Postgres or the log do not answer.
pub async fn rebuild(pool: &PgPool, log: impl Into<Log>, names: &[&str]) -> anyhow::Result<Vec<Rebuilt>> {
    let log = log.into();
    heal(pool).await?;
    let mut done = vec![];
    for stream in Stream::ALL {
        // each once, however often it was named
        let projections = BTreeSet::from_iter(names).into_iter().map(|name| named(name));
        let mut projections = projections.collect::<anyhow::Result<Vec<_>>>()?;
        projections.retain(|one| one.stream() == stream);
        if !projections.is_empty() {
            done.extend(Build::begin(pool, &log, stream, projections).await?.run().await?);
        }
    }
    Ok(done)
}

/// A rebuild in progress.
struct Build<'a> {
    pool: &'a PgPool,
    log: &'a Log,
    stream: Stream,
    names: Vec<(&'static str, i32)>,
    writer: Writer,
    follow: Follow,
    began: Instant,
    messages: u64,
    told: Instant,
    /// Holds the locks that keep a second rebuild away; they end with the connection, whatever happens.
    locks: PgConnection,
}

impl<'a> Build<'a> {
    async fn begin(
        pool: &'a PgPool,
        log: &'a Log,
        stream: Stream,
        projections: Vec<Box<dyn Projection>>,
    ) -> anyhow::Result<Build<'a>> {
        let mut locks = pool.acquire().await?.detach();
        let (mut generations, mut names, mut subjects) = (vec![], vec![], vec![]);
        for mut projection in projections {
            let sql = "select pg_try_advisory_lock(hashtextextended('reprise.rebuild.' || $1, 0))";
            let free: bool = sqlx::query_scalar(sql).bind(projection.name()).fetch_one(&mut locks).await?;
            ensure!(free, "{} is being rebuilt already", projection.name());
            let generation = generation::begin(pool, &mut *projection).await?;
            names.push((projection.name(), generation));
            subjects.extend(projection.listens());
            generations.push((projection, generation));
        }
        let writer = Writer::open(pool, generations, true).await?;
        let follow = log.follow(stream, 0, &subjects);
        let (began, told) = (Instant::now(), Instant::now());
        Ok(Build { pool, log, stream, names, writer, follow, began, messages: 0, told, locks })
    }

    async fn run(mut self) -> anyhow::Result<Vec<Rebuilt>> {
        self.catch_up(self.log.last(self.stream).await?).await?;
        for (mut projection, generation) in self.projections()? {
            generation::finish(self.pool, &mut *projection, generation).await?;
        }
        // making indexes takes a while too: most of what came meanwhile is read before readers have to wait
        self.catch_up(self.log.last(self.stream).await?).await?;
        let mut done = vec![];
        for (mut projection, generation) in self.projections()? {
            self.show(&mut *projection, generation).await?;
            self.writer.scrub().await;
            let position = self.writer.release(projection.name());
            let (name, messages, took) = (projection.name(), self.messages, self.began.elapsed());
            tracing::info!(projection = name, generation, position, messages, seconds = took.as_secs_f64(), "rebuilt");
            done.push(Rebuilt { name, generation, position, messages, took });
        }
        // Postgres notices a closed connection a moment later: whoever rebuilds again at once would be turned away
        sqlx::query("select pg_advisory_unlock_all()").execute(&mut self.locks).await?;
        Ok(done)
    }

    fn projections(&self) -> anyhow::Result<Vec<(Box<dyn Projection>, i32)>> {
        self.names.iter().map(|(name, generation)| Ok((named(name)?, *generation))).collect()
    }

    /// Applies and writes everything up to `target`.
    async fn catch_up(&mut self, target: u64) -> anyhow::Result<()> {
        let mut seen = self.writer.position();
        while seen < target {
            let batch = self.follow.next(BATCH).await?;
            self.messages += batch.messages.len() as u64;
            // the messages of a stream that forgets may be gone, its last sequence never is
            let ended = !self.stream.remembers() && batch.messages.is_empty();
            seen = seen.max(batch.upto).max(if ended { target } else { 0 });
            self.writer.fold(&batch).await?;
            if self.writer.is_full() {
                self.writer.flush().await?;
            }
            self.tell(seen, target);
        }
        self.writer.see(seen);
        Ok(self.writer.flush().await?)
    }

    fn tell(&mut self, seen: u64, target: u64) {
        if self.told.elapsed() < TELL {
            return;
        }
        self.told = Instant::now();
        let rate = seen as f64 / self.began.elapsed().as_secs_f64();
        let names: Vec<_> = self.names.iter().map(|(name, _)| *name).collect();
        tracing::info!(
            projection = names.join(" "),
            done = seen,
            target,
            percent = seen * 100 / target.max(1),
            per_second = rate as u64,
            seconds_left = (target.saturating_sub(seen) as f64 / rate.max(1.0)) as u64,
            "rebuilding"
        );
    }

    /// Lets readers see the new generation. While the live checkpoint is locked nobody can promise a position that the
    /// new generation has not seen.
    async fn show(&mut self, projection: &mut dyn Projection, generation: i32) -> anyhow::Result<()> {
        for _ in 0..100 {
            match self.try_show(projection, generation).await {
                // 55P03: readers or the live writer were in the way for too long
                Err(error) if code(&error).as_deref() == Some("55P03") => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                other => return other,
            }
        }
        bail!("readers of {} did not let go", projection.name())
    }

    async fn try_show(&mut self, projection: &mut dyn Projection, generation: i32) -> anyhow::Result<()> {
        let mut tx = self.pool.begin().await?;
        tx.execute("set local lock_timeout = '500ms'").await?;
        // the epoch counts up, so that the writer of the old generation notices that it is overtaken
        let sql = "update projection.checkpoint set epoch = epoch + 1
                   where projection = $1 and generation =
                       (select generation from projection.generation where projection = $1 and state = 'live')
                   returning position, generation";
        let old: Option<(i64, i32)> = sqlx::query_as(sql).bind(projection.name()).fetch_optional(&mut *tx).await?;
        let promised = old.map_or(0, |(position, _)| position as u64);
        // a log that was replaced by a shorter one cannot be waited for
        self.catch_up(promised.min(self.log.last(self.stream).await?))
            .await
            .context("catching up with the live rows")?;
        if let (Some((_, old)), false) = (old, self.stream.remembers()) {
            carry_over(&mut tx, projection, old, generation).await?;
        }
        generation::swap(&mut tx, projection, generation).await?;
        Ok(tx.commit().await?)
    }
}

/// Takes rows over whose messages the stream has forgotten, as far as the old tables are there and have these columns.
async fn carry_over(tx: &mut PgConnection, projection: &mut dyn Projection, old: i32, new: i32) -> anyhow::Result<()> {
    let (from, to) = (schema(projection.name(), old), schema(projection.name(), new));
    for table in projection.tables() {
        let table = table.name();
        let sql = "select string_agg(quote_ident(new.column_name), ', ') from information_schema.columns new
                   join information_schema.columns old using (table_name, column_name, data_type)
                   where old.table_schema = $1 and new.table_schema = $2 and table_name = $3";
        let columns: Option<String> =
            sqlx::query_scalar(sql).bind(&from).bind(&to).bind(table).fetch_one(&mut *tx).await?;
        if let Some(columns) = columns {
            let copy = format!(
                "insert into {to}.{table} ({columns}) select {columns} from {from}.{table} on conflict do nothing"
            );
            // names of our own tables, quoted by Postgres
            tx.execute(AssertSqlSafe(copy)).await?;
        }
    }
    Ok(())
}

fn code(error: &anyhow::Error) -> Option<String> {
    let error = error.downcast_ref::<sqlx::Error>()?.as_database_error()?;
    Some(error.code()?.into_owned())
}
