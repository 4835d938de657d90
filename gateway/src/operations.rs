//! What became of a command: the page remembers for long, the stream of outcomes knows at once. Only who asked may
//! look, or an admin; what nobody signed in for is seen by whoever has its id.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::MaybeActor;
use crate::path::Id;
use crate::problem::{Page, Place, Problem};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use chrono::{DateTime, Utc};
use kernel::Refusal;
use nats::{Outcome, Pending, Status};
use projections::operations::{self, Row};
use serde::Serialize;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Between two looks of a client that waits.
const LOOK: Duration = Duration::from_millis(100);

/// What `GET /api/operations/{id}` says.
#[derive(Clone, Serialize)]
pub(crate) struct Operation {
    id: Uuid,
    status: &'static str,
    kind: String,
    subject: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<DateTime<Utc>>,
    #[serde(skip)]
    position: Option<u64>,
    #[serde(skip)]
    authid: Option<Uuid>,
    #[serde(skip)]
    refusal: Option<Refusal>,
}

/// The operation with its problem, when it was refused.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    operation: &'a Operation,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Page<'a>>,
}

/// `GET /api/operations/{id}`, with `Prefer: wait=N` after at most N seconds.
pub(crate) async fn get(
    State(app): State<App>,
    asked: Asked,
    MaybeActor(actor): MaybeActor,
    Id(id): Id,
) -> Result<Answer, Problem> {
    let missing = || Problem::missing("operation_missing", "there is no such operation, or it is not yours");
    let mut operation = look(&app, id).await?.ok_or_else(missing)?;
    let mine =
        operation.authid.is_none_or(|who| actor.as_ref().is_some_and(|actor| actor.id == who || actor.is_admin()));
    mine.then_some(()).ok_or_else(missing)?;
    let prefer = asked.prefer();
    if let Some(seconds) = prefer.wait {
        asked.note(|notes| notes.preference = prefer.applied());
        let end = Instant::now() + Duration::from_secs(seconds);
        while operation.status == "pending" && Instant::now() < end {
            tokio::time::sleep(LOOK).await;
            operation = look(&app, id).await?.unwrap_or(operation);
        }
    }
    asked.note(|notes| notes.position = operation.position);
    Ok(answer(&app, &operation))
}

fn answer(app: &App, operation: &Operation) -> Answer {
    let problem = operation.refusal.clone().map(Problem::refused);
    let base = &app.config().public_url;
    let told = Told { operation, problem: problem.as_ref().map(|problem| problem.page(base, Place::default())) };
    let answer = Answer::ok(&told);
    match operation.status {
        "pending" => answer.header(header::RETRY_AFTER, HeaderValue::from_static("1")),
        _ => answer,
    }
}

/// What is known now: the outcome itself when the page does not have it yet, and at least the promise of one.
async fn look(app: &App, id: Uuid) -> Result<Option<Operation>, Problem> {
    let row = operations::get(app.reads(), id).await?.as_ref().map(of_row);
    if let Some(row) = row.as_ref().filter(|row| row.status != "pending") {
        return Ok(Some(row.clone()));
    }
    if let Some(outcome) = app.bus().outcome(id).await? {
        let asked_at = row.and_then(|row| row.asked_at);
        return Ok(Some(of_outcome(outcome, asked_at)));
    }
    match row {
        Some(row) => Ok(Some(row)),
        None => Ok(app.bus().pending(id).await?.map(of_promise)),
    }
}

fn of_row(row: &Row) -> Operation {
    Operation {
        id: row.id,
        status: match row.status.as_str() {
            "accepted" => "accepted",
            "rejected" => "rejected",
            _ => "pending",
        },
        kind: row.kind.clone(),
        subject: row.subject,
        version: row.version.and_then(|version| u64::try_from(version).ok()),
        asked_at: Some(row.asked_at),
        decided_at: row.decided_at,
        position: row.position.and_then(|position| u64::try_from(position).ok()),
        authid: row.authid,
        refusal: row.refusal.clone().and_then(|refusal| serde_json::from_value(refusal).ok()),
    }
}

fn of_outcome(outcome: Outcome, asked_at: Option<DateTime<Utc>>) -> Operation {
    Operation {
        id: outcome.id,
        status: if outcome.status == Status::Accepted { "accepted" } else { "rejected" },
        kind: outcome.kind,
        subject: outcome.subject,
        version: Some(outcome.version),
        asked_at,
        decided_at: Some(outcome.time),
        position: Some(outcome.position),
        authid: outcome.authid,
        refusal: outcome.refusal,
    }
}

fn of_promise(pending: Pending) -> Operation {
    Operation {
        id: pending.id,
        status: "pending",
        kind: pending.kind,
        subject: pending.subject,
        version: None,
        asked_at: Some(pending.time),
        decided_at: None,
        position: None,
        authid: pending.authid,
        refusal: None,
    }
}
