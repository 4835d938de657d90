//! Messages become rows. The rows and the checkpoint of every generation that is written change in one transaction, and
//! only if nobody else moved the checkpoint meanwhile: a writer that was overtaken changes nothing.

use anyhow::Context;
use chrono::Utc;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgConnection;
use sqlx::{Connection, PgPool, Postgres};
use std::time::Instant;

use crate::generation::live;
use crate::log::Batch;
use crate::member::Member;
use crate::projection::{Projection, named};

/// A batch is written when so many rows changed.
const FULL: usize = 50_000;

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Someone else writes these generations, or readers see others by now. Nothing was written.
    #[error("overtaken by another writer")]
    Overtaken,
    /// A message cannot be applied. Nothing was written.
    #[error("{projection} cannot apply message {sequence} about {key}: {reason}")]
    Poison {
        /// The projection that cannot.
        projection: &'static str,
        /// The place of the message in the stream.
        sequence: u64,
        /// The aggregate it is about.
        key: String,
        /// Why, without anything personal.
        reason: String,
    },
    /// Postgres refused or did not answer. Nothing was written.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Writes one generation each of some projections over one stream.
pub struct Writer {
    pool: PgPool,
    /// The connection of the last batch: a pool would ask it each time whether it is still there.
    kept: Option<PoolConnection<Postgres>>,
    state: &'static str,
    members: Vec<Member>,
}

impl Writer {
    /// Takes generations over: from now on, whoever wrote them before writes nothing any more.
    ///
    /// `strict` is for rebuilding: a message that cannot be applied stops everything, not only its key.
    ///
    /// # Errors
    /// Postgres does not answer, or a generation is not there.
    pub(crate) async fn open(
        pool: &PgPool,
        generations: Vec<(Box<dyn Projection>, i32)>,
        strict: bool,
    ) -> sqlx::Result<Writer> {
        let mut members = vec![];
        for (projection, generation) in generations {
            members.push(Member::open(pool, projection, generation).await?);
        }
        let state = if strict { "building" } else { "live" };
        Ok(Writer { pool: pool.clone(), kept: None, state, members })
    }

    /// Takes over what readers see of these projections, to write to it batch by batch.
    ///
    /// # Errors
    /// A projection is unknown or was never built, or Postgres does not answer.
    pub async fn live(pool: &PgPool, names: &[&str]) -> anyhow::Result<Writer> {
        let mut projections = names.iter().map(|name| named(name)).collect::<anyhow::Result<Vec<_>>>()?;
        let live = live(pool, &mut projections).await?;
        let generations = projections.into_iter().zip(live).map(|(projection, generation)| {
            let generation = generation.with_context(|| format!("{} was never built", projection.name()))?;
            Ok((projection, generation))
        });
        Ok(Writer::open(pool, generations.collect::<anyhow::Result<_>>()?, false).await?)
    }

    /// The position from which messages are needed.
    pub fn position(&self) -> u64 {
        self.members.iter().map(|member| member.position).min().unwrap_or(0)
    }

    /// The names of the projections, and how far Postgres has seen for each.
    pub fn positions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.members.iter().map(|member| (member.projection.name(), member.position))
    }

    /// How long ago the last message that a projection's rows know was stored, seconds.
    pub(crate) fn age(&self, name: &str) -> f64 {
        let known = self.members.iter().find(|member| member.projection.name() == name);
        let stored = known.and_then(|member| member.recorded_at);
        stored.and_then(|at| (Utc::now() - at).to_std().ok()).map_or(0.0, |age| age.as_secs_f64())
    }

    /// How many keys stand still, by projection.
    pub fn stopped(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.members.iter().map(|member| (member.projection.name(), member.stopped.len()))
    }

    /// Leaves a projection to others; answers how far it has come.
    pub(crate) fn release(&mut self, name: &str) -> u64 {
        let position = self.positions().find(|(member, _)| *member == name).map_or(0, |(_, position)| position);
        self.members.retain(|member| member.projection.name() != name);
        position
    }

    /// Whether memory holds enough to write it.
    pub(crate) fn is_full(&mut self) -> bool {
        let changed =
            |member: &mut Member| member.projection.tables().iter().map(|table| table.changed()).sum::<usize>();
        self.members.iter_mut().map(changed).sum::<usize>() >= FULL
    }

    /// Applies messages in memory, in order; those that a member has seen are nothing to it.
    pub(crate) async fn fold(&mut self, batch: &Batch) -> Result<(), Trouble> {
        let mut connection = self.kept.take();
        for member in &mut self.members {
            while member.lacks(&batch.messages) {
                let connection = match &mut connection {
                    Some(kept) => kept,
                    none => none.insert(self.pool.acquire().await?),
                };
                for table in member.projection.tables() {
                    table.load(connection, &member.schema).await?;
                }
            }
            member.apply(&batch.messages)?;
            member.seen = member.seen.max(batch.upto);
        }
        self.kept = connection;
        Ok(())
    }

    /// Everything up to here was looked at.
    pub(crate) fn see(&mut self, position: u64) {
        for member in &mut self.members {
            member.seen = member.seen.max(position);
        }
    }

    /// Writes what changed in memory, and how far it has seen.
    pub(crate) async fn flush(&mut self) -> Result<(), Trouble> {
        let began = Instant::now();
        let mut connection = match self.kept.take() {
            Some(kept) => kept,
            None => self.pool.acquire().await?,
        };
        let mut tx = connection.begin().await?;
        self.fence(&mut tx).await?;
        for member in &mut self.members {
            for table in member.projection.tables().into_iter().filter(|table| table.changed() > 0) {
                table.flush(&mut tx, &member.schema).await?;
            }
            member.note_stops(&mut tx).await?;
            member.note_scrub(&mut tx).await?;
        }
        nats::crash::point("rows.written");
        tx.commit().await?;
        nats::crash::point("rows.committed");
        self.kept = Some(connection);
        for member in &mut self.members {
            member.committed();
            metrics::gauge!("reprise_projection_position", "projection" => member.projection.name())
                .set(member.position as f64);
            metrics::gauge!("reprise_projection_quarantined", "projection" => member.projection.name())
                .set(member.stopped.len() as f64);
        }
        metrics::histogram!("reprise_projection_write_seconds", "state" => self.state).record(began.elapsed());
        Ok(())
    }

    /// Moves the checkpoints, or finds that they are not ours any more.
    async fn fence(&self, tx: &mut PgConnection) -> Result<(), Trouble> {
        let sql = "update projection.checkpoint as mine set position = new.position, recorded_at = new.recorded_at
                   from unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[])
                            as new(projection, generation, epoch, before, position, recorded_at)
                        join projection.generation using (projection, generation)
                   where mine.projection = new.projection and mine.generation = new.generation
                     and mine.epoch = new.epoch and mine.position = new.before and generation.state = $7";
        let of = |value: fn(&Member) -> i64| self.members.iter().map(value).collect::<Vec<_>>();
        let moved = sqlx::query(sql)
            .bind(self.members.iter().map(|member| member.projection.name()).collect::<Vec<_>>())
            .bind(self.members.iter().map(|member| member.generation).collect::<Vec<_>>())
            .bind(of(|member| member.epoch))
            .bind(of(|member| member.position as i64))
            .bind(of(|member| member.seen as i64))
            .bind(self.members.iter().map(|member| member.recorded_at).collect::<Vec<_>>())
            .bind(self.state)
            .execute(tx)
            .await?;
        if moved.rows_affected() == self.members.len() as u64 { Ok(()) } else { Err(Trouble::Overtaken) }
    }

    /// Applies and writes a batch. A message that cannot be applied stops its key and nothing else.
    ///
    /// # Errors
    /// Overtaken, or Postgres does not answer; the batch is not written, and nothing of it is left in memory.
    pub async fn write(&mut self, batch: &Batch) -> Result<(), Trouble> {
        match self.write_all(batch).await {
            // a value that Postgres does not take: find out whose it is
            Err(Trouble::Database(error)) if is_about_data(&error) && batch.messages.len() > 1 => {
                for one in &batch.messages {
                    Box::pin(self.write(&vec![one.clone()].into())).await?;
                }
                Ok(())
            }
            Err(Trouble::Database(error)) if is_about_data(&error) => {
                let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
                for member in
                    self.members.iter_mut().filter(|member| batch.messages.iter().any(|one| member.wants(one)))
                {
                    member.stop(&batch.messages[0], format!("Postgres does not take it: {code}"));
                }
                self.write_all(batch).await
            }
            other => other,
        }
    }

    async fn write_all(&mut self, batch: &Batch) -> Result<(), Trouble> {
        loop {
            let written = match self.fold(batch).await {
                Ok(()) => self.flush().await,
                Err(trouble) => Err(trouble),
            };
            if written.is_err() {
                self.members.iter_mut().for_each(Member::forget);
            }
            let Err(Trouble::Poison { projection, sequence, reason, .. }) = &written else { return written };
            let poison = batch.messages.iter().find(|one| one.sequence == *sequence).expect("it came from this batch");
            for member in self.members.iter_mut().filter(|member| member.projection.name() == *projection) {
                member.stop(poison, reason.clone());
            }
        }
    }

    /// Gives back the space of rows that were forgotten for good, and drops generations that still know them. Best
    /// effort: Postgres overwrites the bytes when it uses the space again, which is why addresses are only kept sealed.
    pub async fn scrub(&mut self) {
        for member in self.members.iter_mut().filter(|member| !member.scrub.is_empty()) {
            if let Err(error) = member.clear_away(&self.pool, self.state == "live").await {
                tracing::warn!(projection = member.projection.name(), "forgotten rows may still be on disk: {error:#}");
            }
        }
    }

    /// Removes rows whose time is over.
    pub(crate) async fn expire(&mut self) -> sqlx::Result<()> {
        for member in &mut self.members {
            let Some(condition) = member.projection.expires() else { continue };
            for table in member.projection.tables() {
                let sql = format!("delete from {}.{} where {condition}", member.schema, table.name());
                // made of constants
                sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&self.pool).await?;
            }
        }
        Ok(())
    }
}

/// Whether Postgres refused because of a value, so that the same will always be refused.
fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}
