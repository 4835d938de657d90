//! What became of what people were told, for admins: the log of deliveries, trying again, and what providers say later.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::{Admin, Body};
use crate::lists::Page;
use crate::notifications::shapes::Said;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use chrono::{DateTime, Utc};
use events::notification::inbox::{Channel, Command};
use projections::delivery_page::{self, Row, Search};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

pub(super) fn list_doc() -> Doc {
    let states = ["deferred", "queued", "sent", "retrying", "failed", "bounced", "suppressed", "merged"];
    describe("deliveries", "notifications", "What became of what people were told, newest first")
        .access(Access::Admin)
        .query("user_id", "Only to this person", json!({ "type": "string", "format": "uuid" }))
        .query("state", "Only in this state", json!({ "type": "string", "enum": states }))
        .query("channel", "Only on this way", json!({ "type": "string", "enum": ["email", "push", "sms"] }))
        .query("limit", "At most so many", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }))
        .query("after", "`next` of the page before", json!({ "type": "string", "maxLength": 100 }))
        .reads()
        .answers_with(200, "Deliveries", "A page of them", &["Link"])
}

/// What the list is narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    user_id: Option<Uuid>,
    state: Option<Standing>,
    channel: Option<Channel>,
    limit: Option<u8>,
    after: Option<String>,
}

/// The states of a delivery on the page.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Deferred,
    Queued,
    Sent,
    Retrying,
    Failed,
    Bounced,
    Suppressed,
    Merged,
}

/// A delivery as admins see it.
#[derive(Serialize)]
struct Delivery {
    id: Uuid,
    user_id: Uuid,
    channel: String,
    category: Option<String>,
    state: String,
    attempts: i32,
    reason: Option<String>,
    provider_id: Option<String>,
    due_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Delivery {
    fn from(row: Row) -> Self {
        Delivery {
            id: row.delivery_id,
            user_id: row.person,
            channel: row.channel,
            category: row.category,
            state: row.state,
            attempts: row.attempts,
            reason: row.reason,
            provider_id: row.provider_id,
            due_at: row.due_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// `GET /api/notifications/deliveries`
pub(super) async fn list(
    State(app): State<App>,
    _: Admin,
    asked: Asked,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Answer, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::malformed("query_invalid", error.body_text()))?;
    let state = wanted.state.and_then(|state| json!(state).as_str().map(str::to_owned));
    let channel = wanted.channel.map(|channel| channel.word().to_owned());
    let person = wanted.user_id.map(|person| person.to_string());
    let given = [("user_id", &person), ("state", &state), ("channel", &channel)];
    let filters = given.iter().filter_map(|(name, value)| Some(format!("{name}={}&", value.as_ref()?))).collect();
    let page = Page::wanted(&app, &asked, "", filters, wanted.limit, wanted.after.as_deref())?;
    app.fresh(&asked, &["delivery_page"]).await?;
    let search = Search { person: wanted.user_id, state, channel, after: page.after, limit: page.rows() };
    let mut rows = delivery_page::search(app.reads(), &search).await?;
    let next = page.cut(&mut rows, |row| (row.created_at, row.delivery_id));
    page.answer(&rows.into_iter().map(Delivery::from).collect::<Vec<_>>(), next)
}

pub(super) fn retry_doc() -> Doc {
    describe("retry_delivery", "notifications", "Try again what failed")
        .text("Every attempt of a delivery has the same id, so a provider or a reader can tell a repetition.")
        .access(Access::Admin)
        .id_of("id", "The delivery")
        .reads()
        .command()
        .answers_with(200, "NotificationsChanged", "It is tried again", DONE)
}

/// `POST /api/notifications/deliveries/{id}/retry`
pub(super) async fn retry(
    State(app): State<App>,
    admin: Admin,
    Id(delivery): Id,
    asked: Asked,
) -> Result<Answer, Problem> {
    let person = person(&app, &asked, delivery).await?;
    obey(&app, &admin, &asked, person, Command::Retry { delivery }).await
}

pub(super) fn receipt_doc() -> Doc {
    describe("delivery_receipt", "notifications", "Say what a provider said later of a delivery")
        .text(
            "What came back is not tried again: the channel is suppressed for the person until an admin lifts that. A \
             delivery's id is the left half of a mail's `Message-ID`.",
        )
        .access(Access::Admin)
        .id_of("id", "The delivery")
        .body("DeliveryReceipt", json!({ "receipt": "bounced" }))
        .reads()
        .command()
        .answers_with(200, "NotificationsChanged", "Noted", DONE)
}

/// `POST /api/notifications/deliveries/{id}/receipt`
pub(super) async fn receipt(
    State(app): State<App>,
    admin: Admin,
    Id(delivery): Id,
    asked: Asked,
    Body(said): Body<Said>,
) -> Result<Answer, Problem> {
    let person = person(&app, &asked, delivery).await?;
    obey(&app, &admin, &asked, person, Command::RecordReceipt { delivery, receipt: said.receipt }).await
}

pub(super) fn lift_doc() -> Doc {
    describe("lift_suppression", "notifications", "Send somebody things again where they came back")
        .access(Access::Admin)
        .id_of("id", "The person")
        .query(
            "channel",
            "On which way",
            json!({ "type": "string", "enum": ["email", "push", "sms"], "default": "email" }),
        )
        .command()
        .answers_with(200, "NotificationsChanged", "It is used again", DONE)
}

/// Where.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Where {
    channel: Option<Channel>,
}

/// `DELETE /api/notifications/suppressions/{id}`
pub(super) async fn lift(
    State(app): State<App>,
    admin: Admin,
    Id(person): Id,
    asked: Asked,
    wanted: Result<Query<Where>, QueryRejection>,
) -> Result<Answer, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::malformed("query_invalid", error.body_text()))?;
    let channel = wanted.channel.unwrap_or(Channel::Email);
    obey(&app, &admin, &asked, person, Command::LiftSuppression { channel }).await
}

/// Whose delivery it is.
async fn person(app: &App, asked: &Asked, delivery: Uuid) -> Result<Uuid, Problem> {
    app.fresh(asked, &["delivery_page"]).await?;
    let row = delivery_page::get(app.reads(), delivery).await?;
    row.map(|row| row.person).ok_or_else(|| Problem::missing("delivery_missing", "there is no such delivery"))
}

async fn obey(
    app: &App,
    Admin(admin): &Admin,
    asked: &Asked,
    person: Uuid,
    command: Command,
) -> Result<Answer, Problem> {
    let accepted = app.send(admin, asked, person, command).await?;
    Ok(Answer::of(&accepted, |outcome| Answer::ok(&json!({ "user_id": person, "version": outcome.version }))))
}
