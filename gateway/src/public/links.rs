//! Where the links in mails lead. Looking changes nothing, because mail scanners look too: a person presses a button.
//! Without a script, so it works in every mail client's browser.

use crate::app::App;
use crate::extract;
use crate::openapi::{Doc, doc as describe};
use crate::page::{self, Page};
use crate::path::Browser;
use crate::problem::Problem;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use minijinja::context;
use serde::Deserialize;
use serde_json::json;
use vault::Secret;
use vault::api::{ResetPassword, ResettingPassword, VerifyEmail, VerifyingEmail};

const PAGE: &str = "text/html; charset=utf-8";

/// What the link in a mail carries, and what the form sends.
#[derive(Deserialize)]
pub(super) struct Shown {
    token: Option<Secret>,
    password: Option<Secret>,
}

fn look_doc(id: &'static str, summary: &'static str) -> Doc {
    describe(id, "identity", summary)
        .text("The link in the mail. Looking changes nothing.")
        .query("token", "From the mail", json!({ "type": "string" }))
        .answers_text(200, PAGE, "A page with a form", &[])
}

fn press_doc(id: &'static str, summary: &'static str, form: &str) -> Doc {
    describe(id, "identity", summary)
        .text("What the page's form sends. Programs use the operations under `/api/auth/`.")
        .form(form)
        .answers_text(200, PAGE, "A page that says that it is done", &[])
}

pub(super) fn verify_doc() -> Doc {
    look_doc("verify_email_page", "Confirm an address, for people")
}

pub(super) fn verified_doc() -> Doc {
    press_doc("verify_email_form", "Confirm an address, for people", "EmailVerification")
}

pub(super) fn reset_doc() -> Doc {
    look_doc("reset_password_page", "Choose another password, for people")
}

pub(super) fn changed_doc() -> Doc {
    press_doc("reset_password_form", "Choose another password, for people", "PasswordResetForm")
}

/// `GET /verify-email`
pub(super) async fn verify(uri: Uri) -> Response {
    form(StatusCode::OK, &VERIFY, &read(&uri.to_string()), &[])
}

/// `GET /reset-password`
pub(super) async fn reset(uri: Uri) -> Response {
    form(StatusCode::OK, &RESET, &read(&uri.to_string()), &[])
}

/// `POST /verify-email`
pub(super) async fn verified(
    State(app): State<App>,
    Browser(browser): Browser,
    request: Request,
) -> Result<Response, Problem> {
    let shown = sent(request).await?;
    let token = shown.token.clone().unwrap_or_else(|| "".into());
    match app.vault().verify_email(&VerifyEmail { token }).await? {
        VerifyingEmail::Verified { .. } => Ok(done("Thank you", "The address is confirmed as yours.")),
        VerifyingEmail::BadToken => stale(browser, "verification_token_invalid"),
    }
}

/// `POST /reset-password`
pub(super) async fn changed(
    State(app): State<App>,
    Browser(browser): Browser,
    request: Request,
) -> Result<Response, Problem> {
    let shown = sent(request).await?;
    let token = shown.token.clone().unwrap_or_else(|| "".into());
    let new = shown.password.clone().unwrap_or_else(|| "".into());
    match crate::identity::hashing(&app).reset_password(&ResetPassword { token, new }).await? {
        ResettingPassword::Changed { .. } => {
            Ok(done("Done", "The new password counts from now on. You are signed out everywhere; sign in with it."))
        }
        ResettingPassword::BadToken => stale(browser, "reset_token_invalid"),
        ResettingPassword::Weak { reasons } if browser => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            Ok(form(StatusCode::UNPROCESSABLE_ENTITY, &RESET, &shown, &reasons))
        }
        ResettingPassword::Weak { reasons } => Err(crate::identity::weak("/password", &reasons)),
        ResettingPassword::Slow { retry_after } => Err(crate::identity::slow(retry_after)),
    }
}

/// The words of a form.
struct Words {
    title: &'static str,
    text: &'static str,
    action: &'static str,
    button: &'static str,
    password: bool,
}

const VERIFY: Words = Words {
    title: "Is this your address?",
    text: "You opened the link that was mailed to you. Confirm that the address is yours.",
    action: "/verify-email",
    button: "Confirm the address",
    password: false,
};

const RESET: Words = Words {
    title: "Choose a new password",
    text: "At least 8 characters; long is better than complicated.",
    action: "/reset-password",
    button: "Set the password",
    password: true,
};

fn form(status: StatusCode, words: &Words, shown: &Shown, reasons: &[String]) -> Response {
    let Words { title, text, action, button, password } = *words;
    let token = shown.token.as_ref().map(Secret::expose).unwrap_or_default().to_owned();
    let reasons = reasons.to_vec();
    let values = context! { title, text, action, button, password, token, reasons };
    kept_by_nobody(page::html(status, Page::Form, values))
}

fn done(title: &str, text: &str) -> Response {
    kept_by_nobody(page::notice(StatusCode::OK, title, text))
}

fn stale(browser: bool, code: &'static str) -> Result<Response, Problem> {
    let text = "The link is too old, or was used already. Ask for another mail.";
    if browser {
        return Ok(kept_by_nobody(page::notice(
            StatusCode::UNPROCESSABLE_ENTITY,
            "This does not count any more",
            text,
        )));
    }
    Err(Problem::field(code, "/token", "this token does not count (any more), ask for another mail"))
}

fn kept_by_nobody(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The form of a request.
async fn sent(request: Request) -> Result<Shown, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        let detail = "this takes what a form sends; programs use /api/auth/".to_owned();
        return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, Some(detail)));
    }
    let body = extract::read(request.into_body()).await?;
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let shown = read(&format!("/?{text}"));
    shown
        .token
        .is_some()
        .then_some(shown)
        .ok_or_else(|| Problem::field("field_invalid", "/token", "the token is missing"))
}

/// What a form sends has the form of a query.
fn read(address: &str) -> Shown {
    let query = address.parse::<Uri>().ok().and_then(|uri| Query::<Shown>::try_from_uri(&uri).ok());
    query.map_or(Shown { token: None, password: None }, |Query(shown)| shown)
}
