//! Watching one saga: its events as they are stored, each after the command that led to it, and the rows that come of it.

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use nats::{Bus, Feed, Start};
use serde_json::Value;
use sqlx::PgPool;
use std::time::{Duration, Instant};
use uuid::Uuid;

use super::PATIENCE;
use super::saga::{Fact, Saga};

/// The log, the rows, and when it began.
pub struct Watch {
    feed: Feed,
    rows: PgPool,
    began: DateTime<Utc>,
    saga: Saga,
    /// The command that all of it follows from.
    root: Uuid,
    /// When the client had its answer, and which; told in its place among the events.
    answer: Option<(i64, String)>,
}

/// A row that has to be there in the end: where, and the query that shows it as a text.
pub struct Row {
    /// The page.
    pub page: &'static str,
    /// With one parameter, the id of what it is about.
    pub sql: &'static str,
}

impl Watch {
    /// From now on.
    pub async fn begin(bus: &Bus, rows: PgPool) -> Result<Self> {
        let last = bus.last_sequence(nats::streams::EVENTS).await?;
        let feed = bus.feed(nats::streams::EVENTS, vec![], Start::Sequence(last));
        Ok(Watch { feed, rows, began: Utc::now(), saga: Saga::default(), root: Uuid::nil(), answer: None })
    }

    /// The client asks.
    pub fn ask(&self, what: &str, detail: &str) {
        line(Some(0), "http", what, detail);
    }

    /// The client was answered, and this is the command that the answer is about.
    pub fn answered(&mut self, root: Uuid, status: &str) {
        self.root = root;
        self.answer = Some(((Utc::now() - self.began).num_milliseconds(), status.to_owned()));
    }

    /// Who led to what.
    pub fn tree(&self) -> String {
        self.saga.tree(self.root)
    }

    /// Shows every event of the saga as it is stored, until all of these have happened; then the rows about `id`.
    ///
    /// # Errors
    /// Something of it does not come.
    pub async fn follow(&mut self, happened: &[&str], id: Uuid, rows: &[Row]) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut shown = vec![false; rows.len()];
        loop {
            let missing: Vec<&str> = happened.iter().copied().filter(|kind| !self.saga.has(kind)).collect();
            if missing.is_empty() && shown.iter().all(|shown| *shown) {
                self.tell_answer();
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "after {} s still missing: {missing:?}, rows: {shown:?}",
                PATIENCE.as_secs()
            );
            for delivered in self.feed.next(100, Duration::from_millis(50)).await? {
                let event: Value = serde_json::from_slice(&delivered.raw).context("an event that is not JSON")?;
                if let Some(fact) = Fact::of(&event, delivered.sequence, self.root)? {
                    self.tell(fact, delivered.time).await?;
                }
            }
            for (row, shown) in rows.iter().zip(&mut shown).filter(|(_, shown)| !**shown) {
                let text: Option<String> = sqlx::query_scalar(row.sql).bind(id).fetch_optional(&self.rows).await?;
                if let Some(text) = text {
                    self.tell_answer();
                    line(Some((Utc::now() - self.began).num_milliseconds()), "row", row.page, &text);
                    *shown = true;
                }
            }
        }
    }

    fn tell_answer(&mut self) {
        if let Some((when, status)) = self.answer.take() {
            line(Some(when), "http", "answered", &status);
        }
    }

    /// An event, and before it the command that led to it when that is new.
    async fn tell(&mut self, fact: Fact, time: DateTime<Utc>) -> Result<()> {
        let at = Some((time - self.began).num_milliseconds());
        if at > self.answer.as_ref().map(|(when, _)| *when) {
            self.tell_answer();
        }
        if !self.saga.knows(fact.command) {
            let kind = self.kind_of(fact.command).await?;
            if let Some((reaction, cause)) = self.saga.cause(fact.command) {
                line(None, "reaction", &reaction, &format!("to #{cause}"));
            }
            line(None, "command", &kind, &fact.command.to_string());
            self.saga.learn(fact.command, kind);
        }
        line(at, "event", &fact.kind, &format!("#{} {}", fact.position, fact.source));
        self.saga.add(fact);
        Ok(())
    }

    /// What a command asked: from the page of operations, which may need a moment.
    async fn kind_of(&self, command: Uuid) -> Result<String> {
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            let sql = "select kind from read.operations where id = $1";
            if let Some(kind) = sqlx::query_scalar(sql).bind(command).fetch_optional(&self.rows).await? {
                return Ok(kind);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("no outcome of the command {command}")
    }
}

fn line(at: Option<i64>, what: &str, name: &str, detail: &str) {
    let at = at.map_or(String::new(), |at| format!("+{at} ms"));
    println!("  {at:>9}  {what:<8}  {name:<48}  {detail}");
}
