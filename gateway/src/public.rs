//! What people see with a browser: the public page of a person, the landing page, the documents and their pages.

mod links;
mod mails;
mod person;

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::openapi::{self, Doc, doc as describe, pages};
use crate::page;
use crate::path::Browser;
use crate::problem::Problem;
use crate::profile::find;
use crate::table::{self, Route, get, post};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use projections::profile_page::Found;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// What people see.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        get(&["/u/{handle}"], someone, someone_doc()),
        get(&["/verify-email"], links::verify, links::verify_doc()),
        post(&["/verify-email"], links::verified, links::verified_doc()),
        get(&["/reset-password"], links::reset, links::reset_doc()),
        post(&["/reset-password"], links::changed, links::changed_doc()),
        get(&["/dev/mail"], mails::list, mails::list_doc()),
        get(&["/dev/mail/{id}"], mails::one, mails::one_doc()),
        get(&["/"], home, page_doc("home", "Where to begin")),
        get(&["/assets/{name}"], asset, asset_doc()),
        get(&["/docs"], docs, page_doc("docs", "The API, for people")),
        get(&["/openapi.json"], document, document_doc()),
        get(&["/problems"], problems, page_doc("problems", "All kinds of problems")),
        get(&["/problems/{code}"], problem, problem_doc()),
    ]
}

const PAGE: &str = "text/html; charset=utf-8";

fn someone_doc() -> Doc {
    describe("person", "profile", "Somebody's public page")
        .text("For browsers and search engines, with Open Graph tags and JSON-LD. A private profile is not there; an unlisted one is, \
            and asks search engines to leave it out. An old handle leads to the new one.")
        .path("handle", "The handle", json!({ "type": "string", "minLength": 1, "maxLength": 60 }))
        .reads()
        .cached()
        .answers_text(200, PAGE, "The page", &["ETag", "CacheControl"])
        .answers_with(301, "", "It has another address now", &["Location"])
}

/// `GET /u/{handle}`
async fn someone(
    State(app): State<App>,
    Path(handle): Path<String>,
    Browser(browser): Browser,
    asked: Asked,
) -> Result<Response, Problem> {
    app.fresh(&asked, &["profile_page"]).await?;
    let row = match find(&app, &handle).await? {
        Some(Found::MovedTo(handle)) => return Ok(moved(&handle)),
        Some(Found::Page(row)) if row.visibility != "private" => row,
        _ if browser => return Ok(nobody()),
        _ => return Err(Problem::missing("profile_missing", "there is no such page")),
    };
    if row.handle != handle {
        return Ok(moved(&row.handle));
    }
    let text = person::render(&row, &app.config().public_url);
    // the tag is of what is shown, so a new look of the page is a new tag too; compression makes it a weak one
    let hash = Sha256::digest(&text);
    let tag = format!("\"{}\"", hash[..12].iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let mut answer = Answer::html(text)
        .tag(&tag)
        .header(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=30, stale-while-revalidate=60"))
        .header(header::CONTENT_SECURITY_POLICY, page::policy());
    if row.visibility != "public" {
        answer = answer.header(ROBOTS, HeaderValue::from_static("noindex"));
    }
    Ok(answer.unless_known(&asked).into_response())
}

const ROBOTS: header::HeaderName = header::HeaderName::from_static("x-robots-tag");

fn moved(handle: &str) -> Response {
    let kept = HeaderValue::from_static("public, max-age=30");
    let answer = Answer::bare(StatusCode::MOVED_PERMANENTLY).location(&format!("/u/{handle}"));
    answer.header(header::CACHE_CONTROL, kept).into_response()
}

fn nobody() -> Response {
    page::notice(StatusCode::NOT_FOUND, "Nobody here", "There is no page at this address, or it is not public.")
}

fn page_doc(id: &'static str, summary: &'static str) -> Doc {
    describe(id, "platform", summary).answers_text(200, PAGE, "The page", &[])
}

fn asset_doc() -> Doc {
    describe("asset", "platform", "A script of a page")
        .path("name", "`hls.js` or `watch.js`", json!({ "type": "string", "maxLength": 40 }))
        .answers_text(200, "text/javascript; charset=utf-8", "The script", &["CacheControl"])
}

/// `GET /assets/{name}`
async fn asset(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Problem> {
    let missing = || Problem::of_status(StatusCode::NOT_FOUND, None);
    let script = match name.as_str() {
        "watch.js" => Bytes::from_static(include_bytes!("../assets/watch.js")),
        "hls.js" => {
            let folder = app.config().web.as_ref().ok_or_else(missing)?;
            tokio::fs::read(folder.join("hls.js")).await.map_err(|_| missing())?.into()
        }
        _ => return Err(missing()),
    };
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
    let kept = (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Ok(([kind, kept], script).into_response())
}

/// `GET /`
async fn home(State(app): State<App>) -> Response {
    pages::home(&app.config().public_url, app.config().version)
}

/// `GET /docs`
async fn docs(State(app): State<App>) -> Response {
    pages::docs(&DOCUMENT, &app.config().public_url)
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| openapi::document(&table::routes(), env!("CARGO_PKG_VERSION")));
static DOCUMENT_TEXT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(DOCUMENT.to_string()));

fn document_doc() -> Doc {
    describe("openapi", "platform", "The API, for programs").answers(200, "Document", "This document")
}

/// `GET /openapi.json`
async fn document() -> Response {
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let anyone = (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    ([json, anyone], DOCUMENT_TEXT.clone()).into_response()
}

/// `GET /problems`
async fn problems() -> Response {
    pages::problems()
}

fn problem_doc() -> Doc {
    page_doc("problem", "One kind of problem: what happened, and what to do").path(
        "code",
        "The `code` of a problem",
        json!({ "type": "string", "pattern": "^[a-z_]+$", "maxLength": 60 }),
    )
}

/// `GET /problems/{code}`
async fn problem(Path(code): Path<String>) -> Result<Response, Problem> {
    pages::problem(&code).ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND, None))
}
