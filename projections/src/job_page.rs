//! Jobs: what is waiting, what is under way, what failed and why. What failed for an erased person is gone from here at
//! once; a job goes with its video.

use chrono::{DateTime, Utc};
use events::identity::user;
use events::processing::{self, Failure, Kind, Order, job};
use events::{Event, Message, Personal, video};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use crate::Reads;
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, array, cell};

/// One job.
#[derive(Clone, PartialEq, FromRow)]
pub struct Row {
    /// The job.
    pub job_id: Uuid,
    /// Which kind of work.
    pub kind: String,
    /// What it is about: the video.
    pub about: Uuid,
    /// The version of its source.
    pub source_version: i32,
    /// Whose it is.
    pub owner: Uuid,
    /// How often it was begun.
    pub run: i32,
    /// `working`, `completed`, `failed` or `cancelled`.
    pub state: String,
    /// What is done in this run, in the order in which it was planned.
    pub tasks: Json<Vec<Task>>,
    /// `{"code", "message"}` when it failed.
    pub failure: Option<Value>,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When something happened to it last.
    pub updated_at: DateTime<Utc>,
}

/// A task of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name in the job.
    pub name: String,
    /// How urgent it is.
    pub class: String,
    /// `queued`, `running`, `done` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub error: Option<TaskError>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskError {
    /// A stable word.
    pub code: String,
    /// In words for the owner.
    pub message: String,
    /// The end of what the tool said, for operators.
    pub tail: Option<String>,
}

impl Stored for Row {
    const TABLE: &'static str = "job_page";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("job_id", "uuid"),
        ("kind", "text not null"),
        ("about", "uuid not null"),
        ("source_version", "integer not null"),
        ("owner", "uuid not null"),
        ("run", "integer not null"),
        ("state", "text not null"),
        ("tasks", "jsonb not null"),
        ("failure", "jsonb"),
        ("created_at", "timestamptz not null"),
        ("updated_at", "timestamptz not null"),
    ];
    const INDEXES: &'static [&'static str] = &[
        "(created_at desc, job_id desc)",
        "(owner, created_at desc, job_id desc)",
        "(state, created_at desc, job_id desc) where state in ('working', 'failed')",
    ];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.job_id
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            cell(self.job_id),
            Some((&self.kind).into()),
            cell(self.about),
            cell(self.source_version),
            cell(self.owner),
            cell(self.run),
            Some((&self.state).into()),
            cell(json!(self.tasks)),
            self.failure.as_ref().and_then(cell),
            cell(self.created_at.to_rfc3339()),
            cell(self.updated_at.to_rfc3339()),
        ]
    }
}

/// Which jobs are somebody's.
#[derive(Clone, FromRow)]
pub(crate) struct Owned {
    owner: Uuid,
    jobs: Vec<Uuid>,
}

impl Stored for Owned {
    const TABLE: &'static str = "job_owner";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[("owner", "uuid"), ("jobs", "uuid[] not null")];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.owner
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        let jobs: Vec<String> = self.jobs.iter().map(Uuid::to_string).collect();
        vec![cell(self.owner), array(&jobs)]
    }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct JobPage {
    jobs: Table<Row>,
    owned: Table<Owned>,
}

impl Projection for JobPage {
    fn name(&self) -> &'static str {
        "job_page"
    }

    fn listens(&self) -> &'static [&'static str] {
        &["evt.processing.job.", "evt.video.video.", "evt.identity.user."]
    }

    fn needs(&mut self, recorded: &Recorded) {
        let Ok(event) = recorded.event() else { return };
        match &event.body {
            Event::Job(what) => {
                self.jobs.need(&event.subject);
                if let processing::Event::Started(order) = what {
                    self.owned.need(&order.owner);
                }
            }
            Event::Video(video::Event::Deleted { owner, version, .. }) => {
                self.owned.need(owner);
                jobs_of(event.subject, *version).for_each(|job| self.jobs.need(&job));
            }
            Event::User(user::Event::Erased {}) => {
                self.owned.need(&event.subject);
                for job in self.owned.get(&event.subject).iter().flat_map(|owned| &owned.jobs) {
                    self.jobs.need(job);
                }
            }
            _ => {}
        }
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = recorded.event()?;
        match &event.body {
            Event::Job(processing::Event::Started(order)) => {
                let mut jobs = self.owned.get(&order.owner).map(|owned| owned.jobs.clone()).unwrap_or_default();
                jobs.push(event.subject);
                self.owned.put(Owned { owner: order.owner, jobs });
                self.jobs.put(started(event, order));
            }
            Event::Job(what) => {
                // what is left to be done for nobody is shown to nobody
                if let Some(row) = self.jobs.change(&event.subject) {
                    row.evolve(what);
                    row.updated_at = event.time;
                }
            }
            Event::Video(video::Event::Deleted { owner, version, .. }) => {
                let gone: Vec<Uuid> = jobs_of(event.subject, *version).collect();
                gone.iter().for_each(|job| self.jobs.remove(job));
                if let Some(owned) = self.owned.change(owner) {
                    owned.jobs.retain(|job| !gone.contains(job));
                }
            }
            Event::User(user::Event::Erased {}) => {
                let jobs = self.owned.get(&event.subject).map(|owned| owned.jobs.clone()).unwrap_or_default();
                jobs.iter().for_each(|job| self.jobs.remove(job));
                self.owned.remove(&event.subject);
                self.jobs.scrub();
            }
            _ => {}
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.jobs, &mut self.owned]
    }
}

/// The jobs that a video has had until its last version.
fn jobs_of(video: Uuid, last: u32) -> impl Iterator<Item = Uuid> {
    (1..=last).map(move |version| job(video, version, Kind::Video))
}

fn started(event: &Message<Event>, order: &Order) -> Row {
    Row {
        job_id: event.subject,
        kind: order.kind.word().to_owned(),
        about: order.of,
        source_version: order.version as i32,
        owner: order.owner,
        run: 1,
        state: "working".to_owned(),
        tasks: Json(vec![]),
        failure: None,
        created_at: event.time,
        updated_at: event.time,
    }
}

impl Row {
    fn evolve(&mut self, what: &processing::Event) {
        let state = |state: &str| state.to_owned();
        match what {
            processing::Event::TaskQueued(task) => {
                // one that failed and is tried again is there already
                match self.tasks.iter_mut().find(|known| known.name == task.name) {
                    Some(known) => known.state = state("queued"),
                    None => self.tasks.push(Task {
                        name: task.name.clone(),
                        class: task.class.word().to_owned(),
                        state: state("queued"),
                        attempts: 0,
                        error: None,
                    }),
                }
            }
            processing::Event::TaskStarted { task, attempt, .. } => {
                self.task(task, |task| (task.state, task.attempts) = (state("running"), *attempt));
            }
            processing::Event::TaskCompleted { task, .. } => {
                self.task(task, |task| (task.state, task.error) = (state("done"), None));
            }
            processing::Event::TaskFailed { task, failure, .. } => {
                self.task(task, |task| (task.state, task.error) = (state("failed"), Some(error(failure))));
            }
            processing::Event::Completed { .. } => self.state = state("completed"),
            processing::Event::Failed { failure, .. } => {
                self.state = state("failed");
                self.failure = Some(json!({ "code": failure.code, "message": clean(&failure.message) }));
            }
            processing::Event::Cancelled { .. } => self.state = state("cancelled"),
            processing::Event::Retried { run, from_nothing, .. } => {
                (self.run, self.state, self.failure) = (*run as i32, state("working"), None);
                self.tasks.retain(|task| !from_nothing && task.state == "done");
            }
            processing::Event::Started(_) => {}
        }
    }

    fn task(&mut self, name: &str, change: impl FnOnce(&mut Task)) {
        if let Some(task) = self.tasks.iter_mut().find(|task| task.name == name) {
            change(task);
        }
    }
}

fn error(failure: &Failure) -> TaskError {
    let tail = failure.tail.as_ref().and_then(Personal::open).map(|tail| clean(tail));
    TaskError { code: failure.code.clone(), message: clean(&failure.message), tail }
}

/// Postgres cannot keep a NUL, which a file may make a tool repeat.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Only of this person.
    pub owner: Option<Uuid>,
    /// Only in this state.
    pub state: Option<String>,
    /// Only about this video.
    pub about: Option<Uuid>,
    /// Go on behind this one.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    /// At most so many.
    pub limit: i64,
}

/// Jobs, the newest first.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn search(reads: &Reads, search: &Search) -> sqlx::Result<Vec<Row>> {
    let mut sql = QueryBuilder::new("select * from read.job_page where true");
    if let Some(owner) = search.owner {
        sql.push(" and owner = ").push_bind(owner);
    }
    if let Some(state) = &search.state {
        sql.push(" and state = ").push_bind(state);
    }
    if let Some(about) = search.about {
        sql.push(" and about = ").push_bind(about);
    }
    if let Some((created_at, job)) = search.after {
        sql.push(" and (created_at, job_id) < (").push_bind(created_at).push(", ").push_bind(job).push(")");
    }
    sql.push(" order by created_at desc, job_id desc limit ").push_bind(search.limit.clamp(1, 101));
    sql.build_query_as().fetch_all(&reads.db).await
}

/// How many tasks wait or are under way, by class and state.
///
/// # Errors
/// As of [`search`].
pub async fn tasks(reads: &Reads) -> sqlx::Result<Vec<(String, String, i64)>> {
    let sql = "select task->>'class', task->>'state', count(*)
               from read.job_page, jsonb_array_elements(tasks) task
               where state = 'working' and task->>'state' in ('queued', 'running')
               group by 1, 2";
    sqlx::query_as(sql).fetch_all(&reads.db).await
}

/// How many jobs are under way and how many failed, by state.
///
/// # Errors
/// As of [`search`].
pub async fn states(reads: &Reads) -> sqlx::Result<Vec<(String, i64)>> {
    let sql = "select state, count(*) from read.job_page where state in ('working', 'failed') group by state";
    sqlx::query_as(sql).fetch_all(&reads.db).await
}
