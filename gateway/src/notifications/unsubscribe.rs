//! Where the link at the end of a mail leads. Looking changes nothing, because mail scanners look; a mail program may post
//! there itself (RFC 8058), a person presses a button.

use crate::app::{App, Who};
use crate::asked::Asked;
use crate::openapi::{Doc, doc as describe};
use crate::page::{self, Page};
use crate::problem::Problem;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use events::notification::inbox::{Category, Command};
use minijinja::context;
use serde_json::json;
use uuid::Uuid;
use vault::api::Unsubscribing;

const PAGE: &str = "text/html; charset=utf-8";

fn describes(id: &'static str, summary: &'static str) -> Doc {
    let token = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{40,120}$" });
    describe(id, "notifications", summary).path("token", "From the mail", token)
}

pub(super) fn look_doc() -> Doc {
    describes("unsubscribe_page", "End mails of a kind, for people")
        .text("The link in the mail. Looking changes nothing.")
        .answers_text(200, PAGE, "A page with a button", &[])
}

/// `GET /api/notifications/unsubscribe/{token}`
pub(super) async fn look(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    let (_, category) = read(&app, &token).await?;
    let text = format!("You will get no more mails about {} from us. The rest stays as it is.", words(category));
    let (title, action, button) =
        ("No more of these mails?", format!("/api/notifications/unsubscribe/{token}"), "No more mails");
    Ok(page::html(StatusCode::OK, Page::Form, context! { title, text, action, button, password => false }))
}

pub(super) fn press_doc() -> Doc {
    describes("unsubscribe", "End mails of a kind")
        .text("What the page's button sends, and what a mail program may send by itself (RFC 8058). A body is not looked at.")
        .answers_text(200, PAGE, "No more of these mails", &[])
        .answers_with(202, "Operation", "Not decided yet", &["Location", "RetryAfter"])
        .refuses(&[409, 422])
}

/// `POST /api/notifications/unsubscribe/{token}`
pub(super) async fn press(
    State(app): State<App>,
    asked: Asked,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    let (person, category) = read(&app, &token).await?;
    app.send(Who::Reprise(person), &asked, person, Command::Unsubscribe { category }).await?;
    let text = format!("You get no more mails about {}.", words(category));
    Ok(page::notice(StatusCode::OK, "Done", &text))
}

async fn read(app: &App, token: &str) -> Result<(Uuid, Category), Problem> {
    let stale = || Problem::missing("unsubscribe_token_invalid", "this address is not one that we mailed");
    let said = app.vault().read_unsubscribe(&Unsubscribing { token: token.into() }).await?.ok_or_else(stale)?;
    let category = Category::ALL.into_iter().find(|category| category.word() == said.category);
    Ok((said.user, category.ok_or_else(stale)?))
}

fn words(category: Category) -> &'static str {
    match category {
        Category::Security => "the safety of your account",
        Category::Transactional => "what you asked for",
        Category::Activity => "what happens with what is yours",
        Category::Marketing => "what is new",
    }
}
