//! How somebody wants to be told things.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::extract::Body;
use crate::notifications::shapes::Wishes;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::problem::Problem;
use axum::extract::State;
use events::Personal;
use events::notification::inbox::{Command, Preferences};
use projections::wishes_page::{self, Row};
use serde_json::json;

pub(super) fn show_doc() -> Doc {
    describe("notification_preferences", "notifications", "How I want to be told things")
        .access(Access::Person)
        .reads()
        .answers(200, "NotificationPreferences", "What I said, and which ways to me are dead ends")
}

/// `GET /api/notifications/preferences`
pub(super) async fn show(State(app): State<App>, actor: Actor, asked: Asked) -> Result<Answer, Problem> {
    app.fresh(&asked, &["wishes_page"]).await?;
    let row = wishes_page::get(app.reads(), actor.id).await?.unwrap_or_else(|| Row::new(actor.id));
    let mut body = row.preferences;
    (body["phone"], body["suppressed"], body["version"]) = (json!(row.phone), row.suppressed, json!(row.version));
    Ok(Answer::ok(&body))
}

pub(super) fn change_doc() -> Doc {
    describe("change_notification_preferences", "notifications", "Say how I want to be told things")
        .text(
            "Replaces what was said before. `channels` holds what differs from the usual: mails, pushes and the inbox for \
             what happens with what is yours, no telephone; nothing of marketing. What is about the account, or was asked \
             for, cannot be switched off. In quiet hours nothing but that goes out; with `digest_at` mails about activity \
             come together once a day. Times are local ones of `zone`.",
        )
        .access(Access::Person)
        .body(
            "NotificationPreferencesChange",
            json!({
                "channels": { "activity": { "push": false } },
                "quiet": { "from": "22:00:00", "to": "07:00:00" },
                "digest_at": "08:00:00",
                "zone": "Europe/Vienna",
                "phone": "+4366012345678",
            }),
        )
        .command()
        .answers_with(200, "NotificationsChanged", "So it is", DONE)
}

/// `PUT /api/notifications/preferences`
pub(super) async fn change(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    Body(wishes): Body<Wishes>,
) -> Result<Answer, Problem> {
    let Wishes { channels, quiet, digest_at, zone, locale, phone } = wishes;
    let preferences = Preferences { channels, quiet, digest_at, zone, locale, phone: phone.map(Personal::new) };
    let accepted = app.send(&actor, &asked, actor.id, Command::SetPreferences(preferences)).await?;
    Ok(Answer::of(&accepted, |outcome| Answer::ok(&json!({ "user_id": actor.id, "version": outcome.version }))))
}
