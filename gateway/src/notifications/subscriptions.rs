//! The browsers that somebody wants to be told things in, as the Push API of a browser gives them.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::extract::Body;
use crate::notifications::shapes::{Browser, Keys, Which};
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::problem::Problem;
use axum::extract::State;
use events::Personal;
use events::notification::inbox::{Command, Subscription};
use projections::wishes_page::{self, Row};
use serde_json::json;
use uuid::Uuid;

/// The same browser has the same id.
fn id_of(endpoint: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, endpoint.as_bytes())
}

pub(super) fn list_doc() -> Doc {
    describe("push_subscriptions", "notifications", "My browsers that are told things")
        .access(Access::Person)
        .reads()
        .answers(200, "PushSubscriptions", "They")
}

/// `GET /api/notifications/subscriptions`
pub(super) async fn list(State(app): State<App>, actor: Actor, asked: Asked) -> Result<Answer, Problem> {
    app.fresh(&asked, &["wishes_page"]).await?;
    let row = wishes_page::get(app.reads(), actor.id).await?.unwrap_or_else(|| Row::new(actor.id));
    Ok(Answer::ok(&json!({ "items": row.browsers })))
}

pub(super) fn add_doc() -> Doc {
    describe("subscribe_push", "notifications", "Tell me things in this browser")
        .text("The body is what the browser's `PushSubscription.toJSON()` gives. At most 20 browsers.")
        .access(Access::Person)
        .body(
            "PushSubscription",
            json!({
                "endpoint": "https://updates.push.services.mozilla.com/wpush/v2/gAAAAA",
                "keys": {
                    "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
                    "auth": "BTBZMqHH6r4Tts7J_aSIgg",
                },
            }),
        )
        .command()
        .answers_with(201, "PushSubscribed", "It is told things from now on", DONE)
}

/// `POST /api/notifications/subscriptions`
pub(super) async fn add(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    Body(browser): Body<Browser>,
) -> Result<Answer, Problem> {
    let Browser { endpoint, keys: Keys { p256dh, auth }, .. } = browser;
    let subscription = id_of(&endpoint);
    let command = Command::Subscribe(Subscription {
        subscription,
        endpoint: Personal::new(endpoint),
        p256dh: Personal::new(p256dh),
        auth: Personal::new(auth),
    });
    let accepted = app.send(&actor, &asked, actor.id, command).await?;
    Ok(Answer::of(&accepted, |outcome| {
        let body = json!({ "id": subscription, "version": outcome.version });
        Answer::created("/api/notifications/subscriptions", &body)
    }))
}

pub(super) fn end_doc() -> Doc {
    describe("unsubscribe_push", "notifications", "Tell me nothing more in a browser")
        .text("By its endpoint, which the browser knows, or by the id that the list gives.")
        .access(Access::Person)
        .body("PushSubscriptionEnd", json!({ "endpoint": "https://updates.push.services.mozilla.com/wpush/v2/gAAAAA" }))
        .command()
        .answers_with(200, "NotificationsChanged", "It is told nothing any more", DONE)
}

/// `DELETE /api/notifications/subscriptions`
pub(super) async fn end(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    Body(which): Body<Which>,
) -> Result<Answer, Problem> {
    let subscription = match which {
        Which { endpoint: Some(endpoint), id: None } => id_of(&endpoint),
        Which { endpoint: None, id: Some(id) } => id,
        _ => return Err(Problem::field("field_required", "/endpoint", "give the endpoint, or the id, of one")),
    };
    let accepted = app.send(&actor, &asked, actor.id, Command::EndSubscription { subscription }).await?;
    Ok(Answer::of(&accepted, |outcome| Answer::ok(&json!({ "user_id": actor.id, "version": outcome.version }))))
}
