//! One generation of one projection while it is written: what is in memory, how far it has seen, which keys stand still.

use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::generation::{drop_kept, schema};
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::writer::Trouble;

/// One generation of one projection.
pub(crate) struct Member {
    pub(crate) projection: Box<dyn Projection>,
    pub(crate) generation: i32,
    pub(crate) schema: String,
    pub(crate) epoch: i64,
    /// What Postgres has seen.
    pub(crate) position: u64,
    /// What memory has seen.
    pub(crate) seen: u64,
    /// When the last message that was seen was stored.
    pub(crate) recorded_at: Option<chrono::DateTime<chrono::Utc>>,
    pub(crate) stopped: HashMap<String, Stop>,
    pub(crate) scrub: Vec<String>,
}

/// A key that stands still.
pub(crate) struct Stop {
    sequence: u64,
    reason: String,
    skipped: i64,
    new: bool,
}

impl Member {
    /// Takes the generation over: whoever wrote it before writes nothing any more.
    pub(crate) async fn open(
        pool: &PgPool,
        mut projection: Box<dyn Projection>,
        generation: i32,
    ) -> sqlx::Result<Member> {
        let sql = "update projection.checkpoint set epoch = epoch + 1 where projection = $1 and generation = $2
                   returning epoch, position, recorded_at, scrub";
        let (epoch, position, recorded_at, scrub): (i64, i64, _, bool) =
            sqlx::query_as(sql).bind(projection.name()).bind(generation).fetch_one(pool).await?;
        let sql = "select key, sequence, reason from projection.quarantine where projection = $1 and generation = $2";
        let stopped: Vec<(String, i64, String)> =
            sqlx::query_as(sql).bind(projection.name()).bind(generation).fetch_all(pool).await?;
        let stop = |(key, sequence, reason): (String, i64, String)| {
            (key, Stop { sequence: sequence as u64, reason, skipped: 0, new: false })
        };
        let schema = schema(projection.name(), generation);
        let tables = projection.tables().iter().map(|table| format!("{schema}.{}", table.name())).collect();
        Ok(Member {
            schema,
            projection,
            generation,
            epoch,
            position: position as u64,
            seen: position as u64,
            recorded_at,
            stopped: stopped.into_iter().map(stop).collect(),
            // a predecessor did not come to it
            scrub: if scrub { tables } else { vec![] },
        })
    }

    /// Whether the message changes its rows.
    pub(crate) fn wants(&self, one: &Recorded) -> bool {
        self.projection.listens().iter().any(|start| one.subject.starts_with(start))
    }

    /// Names the rows that the batch needs; says whether some are not in memory yet.
    pub(crate) fn lacks(&mut self, batch: &[Recorded]) -> bool {
        for one in batch {
            if one.sequence > self.seen && self.wants(one) && !self.stopped.contains_key(one.key()) {
                self.projection.needs(one);
            }
        }
        self.projection.tables().iter().any(|table| table.lacks())
    }

    /// Applies what is new to it, in order.
    pub(crate) fn apply(&mut self, batch: &[Recorded]) -> Result<(), Trouble> {
        for one in batch {
            if one.sequence <= self.seen {
                continue;
            }
            if self.wants(one) {
                match self.stopped.get_mut(one.key()) {
                    Some(stop) => stop.skipped += i64::from(one.sequence > stop.sequence),
                    None => self.apply_one(one)?,
                }
            }
            self.seen = one.sequence;
            self.recorded_at = Some(one.time);
        }
        Ok(())
    }

    fn apply_one(&mut self, one: &Recorded) -> Result<(), Trouble> {
        // whatever a panic leaves in memory is thrown away with the batch
        let applied = catch_unwind(AssertUnwindSafe(|| self.projection.apply(one)));
        let reason = match applied {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "a defect of the projection: it panicked".to_owned(),
        };
        let (projection, sequence, key) = (self.projection.name(), one.sequence, one.key().to_owned());
        Err(Trouble::Poison { projection, sequence, key, reason })
    }

    /// From this message on its key stands still.
    pub(crate) fn stop(&mut self, one: &Recorded, reason: String) {
        tracing::error!(
            projection = self.projection.name(),
            event.sequence = one.sequence,
            key = one.key(),
            "a message cannot be applied, its key stands still until a rebuild: {reason}"
        );
        let stop = Stop { sequence: one.sequence, reason, skipped: 0, new: true };
        self.stopped.insert(one.key().to_owned(), stop);
    }

    /// Writes which keys stand still, and how much they missed.
    pub(crate) async fn note_stops(&mut self, tx: &mut PgConnection) -> sqlx::Result<()> {
        let sql = "insert into projection.quarantine (projection, generation, key, sequence, reason, skipped)
                   values ($1, $2, $3, $4, $5, $6)
                   on conflict (projection, generation, key) do update set skipped = quarantine.skipped + excluded.skipped";
        for (key, stop) in self.stopped.iter().filter(|(_, stop)| stop.new || stop.skipped > 0) {
            sqlx::query(sql)
                .bind(self.projection.name())
                .bind(self.generation)
                .bind(key)
                .bind(stop.sequence as i64)
                .bind(&stop.reason)
                .bind(stop.skipped)
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }

    /// Notes that something has to be cleared away, in case this process does not come to it.
    pub(crate) async fn note_scrub(&mut self, tx: &mut PgConnection) -> sqlx::Result<()> {
        if self.projection.tables().iter().any(|table| table.forgets()) {
            let sql = "update projection.checkpoint set scrub = true where projection = $1 and generation = $2";
            sqlx::query(sql).bind(self.projection.name()).bind(self.generation).execute(tx).await?;
        }
        Ok(())
    }

    /// Gives the space of forgotten rows back; readers of a live generation have none before it to go back to then.
    pub(crate) async fn clear_away(&mut self, pool: &PgPool, live: bool) -> sqlx::Result<()> {
        if live {
            drop_kept(pool, self.projection.name()).await?;
        }
        for table in &self.scrub {
            // the name is made of constants and a number
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("vacuum {table}"))).execute(pool).await?;
        }
        let sql = "update projection.checkpoint set scrub = false where projection = $1 and generation = $2";
        sqlx::query(sql).bind(self.projection.name()).bind(self.generation).execute(pool).await?;
        self.scrub.clear();
        Ok(())
    }

    /// Memory and Postgres are equal.
    pub(crate) fn committed(&mut self) {
        self.position = self.seen;
        for table in self.projection.tables() {
            let name = format!("{}.{}", self.schema, table.name());
            if table.forgets() && !self.scrub.contains(&name) {
                self.scrub.push(name);
            }
            table.committed();
        }
        for stop in self.stopped.values_mut() {
            (stop.new, stop.skipped) = (false, 0);
        }
    }

    /// Forgets what is not in Postgres.
    pub(crate) fn forget(&mut self) {
        self.seen = self.position;
        self.projection.tables().into_iter().for_each(|table| table.clear());
        self.stopped.values_mut().for_each(|stop| stop.skipped = 0);
    }
}
