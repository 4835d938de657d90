//! What the work on videos is doing: the queue for everybody who is signed in, jobs with their tasks and what went wrong
//! for their owners and, with the words of the tools, for admins.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::lists::Page;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use events::processing::{Class, Command};
use projections::job_page::{self, Row, Search, Task};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const STATES: [&str; 4] = ["working", "completed", "failed", "cancelled"];

pub(super) fn queue_doc() -> Doc {
    describe("processing_queue", "processing", "How much there is to do")
        .text("Tasks that wait and that are under way, and jobs that failed. Those of class `required` go first: somebody waits for them.")
        .access(Access::Person)
        .reads()
        .answers(200, "Queue", "So much")
}

/// `GET /api/processing/queue/status`
pub(super) async fn queue(State(app): State<App>, _: Actor, asked: Asked) -> Result<Answer, Problem> {
    app.fresh(&asked, &["job_page"]).await?;
    let tasks = job_page::tasks(app.reads()).await?;
    let states: BTreeMap<String, i64> = job_page::states(app.reads()).await?.into_iter().collect();
    let sum = |state: &str, class: Option<&str>| {
        let wanted = tasks.iter().filter(|(of, is, _)| is == state && class.is_none_or(|class| class == of));
        wanted.map(|(_, _, count)| count).sum::<i64>()
    };
    let classes: BTreeMap<&str, Value> = Class::ALL
        .map(|class| class.word())
        .map(|class| (class, json!({ "waiting": sum("queued", Some(class)), "active": sum("running", Some(class)) })))
        .into();
    let jobs = |state: &str| states.get(state).copied().unwrap_or(0);
    Ok(Answer::ok(&json!({
        "waiting": sum("queued", None),
        "active": sum("running", None),
        "classes": classes,
        "jobs": { "working": jobs("working"), "failed": jobs("failed") },
    })))
}

/// A job as clients get it.
#[derive(Serialize)]
struct Job {
    id: Uuid,
    kind: String,
    video_id: Uuid,
    source_version: i32,
    user_id: Uuid,
    run: i32,
    state: String,
    tasks: Vec<Value>,
    error: Option<Value>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Job {
    fn new(row: Row, admin: bool) -> Self {
        Job {
            id: row.job_id,
            kind: row.kind,
            video_id: row.about,
            source_version: row.source_version,
            user_id: row.owner,
            run: row.run,
            state: row.state,
            tasks: row.tasks.0.into_iter().map(|one| task(one, admin)).collect(),
            error: row.failure,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// What the tools said may name folders of our machines: that is for admins.
fn task(task: Task, admin: bool) -> Value {
    let error = task.error.map(|error| {
        let mut told = json!({ "code": error.code, "message": error.message });
        if admin {
            told["tail"] = json!(error.tail);
        }
        told
    });
    json!({ "name": task.name, "class": task.class, "state": task.state, "attempts": task.attempts, "error": error })
}

pub(super) fn list_doc() -> Doc {
    describe("jobs", "processing", "Jobs, the newest first")
        .text("Their own for people, all of them for admins, who also see the end of what a tool said when a task failed.")
        .access(Access::Person)
        .query("state", "Only in this state", json!({ "type": "string", "enum": STATES }))
        .query("video_id", "Only about this video", json!({ "type": "string", "format": "uuid" }))
        .query("user_id", "Only of this person", json!({ "type": "string", "format": "uuid" }))
        .query("limit", "At most so many", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }))
        .query("after", "`next` of the page before", json!({ "type": "string", "maxLength": 100 }))
        .reads()
        .answers_with(200, "Jobs", "A page of them", &["Link"])
}

/// What the list is narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    state: Option<String>,
    video_id: Option<Uuid>,
    user_id: Option<Uuid>,
    limit: Option<u8>,
    after: Option<String>,
}

/// `GET /api/processing/jobs`
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Answer, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::malformed("query_invalid", error.body_text()))?;
    if wanted.state.as_ref().is_some_and(|state| !STATES.contains(&state.as_str())) {
        return Err(Problem::malformed("query_invalid", "state is working, completed, failed or cancelled"));
    }
    let admin = actor.is_admin();
    let page = Page::wanted(&app, &asked, &admin.to_string(), filters(&wanted), wanted.limit, wanted.after.as_deref())?;
    app.fresh(&asked, &["job_page"]).await?;
    // who asks for somebody else's finds none, as if there were none
    let owner = if admin { wanted.user_id } else { Some(actor.id) };
    let nobodys = !admin && wanted.user_id.is_some_and(|person| person != actor.id);
    let (after, limit) = (page.after, page.rows());
    let search = Search { owner, state: wanted.state.clone(), about: wanted.video_id, after, limit };
    let mut rows = if nobodys { vec![] } else { job_page::search(app.reads(), &search).await? };
    let next = page.cut(&mut rows, |row| (row.created_at, row.job_id));
    page.answer(&rows.into_iter().map(|row| Job::new(row, admin)).collect::<Vec<_>>(), next)
}

/// The filters without the place: what a cursor is good for.
fn filters(wanted: &Wanted) -> String {
    let state = wanted.state.as_ref().map(|state| format!("state={state}&"));
    let video = wanted.video_id.map(|id| format!("video_id={id}&"));
    let person = wanted.user_id.map(|id| format!("user_id={id}&"));
    [state, video, person].into_iter().flatten().collect()
}

pub(super) fn retry_doc() -> Doc {
    describe("retry_job", "processing", "Try a job again")
        .text("As `start` of its video: what failed is tried again, after a cancellation everything is made anew.")
        .access(Access::Person)
        .id_of("id", "The job")
        .command()
        .answers_with(200, "JobChanged", "It goes on", DONE)
}

/// `POST /api/processing/jobs/{id}/retry`
pub(super) async fn retry(State(app): State<App>, actor: Actor, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    let accepted = app.send(&actor, &asked, id, Command::Retry {}).await?;
    Ok(Answer::of(&accepted, |outcome| Answer::ok(&json!({ "id": id, "version": outcome.version }))))
}
