//! What became of a command that was answered with 202: pending, then accepted or rejected, and that for ever.
//! Made from `OUTCOMES`, which forgets after minutes; this page remembers for 30 days.

use anyhow::ensure;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use crate::Reads;
use crate::projection::{Projection, Stream};
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, cell};

/// One command and what became of it.
#[derive(Clone, Debug, PartialEq, FromRow, Serialize)]
pub struct Row {
    /// The command.
    pub id: Uuid,
    /// `pending`, `accepted` or `rejected`.
    pub status: String,
    /// The command's type.
    pub kind: String,
    /// The aggregate it is for.
    pub subject: Uuid,
    /// The version of the aggregate afterwards; `None` while pending.
    pub version: Option<i64>,
    /// The position in `EVENTS` of the last event it led to; `None` while pending.
    pub position: Option<i64>,
    /// Why it was rejected: `{"code", "kind", "detail"}`.
    pub refusal: Option<Value>,
    /// Who asked.
    pub authid: Option<Uuid>,
    /// When it was asked, as far as that was recorded.
    pub asked_at: DateTime<Utc>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
}

impl Stored for Row {
    const TABLE: &'static str = "operations";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("id", "uuid"),
        ("status", "text not null"),
        ("kind", "text not null"),
        ("subject", "uuid not null"),
        ("version", "bigint"),
        ("position", "bigint"),
        ("refusal", "jsonb"),
        ("authid", "uuid"),
        ("asked_at", "timestamptz not null"),
        ("decided_at", "timestamptz"),
    ];
    const INDEXES: &'static [&'static str] = &["(asked_at)"];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.id
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            cell(self.id),
            Some((&self.status).into()),
            Some((&self.kind).into()),
            cell(self.subject),
            self.version.and_then(cell),
            self.position.and_then(cell),
            self.refusal.as_ref().and_then(cell),
            self.authid.and_then(cell),
            cell(self.asked_at.to_rfc3339()),
            self.decided_at.and_then(|at| cell(at.to_rfc3339())),
        ]
    }
}

/// The stored form of an outcome, and of the promise of one.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stated {
    id: Uuid,
    kind: String,
    subject: Uuid,
    #[serde(default)]
    status: String,
    #[serde(default)]
    version: i64,
    #[serde(default)]
    position: i64,
    #[serde(default)]
    refusal: Option<Value>,
    #[serde(default)]
    authid: Option<Uuid>,
    time: DateTime<Utc>,
}

/// What a message says: of one command, or of several whose outcomes were stored together.
pub(crate) fn stated(message: &[u8]) -> serde_json::Result<Vec<Stated>> {
    if message.starts_with(b"[") { serde_json::from_slice(message) } else { Ok(vec![serde_json::from_slice(message)?]) }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct Operations {
    commands: Table<Row>,
}

impl Projection for Operations {
    fn name(&self) -> &'static str {
        "operations"
    }

    fn stream(&self) -> Stream {
        Stream::Outcomes
    }

    fn listens(&self) -> &'static [&'static str] {
        &["out."]
    }

    fn expires(&self) -> Option<&'static str> {
        Some("asked_at < now() - interval '30 days'")
    }

    fn needs(&mut self, recorded: &Recorded) {
        for stated in recorded.stated().unwrap_or_default() {
            self.commands.need(&stated.id);
        }
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let promised = recorded.subject.ends_with(".pending");
        for stated in recorded.stated()? {
            let known = self.commands.get(&stated.id).cloned();
            let row = if promised {
                asked(stated, known)
            } else {
                ensure!(["accepted", "rejected"].contains(&&*stated.status), "an outcome is accepted or rejected");
                decided(stated, known)
            };
            self.commands.put(row);
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.commands]
    }
}

/// The promise of an outcome; it may come after the outcome.
fn asked(stated: &Stated, known: Option<Row>) -> Row {
    match known {
        Some(row) => Row { asked_at: row.asked_at.min(stated.time), ..row },
        None => Row {
            id: stated.id,
            status: "pending".to_owned(),
            kind: stated.kind.clone(),
            subject: stated.subject,
            version: None,
            position: None,
            refusal: None,
            authid: stated.authid,
            asked_at: stated.time,
            decided_at: None,
        },
    }
}

/// The outcome; the first one counts for ever.
fn decided(stated: &Stated, known: Option<Row>) -> Row {
    match known {
        Some(row) if row.status != "pending" => row,
        known => Row {
            id: stated.id,
            status: stated.status.clone(),
            kind: stated.kind.clone(),
            subject: stated.subject,
            version: Some(stated.version),
            position: Some(stated.position),
            refusal: stated.refusal.clone(),
            authid: stated.authid,
            asked_at: known.map_or(stated.time, |row| row.asked_at.min(stated.time)),
            decided_at: Some(stated.time),
        },
    }
}

/// What became of a command.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn get(reads: &Reads, id: Uuid) -> sqlx::Result<Option<Row>> {
    let sql = "select id, status, kind, subject, version, position, refusal, authid, asked_at, decided_at
               from read.operations where id = $1";
    sqlx::query_as(sql).bind(id).fetch_optional(&reads.db).await
}
