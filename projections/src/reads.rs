//! The reading side: a read-only pool, and waiting until a projection has seen a position of the log.
//! Announcements only wake the waiting; the checkpoint in Postgres alone says what has been seen.

use futures::StreamExt;
use nats::Bus;
use postgres::Statements;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::log::announced_on;
use crate::pool::{GATEWAY, pool};
use crate::projection::{Stream, all};

/// How often waiting readers look for themselves: announcements may be lost.
const POLL: Duration = Duration::from_millis(250);

/// Statements of one process at once.
const CONNECTIONS: u32 = 16;

/// Read-only access to every page. Cheap to clone.
#[derive(Clone)]
pub struct Reads {
    pub(crate) db: Statements,
    bus: Option<Bus>,
    /// The position in `EVENTS` up to which every page was written, as it was announced; 0 before the first time.
    heard: Arc<watch::Sender<u64>>,
}

impl Reads {
    /// Reads from the database at `url` as the gateway's role; connects when first asked.
    ///
    /// # Errors
    /// The address is none.
    pub async fn connect(url: &str) -> anyhow::Result<Reads> {
        let db = Statements::over(pool(url, Some(GATEWAY), CONNECTIONS).await?, CONNECTIONS);
        Ok(Reads { db, bus: None, heard: Arc::new(watch::Sender::new(0)) })
    }

    /// From now on projectors hear of it when somebody waits, and waiting is woken by what they announce, so that it ends at
    /// once and not at the next look.
    ///
    /// # Errors
    /// The bus does not take the subscription.
    pub async fn woken_by(self, bus: &Bus) -> anyhow::Result<Reads> {
        let mut announced = Box::pin(bus.listen(&announced_on(Stream::Events)).await?);
        let heard = Arc::downgrade(&self.heard);
        tokio::spawn(async move {
            while let Some((_, payload)) = announced.next().await {
                let Some(heard) = heard.upgrade() else { return };
                if let Ok(position) = (*payload).try_into() {
                    heard.send_replace(u64::from_be_bytes(position));
                }
            }
        });
        Ok(Reads { bus: Some(bus.clone()), ..self })
    }

    /// Tells projectors that somebody waits for what they gather.
    pub fn hurry(&self) {
        if let Some(bus) = &self.bus {
            bus.hurry();
        }
    }

    /// The stream sequence up to which the live generation of `projection` has seen everything; 0 when there is none.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn position(&self, projection: &str) -> sqlx::Result<u64> {
        let sql = "select position from read.position where projection = $1";
        let position: Option<i64> = sqlx::query_scalar(sql).bind(projection).fetch_optional(&self.db).await?;
        Ok(position.unwrap_or(0) as u64)
    }

    /// Whether all of `projections` can be read: each has a live generation.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn are_live(&self, projections: &[&str]) -> sqlx::Result<bool> {
        self.have_seen(projections, 0).await
    }

    /// Waits until all of `projections` over `EVENTS` have seen `position`, at most `deadline` long; false when the
    /// time is over. A projection over another stream has nothing to wait for.
    ///
    /// # Errors
    /// Postgres does not answer.
    pub async fn wait_for(&self, projections: &[&str], position: u64, deadline: Duration) -> sqlx::Result<bool> {
        let over_events = |name: &&str| all().iter().any(|one| one.name() == *name && one.stream() == Stream::Events);
        let names: Vec<&str> = projections.iter().copied().filter(over_events).collect();
        let end = Instant::now() + deadline;
        let mut heard = self.heard.subscribe();
        // before looking, so that what is announced meanwhile is not missed
        let announced = *heard.borrow_and_update();
        // whoever announced less will announce this too: nobody has to ask Postgres before
        let mut look = announced == 0 || announced >= position;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            if (look || rest.is_zero()) && self.have_seen(&names, position).await? {
                return Ok(true);
            }
            if rest.is_zero() {
                return Ok(false);
            }
            self.hurry();
            timeout(rest.min(POLL), async {
                while heard.changed().await.is_ok() && *heard.borrow_and_update() < position {
                    self.hurry();
                }
            })
            .await
            .ok();
            look = true;
        }
    }

    async fn have_seen(&self, names: &[&str], position: u64) -> sqlx::Result<bool> {
        let sql = "select count(*) from read.position where projection = any($1) and position >= $2";
        let seen: i64 = sqlx::query_scalar(sql).bind(names).bind(position as i64).fetch_one(&self.db).await?;
        Ok(seen == names.len() as i64)
    }
}
