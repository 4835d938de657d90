//! A running system from behind, however its processes are spread: its servers, and the keys of its roles.

use super::log::{Entry, read};
use super::stranger::Stranger;
use super::{eventually, patiently};
use nats::{Bus, Options, Start, Sync};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use std::path::PathBuf;
use std::time::Duration;

/// So many projections there are.
pub const PAGES: usize = 11;

/// Where the parts of a system are.
#[derive(Clone)]
pub struct System {
    /// The nats-server.
    pub nats: String,
    /// The folder with a seed for each role; none when the server lets everybody do everything.
    pub seeds: Option<PathBuf>,
    /// The database, for people who want to look.
    pub database: String,
}

/// What must stand still before anything is compared.
#[derive(Debug, PartialEq)]
struct Standing {
    drained: bool,
    events: u64,
    commands: u64,
    outcomes: u64,
    projections: Vec<(String, i64)>,
}

impl System {
    /// The seed of a role.
    pub fn seed(&self, role: &str) -> Option<String> {
        let file = self.seeds.as_ref()?.join(format!("{role}.seed"));
        let text = std::fs::read_to_string(&file);
        Some(text.unwrap_or_else(|error| panic!("{}: {error}", file.display())).trim().to_owned())
    }

    /// A raw connection with the rights of a role.
    pub fn stranger(&self, role: &str) -> Stranger {
        let connection = Stranger::connect(&self.nats, self.seed(role).as_deref(), &format!("_INBOX_{role}"));
        connection.unwrap_or_else(|error| panic!("{role} cannot connect: {error}"))
    }

    /// A connection as the program makes it.
    pub async fn bus(&self, role: &str) -> Bus {
        let options =
            Options { url: self.nats.clone(), role: role.to_owned(), seed: self.seed(role), sync: Sync::Interval };
        Bus::connect(&options).await.unwrap_or_else(|error| panic!("{role} cannot connect: {error:#}"))
    }

    /// A connection to the database.
    pub async fn rows(&self) -> PgPool {
        let pool = sqlx::postgres::PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
        pool.connect_lazy(&self.database).expect("an address")
    }

    /// All events, personal fields opened.
    pub async fn opened(&self) -> Vec<Entry> {
        let bus = self.bus("projector").await;
        let mut feed = bus.feed("EVENTS", vec![], Start::Sequence(0));
        let last = self.last("EVENTS").await;
        let mut log: Vec<Entry> = vec![];
        while log.last().map_or(0, |entry| entry.position) < last {
            let page = feed.next(500, Duration::from_secs(5)).await.expect("the log can be read");
            log.extend(page.into_iter().map(|one| Entry {
                position: one.sequence,
                subject: one.subject,
                headers: Default::default(),
                event: serde_json::from_slice(&one.opened).unwrap_or(Value::Null),
            }));
        }
        bus.flushed_close().await;
        log
    }

    /// Everything in a stream as it is stored.
    pub fn stored(&self, stream: &str) -> Vec<Entry> {
        read(&mut self.stranger("provisioner"), stream).unwrap_or_else(|error| panic!("{stream}: {error}"))
    }

    /// The position of the last message of a stream.
    pub async fn last(&self, stream: &str) -> u64 {
        eventually(&format!("{stream} answers"), async || {
            let connection = Stranger::connect(&self.nats, self.seed("operator").as_deref(), "_INBOX_operator");
            let info = connection.and_then(|mut one| one.ask(&format!("$JS.API.STREAM.INFO.{stream}"), &Value::Null));
            info.ok()??.json()["state"]["last_seq"].as_u64()
        })
        .await
    }

    /// Where every live projection is.
    pub async fn positions(&self) -> sqlx::Result<Vec<(String, i64)>> {
        let sql = "select projection, position from read.position order by projection";
        sqlx::query_as(sql).fetch_all(&self.rows().await).await
    }

    /// Every row of a page as JSON, by key.
    pub async fn page(&self, name: &str, key: &str) -> Vec<Value> {
        let sql = format!("select to_jsonb(page) from read.{name} page order by {key}");
        let rows: Result<Vec<(Value,)>, _> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&self.rows().await).await;
        rows.unwrap_or_else(|error| panic!("{name}: {error}")).into_iter().map(|(row,)| row).collect()
    }

    /// Waits until nothing is under way any more: every consumer is drained, every projection is at the end, and twice
    /// in a row nothing has moved.
    pub async fn settle(&self) {
        let bus = self.bus("operator").await;
        let mut before = None;
        patiently("nothing is under way any more", Duration::from_secs(90), async || {
            let now = self.standing(&bus).await?;
            let still = now.drained && now.behind().is_none() && before.as_ref() == Some(&now);
            before = Some(now);
            still.then_some(())
        })
        .await;
        bus.flushed_close().await;
    }

    async fn standing(&self, bus: &Bus) -> Option<Standing> {
        Some(Standing {
            drained: nats::drained(bus).await.ok()?,
            events: self.last("EVENTS").await,
            commands: self.last("COMMANDS").await + self.last("ASKED").await,
            outcomes: self.last("OUTCOMES").await,
            projections: self.positions().await.ok()?,
        })
    }
}

impl Standing {
    /// A projection that is not at the end of its stream.
    fn behind(&self) -> Option<&str> {
        let end = |name: &str| if name == "operations" { self.outcomes } else { self.events };
        if self.projections.len() < PAGES {
            return Some("not all are there");
        }
        let behind = self.projections.iter().find(|(name, position)| (*position as u64) < end(name));
        behind.map(|(name, _)| name.as_str())
    }
}
