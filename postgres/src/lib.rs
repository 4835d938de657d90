//! Single statements in one round trip each.

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection, Either, Execute, Executor, Postgres, SqlStr};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// A connection that did nothing for so long is asked whether it is still there.
pub const RESTED: Duration = Duration::from_secs(1);

/// Runs statements that are each a transaction of their own. Cheap to clone.
///
/// A pool asks every connection that comes back whether it is still good, which is a round trip more for each statement.
/// Here a connection that has answered is kept, and whoever comes next takes the one that was used last; one whose
/// statement failed, or was given up in the middle, goes back to the pool and is looked after there. What takes several
/// statements is done in a transaction of the pool itself.
#[derive(Clone)]
pub struct Statements(Arc<Kept>);

struct Kept {
    pool: PgPool,
    /// As many statements as there may be at once; who comes first is served first.
    places: Semaphore,
    /// Not all that the pool has: whoever needs one for a transaction would wait for ever.
    kept: usize,
    idle: Mutex<Vec<(PoolConnection<Postgres>, Instant)>>,
}

impl fmt::Debug for Statements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Statements(..)")
    }
}

impl Statements {
    /// Uses at most `most` connections of the pool and keeps them, all but the pool's last.
    pub fn over(pool: PgPool, most: u32) -> Self {
        let kept = most.min(pool.options().get_max_connections().saturating_sub(1)) as usize;
        Statements(Arc::new(Kept { pool, places: Semaphore::new(most.max(1) as usize), kept, idle: Mutex::default() }))
    }

    async fn place(&self) -> sqlx::Result<SemaphorePermit<'_>> {
        let patience = self.0.pool.options().get_acquire_timeout();
        match timeout(patience, self.0.places.acquire()).await {
            Ok(place) => place.map_err(|_| sqlx::Error::PoolClosed),
            Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    async fn take(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        let kept = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some((mut connection, since)) = kept
            && (since.elapsed() < RESTED || connection.ping().await.is_ok())
        {
            return Ok(connection);
        }
        self.0.pool.acquire().await
    }

    fn keep(&self, connection: PoolConnection<Postgres>) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.0.kept {
            idle.push((connection, Instant::now()));
        }
    }

    async fn run<T>(self, work: impl AsyncFnOnce(&mut PoolConnection<Postgres>) -> sqlx::Result<T>) -> sqlx::Result<T> {
        let _place = self.place().await?;
        let mut connection = self.take().await?;
        let done = work(&mut connection).await?;
        self.keep(connection);
        Ok(done)
    }
}

impl<'c> Executor<'c> for &Statements {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let db = self.clone();
        let rows =
            async move { db.run(async |connection| connection.fetch_many(query).try_collect::<Vec<_>>().await).await };
        stream::once(rows).map_ok(|rows| stream::iter(rows.into_iter().map(Ok))).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let db = self.clone();
        Box::pin(async move { db.run(async |connection| connection.fetch_optional(query).await).await })
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        let db = self.clone();
        Box::pin(async move { db.run(async |connection| connection.prepare_with(sql, parameters).await).await })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<sqlx::Describe<Postgres>>>
    where
        'c: 'e,
    {
        let db = self.clone();
        Box::pin(async move { db.run(async |connection| connection.describe(sql).await).await })
    }
}

#[cfg(test)]
mod tests;
