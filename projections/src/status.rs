//! How the projections are, for operators.

use serde::Serialize;
use sqlx::{FromRow, PgPool};

use crate::log::Log;
use crate::projection::{Stream, all};

/// One generation of one projection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The projection.
    pub name: String,
    /// Its stream.
    pub stream: &'static str,
    /// The generation.
    pub generation: i32,
    /// `live`: readers see it. `kept`: they saw it before. `building`: they will.
    pub state: String,
    /// Everything up to this sequence was seen.
    pub position: u64,
    /// Messages not seen yet.
    pub lag_events: u64,
    /// How long ago the last message that was seen was stored; 0 when there is no other.
    pub lag_seconds: f64,
    /// Keys that stand still because a message could not be applied.
    pub quarantined: u64,
}

#[derive(FromRow)]
struct Found {
    projection: String,
    generation: i32,
    state: String,
    position: i64,
    age: f64,
    quarantined: i64,
}

/// Every generation of every projection, the newest first in each.
///
/// # Errors
/// Postgres or the log do not answer, or nothing was ever built.
pub async fn ls(pool: &PgPool, log: impl Into<Log>) -> anyhow::Result<Vec<Status>> {
    let log = log.into();
    let sql = "select projection, generation, state, position,
                      coalesce(extract(epoch from clock_timestamp() - recorded_at), 0)::float8 as age,
                      (select count(*) from projection.quarantine stopped
                       where stopped.projection = generation.projection
                         and stopped.generation = generation.generation) as quarantined
               from projection.generation join projection.checkpoint using (projection, generation)
               order by projection, generation desc";
    let found: Vec<Found> = sqlx::query_as(sql).fetch_all(pool).await?;
    let mut list = vec![];
    for projection in all() {
        let last = log.last(projection.stream()).await?;
        for row in found.iter().filter(|row| row.projection == projection.name()) {
            list.push(status(row, projection.stream(), last));
        }
    }
    Ok(list)
}

fn status(row: &Found, stream: Stream, last: u64) -> Status {
    let position = row.position as u64;
    let lag_events = last.saturating_sub(position);
    Status {
        name: row.projection.clone(),
        stream: stream.name(),
        generation: row.generation,
        state: row.state.clone(),
        position,
        lag_events,
        lag_seconds: if lag_events == 0 { 0.0 } else { row.age },
        quarantined: row.quarantined as u64,
    }
}
