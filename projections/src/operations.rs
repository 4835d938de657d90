//! What became of a command that was answered with 202: pending, then accepted or rejected, and that for ever.
//! Made from `OUTCOMES`, which forgets after minutes; this page remembers for 30 days.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use crate::Reads;

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

/// What became of a command.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn get(reads: &Reads, id: Uuid) -> sqlx::Result<Option<Row>> {
    let sql = "select id, status, kind, subject, version, position, refusal, authid, asked_at, decided_at
               from read.operations where id = $1";
    sqlx::query_as(sql).bind(id).fetch_optional(&reads.pool).await
}
