//! The reading side: a read-only pool, and waiting until a projection has seen a position of the log.
//! Announcements only wake the waiting; the checkpoint in Postgres alone says what has been seen.

use sqlx::PgPool;
use std::time::Duration;

use crate::pool::{GATEWAY, pool};

/// How often waiting readers look for themselves: announcements may be lost.
const POLL: Duration = Duration::from_millis(250);

/// Read-only access to every page. Cheap to clone.
#[derive(Clone)]
pub struct Reads {
    pub(crate) pool: PgPool,
}

impl Reads {
    /// Reads from the database at `url` as the gateway's role; connects when first asked.
    ///
    /// # Errors
    /// The address is none.
    pub async fn connect(url: &str) -> anyhow::Result<Reads> {
        Ok(Reads { pool: pool(url, Some(GATEWAY), 16).await? })
    }

    /// The stream sequence up to which the live generation of `projection` has seen everything; 0 when there is none.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn position(&self, projection: &str) -> sqlx::Result<u64> {
        let sql = "select position from read.position where projection = $1";
        let position: Option<i64> = sqlx::query_scalar(sql).bind(projection).fetch_optional(&self.pool).await?;
        Ok(position.unwrap_or(0) as u64)
    }

    /// Waits until all of `projections` over `EVENTS` have seen `position`, at most `deadline` long; false when the
    /// time is over. A projection over another stream has nothing to wait for.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn wait_for(&self, projections: &[&str], position: u64, deadline: Duration) -> sqlx::Result<bool> {
        let end = tokio::time::Instant::now() + deadline;
        loop {
            let mut behind = false;
            for projection in projections {
                behind |= self.position(projection).await? < position;
            }
            if !behind {
                return Ok(true);
            }
            let Some(rest) = end.checked_duration_since(tokio::time::Instant::now()) else { return Ok(false) };
            tokio::time::sleep(rest.min(POLL)).await;
        }
    }
}
