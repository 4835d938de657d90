//! A person's inbox: what they were told, the newest first, and what of it they saw.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::extract::Body;
use crate::lists::Page;
use crate::notifications::shapes::Seen;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use events::notification::inbox::Command;
use projections::inbox_page::{self, Row};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

pub(super) fn list_doc() -> Doc {
    describe("notifications", "notifications", "My inbox, newest first")
        .access(Access::Person)
        .query("unread", "Only what was not seen yet", json!({ "type": "boolean", "default": false }))
        .query("limit", "At most so many", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }))
        .query("after", "`next` of the page before", json!({ "type": "string", "maxLength": 100 }))
        .reads()
        .answers_with(200, "Notifications", "A page of it", &["Link"])
}

/// What the list is narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    unread: bool,
    limit: Option<u8>,
    after: Option<String>,
}

/// A notice as clients see it.
#[derive(Serialize)]
struct Notice {
    id: Uuid,
    category: String,
    kind: String,
    title: String,
    text: String,
    link: Option<String>,
    created_at: DateTime<Utc>,
    read_at: Option<DateTime<Utc>>,
}

impl From<Row> for Notice {
    fn from(row: Row) -> Self {
        let Row { notice_id: id, category, kind, title, body: text, link, created_at, read_at, .. } = row;
        Notice { id, category, kind, title, text, link, created_at, read_at }
    }
}

/// `GET /api/notifications`
pub(super) async fn list(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Answer, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::malformed("query_invalid", error.body_text()))?;
    let filters = if wanted.unread { "unread=true&" } else { "" }.to_owned();
    let page = Page::wanted(&app, &asked, &actor.id.to_string(), filters, wanted.limit, wanted.after.as_deref())?;
    app.fresh(&asked, &["inbox_page"]).await?;
    let mut rows = inbox_page::list(app.reads(), actor.id, wanted.unread, page.after, page.rows()).await?;
    let next = page.cut(&mut rows, |row| (row.created_at, row.notice_id));
    let unread = inbox_page::unread(app.reads(), actor.id).await?;
    let items: Vec<Notice> = rows.into_iter().map(Notice::from).collect();
    page.answer_with(&json!({ "items": items, "next": next, "unread": unread }), next)
}

pub(super) fn unread_doc() -> Doc {
    describe("unread_notifications", "notifications", "How much in my inbox I have not seen")
        .access(Access::Person)
        .reads()
        .answers(200, "UnreadCount", "So much")
}

/// `GET /api/notifications/unread-count`
pub(super) async fn unread(State(app): State<App>, actor: Actor, asked: Asked) -> Result<Answer, Problem> {
    app.fresh(&asked, &["inbox_page"]).await?;
    let unread = inbox_page::unread(app.reads(), actor.id).await?;
    Ok(Answer::ok(&json!({ "unread": unread })))
}

pub(super) fn read_doc() -> Doc {
    describe("read_notifications", "notifications", "Say that I saw what is in my inbox")
        .text("With `ids` only those; without them all. What is unknown or was seen before changes nothing.")
        .access(Access::Person)
        .body("NotificationsRead", json!({ "ids": ["0199c0de-0000-7000-8000-000000000000"] }))
        .command()
        .answers_with(200, "NotificationsChanged", "So it is", DONE)
}

/// `POST /api/notifications/read`
pub(super) async fn read(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    Body(seen): Body<Option<Seen>>,
) -> Result<Answer, Problem> {
    let notices = seen.unwrap_or_default().ids;
    if notices.as_ref().is_some_and(|ids| ids.len() > 500) {
        return Err(Problem::field("too_many", "/ids", "at most 500 at once; without ids it is all of them"));
    }
    let accepted = app.send(&actor, &asked, actor.id, Command::MarkRead { notices }).await?;
    Ok(Answer::of(&accepted, |outcome| Answer::ok(&json!({ "user_id": actor.id, "version": outcome.version }))))
}
