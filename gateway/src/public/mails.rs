//! `GET /dev/mail`: mails that were written to files because no mail server is named, for whoever tries Reprise at home.
//! They hold tokens, so they are shown on the machine itself only: to a caller at this machine, under a local name (a page
//! elsewhere cannot give itself one), of a platform that calls itself local. Everybody else finds nothing here.

use crate::app::App;
use crate::asked::Asked;
use crate::openapi::{Doc, doc as describe};
use crate::page::{self, Page};
use crate::path::Id;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use mail_parser::{Message, MessageParser};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use uuid::Uuid;

const PAGE: &str = "text/html; charset=utf-8";
/// The newest so many are listed.
const LISTED: usize = 100;

pub(super) fn list_doc() -> Doc {
    describe("dev_mails", "platform", "Mails that were written to files, newest first")
        .text("On the machine itself only, and only while no mail server is named.")
        .answers_text(200, PAGE, "A page", &[])
        .refuses(&[404])
}

pub(super) fn one_doc() -> Doc {
    describe("dev_mail", "platform", "A mail that was written to a file").id_of("id", "The mail").answers_text(
        200,
        PAGE,
        "The mail as it looks",
        &[],
    )
}

/// A mail in the list.
#[derive(Serialize)]
struct Line {
    id: Uuid,
    to: String,
    subject: String,
    at: String,
    #[serde(skip)]
    written: SystemTime,
}

/// `GET /dev/mail`
pub(super) async fn list(State(app): State<App>, headers: HeaderMap, asked: Asked) -> Result<Response, Problem> {
    let folder = folder(&app, &headers, &asked)?;
    let mails =
        tokio::task::spawn_blocking(move || newest(&folder)).await.map_err(|error| Problem::internal(&error))?;
    Ok(kept_by_nobody(page::html(StatusCode::OK, Page::Mails, context! { mails => Value::from(Serde(mails)) })))
}

/// `GET /dev/mail/{id}`
pub(super) async fn one(
    State(app): State<App>,
    headers: HeaderMap,
    Id(id): Id,
    asked: Asked,
) -> Result<Response, Problem> {
    let file = folder(&app, &headers, &asked)?.join(format!("{id}.eml"));
    let bytes = tokio::fs::read(file).await.map_err(|_| no_mail())?;
    let mail = MessageParser::default().parse(&bytes).ok_or_else(no_mail)?;
    let html = mail.body_html(0).ok_or_else(no_mail)?.into_owned();
    Ok(kept_by_nobody(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()))
}

/// A mail shows itself and its links, and does nothing.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation",
);

/// Where the mails are, for those who may see them.
fn folder(app: &App, headers: &HeaderMap, asked: &Asked) -> Result<PathBuf, Problem> {
    let folder = app.config().mails.clone().ok_or_else(nothing)?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let relayed = ["forwarded", "x-forwarded-for", "via"].iter().any(|name| headers.contains_key(*name));
    let here = asked.address().is_loopback() && is_local(host) && is_local_url(&app.config().public_url);
    (here && !relayed).then_some(folder).ok_or_else(nothing)
}

fn is_local_url(url: &str) -> bool {
    url.split_once("://").is_some_and(|(_, rest)| is_local(rest.split('/').next().unwrap_or_default()))
}

/// Whether `name:port` is this machine's name for itself.
fn is_local(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    ["localhost", "127.0.0.1", "[::1]"].contains(&name)
}

fn nothing() -> Problem {
    Problem::missing("not_found", "there is nothing at this address")
}

fn no_mail() -> Problem {
    Problem::missing("mail_missing", "there is no such mail")
}

fn newest(folder: &Path) -> Vec<Line> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut mails: Vec<Line> = files.filter_map(|file| line(&file.path())).collect();
    mails.sort_by_key(|mail| std::cmp::Reverse(mail.written));
    mails.truncate(LISTED);
    mails
}

fn line(file: &Path) -> Option<Line> {
    let id = Uuid::try_parse(file.file_name()?.to_str()?.strip_suffix(".eml")?).ok()?;
    let written = file.metadata().ok()?.modified().ok()?;
    let bytes = std::fs::read(file).ok()?;
    let mail = MessageParser::default().parse_headers(&bytes)?;
    let at = chrono::DateTime::<chrono::Utc>::from(written).format("%-d %B, %H:%M:%S UTC").to_string();
    Some(Line { id, to: to(&mail), subject: mail.subject().unwrap_or_default().to_owned(), at, written })
}

fn to(mail: &Message<'_>) -> String {
    let address = mail.to().and_then(|to| to.first()).and_then(|to| to.address());
    address.unwrap_or_default().to_owned()
}

fn kept_by_nobody(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_here() {
        for host in ["localhost:3000", "127.0.0.1:3000", "localhost", "[::1]:80"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["reprise.example", "localhost.evil.example", "10.0.0.1:3000", ""] {
            assert!(!is_local(host), "{host}");
        }
        assert!(is_local_url("http://localhost:3000") && !is_local_url("https://reprise.example/localhost"));
    }
}
