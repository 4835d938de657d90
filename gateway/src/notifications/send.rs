//! Telling somebody something, for admins and the programs that act for them.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::{Admin, Body};
use crate::notifications::shapes::Telling;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::problem::Problem;
use axum::extract::State;
use events::Personal;
use events::notification::inbox::{Category, Channel, Command, Notice, What};
use serde_json::json;
use uuid::Uuid;

fn describes(id: &'static str, summary: &'static str) -> Doc {
    describe(id, "notifications", summary)
        .text(
            "Whether and when it goes out is up to the person: what they switched off is suppressed, what comes in their \
             quiet hours waits. The log of deliveries says what became of it. The same `key` for the same person is told \
             once.",
        )
        .access(Access::Admin)
        .body(
            "Telling",
            json!({
                "user_id": "0199c0de-0000-7000-8000-000000000000",
                "title": "The stage is yours",
                "text": "Your slot on Friday is confirmed.",
                "link": "/watch/0199c0de-0000-7000-8000-000000000001",
                "category": "transactional",
            }),
        )
        .command()
        .answers_with(200, "Told", "It is in the log; where it goes from there follows", DONE)
}

pub(super) fn any_doc() -> Doc {
    describes("notify", "Tell somebody something")
}

pub(super) fn email_doc() -> Doc {
    describes("notify_email", "Mail somebody something")
}

pub(super) fn push_doc() -> Doc {
    describes("notify_push", "Show somebody something in their browsers")
}

pub(super) fn sms_doc() -> Doc {
    describes("notify_sms", "Send somebody something to their telephone")
}

/// `POST /api/notifications/send`
pub(super) async fn any(
    State(app): State<App>,
    admin: Admin,
    asked: Asked,
    Body(telling): Body<Telling>,
) -> Result<Answer, Problem> {
    tell(&app, &admin, &asked, telling).await
}

/// `POST /api/notifications/email`
pub(super) async fn email(
    State(app): State<App>,
    admin: Admin,
    asked: Asked,
    Body(telling): Body<Telling>,
) -> Result<Answer, Problem> {
    tell(&app, &admin, &asked, only(telling, Channel::Email)?).await
}

/// `POST /api/notifications/push`
pub(super) async fn push(
    State(app): State<App>,
    admin: Admin,
    asked: Asked,
    Body(telling): Body<Telling>,
) -> Result<Answer, Problem> {
    tell(&app, &admin, &asked, only(telling, Channel::Push)?).await
}

/// `POST /api/notifications/sms`
pub(super) async fn sms(
    State(app): State<App>,
    admin: Admin,
    asked: Asked,
    Body(telling): Body<Telling>,
) -> Result<Answer, Problem> {
    tell(&app, &admin, &asked, only(telling, Channel::Sms)?).await
}

fn only(telling: Telling, channel: Channel) -> Result<Telling, Problem> {
    if telling.channels.is_some() {
        return Err(Problem::field("field_unexpected", "/channels", "this address is for one channel already"));
    }
    Ok(Telling { channels: Some(vec![channel]), ..telling })
}

async fn tell(app: &App, Admin(admin): &Admin, asked: &Asked, telling: Telling) -> Result<Answer, Problem> {
    let Telling { user_id, title, text, html, link, category, channels, key } = telling;
    let notice = match key {
        Some(key) if key.len() > 200 => return Err(Problem::field("too_long", "/key", "at most 200 bytes")),
        Some(key) => Uuid::new_v5(&user_id, key.as_bytes()),
        None => app.new_id(asked)?,
    };
    let title = title.unwrap_or_else(|| "A message from Reprise".to_owned());
    let (title, text, html) = (Personal::new(title), Personal::new(text), html.map(Personal::new));
    let what = What::Message { title, text, html, link, template: None };
    let category = category.unwrap_or(Category::Transactional);
    let command = Command::Notify(Notice { notice, category, channels, what });
    let accepted = app.send(admin, asked, user_id, command).await?;
    Ok(Answer::of(&accepted, |outcome| {
        Answer::ok(&json!({ "success": true, "id": notice, "user_id": user_id, "version": outcome.version }))
    }))
}
