//! Telling somebody something, for admins and the programs that act for them.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::{Admin, Body};
use crate::notifications::shapes::{Appointment, Telling, TemplateTest};
use crate::notifications::templates;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::problem::Problem;
use axum::extract::{Path, State};
use events::Personal;
use events::notification::inbox::{Category, Channel, Command, Notice, What};
use projections::wishes_page;
use serde_json::{Map, json};
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
        .reads()
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

pub(super) fn appointment_doc() -> Doc {
    describe("confirm_appointment", "notifications", "Confirm an appointment to somebody")
        .text("By the template `appointment_confirmation`, in the language that they prefer.")
        .access(Access::Admin)
        .body(
            "Appointment",
            json!({
                "user_id": "0199c0de-0000-7000-8000-000000000000",
                "data": { "title": "Fitting", "starts_at": "Monday, 9:00" },
            }),
        )
        .reads()
        .command()
        .answers_with(200, "Told", "It is in the log; where it goes from there follows", DONE)
}

/// `POST /api/notifications/appointment-confirmation`
pub(super) async fn appointment(
    State(app): State<App>,
    admin: Admin,
    asked: Asked,
    Body(appointment): Body<Appointment>,
) -> Result<Answer, Problem> {
    let Appointment { user_id, data, channels, key, locale } = appointment;
    let template = Some("appointment_confirmation".to_owned());
    tell(&app, &admin, &asked, Telling { channels, key, template, data, locale, ..Telling::to(user_id) }).await
}

pub(super) fn test_doc() -> Doc {
    describe("test_template", "notifications", "Mail a template to myself, with this data in it")
        .path("key", "The template", json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": 60 }))
        .access(Access::Admin)
        .body("TemplateTest", json!({ "locale": "de-AT", "data": { "title": "Fitting", "starts_at": "Monday, 9:00" } }))
        .reads()
        .command()
        .answers_with(200, "Told", "It is on its way", DONE)
}

/// `POST /api/notifications/templates/{key}/test`
pub(super) async fn test(
    State(app): State<App>,
    admin: Admin,
    Path(key): Path<String>,
    asked: Asked,
    Body(TemplateTest { locale, data }): Body<TemplateTest>,
) -> Result<Answer, Problem> {
    let me = Telling::to(admin.0.id);
    let channels = Some(vec![Channel::Email]);
    tell(&app, &admin, &asked, Telling { channels, template: Some(key), data, locale, ..me }).await
}

impl Telling {
    fn to(user_id: Uuid) -> Self {
        Telling {
            user_id,
            title: None,
            text: None,
            html: None,
            link: None,
            category: None,
            channels: None,
            key: None,
            template: None,
            data: Map::new(),
            locale: None,
        }
    }

    /// With the words of its template in place of its own.
    async fn filled(mut self, app: &App, asked: &Asked) -> Result<(Self, Option<String>), Problem> {
        let Some(key) = self.template.take() else {
            let data = Problem::field("field_unexpected", "/data", "data is for a template, name one");
            return if self.data.is_empty() { Ok((self, None)) } else { Err(data) };
        };
        if self.title.is_some() || self.text.is_some() || self.html.is_some() {
            return Err(Problem::field("field_unexpected", "/text", "a template has words of its own"));
        }
        app.fresh(asked, &["template_page", "wishes_page"]).await?;
        let preferred = match self.locale.take() {
            Some(locale) => Some(locale),
            None => wishes_page::get(app.reads(), self.user_id)
                .await?
                .and_then(|wishes| wishes.preferences["locale"].as_str().map(str::to_owned)),
        };
        let words =
            templates::rendered(app, &key, preferred.as_deref().unwrap_or(templates::LOCALE), &self.data).await?;
        let made_of = format!("{key}/{}", words.locale);
        (self.title, self.text, self.html) = (Some(words.subject), Some(words.text), words.html);
        Ok((self, Some(made_of)))
    }
}

async fn tell(app: &App, Admin(admin): &Admin, asked: &Asked, telling: Telling) -> Result<Answer, Problem> {
    let (telling, template) = telling.filled(app, asked).await?;
    let Telling { user_id, title, text, html, link, category, channels, key, .. } = telling;
    let needed = || Problem::field("field_required", "/text", "say something, or name a template");
    let text = text.ok_or_else(needed)?;
    let notice = match key {
        Some(key) if key.len() > 200 => return Err(Problem::field("too_long", "/key", "at most 200 bytes")),
        Some(key) => Uuid::new_v5(&user_id, key.as_bytes()),
        None => app.new_id(asked)?,
    };
    let title = title.unwrap_or_else(|| "A message from Reprise".to_owned());
    let (title, text, html) = (Personal::new(title), Personal::new(text), html.map(Personal::new));
    let what = What::Message { title, text, html, link, template };
    let category = category.unwrap_or(Category::Transactional);
    let command = Command::Notify(Notice { notice, category, channels, what });
    let accepted = app.send(admin, asked, user_id, command).await?;
    Ok(Answer::of(&accepted, |outcome| {
        Answer::ok(&json!({ "success": true, "id": notice, "user_id": user_id, "version": outcome.version }))
    }))
}
