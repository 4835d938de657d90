//! Texts of messages: admins make drafts, look at what becomes of them, publish and retire them. What this platform brings
//! along counts until somebody publishes another in the same language.

use super::shapes::{TemplatePreview, TemplatePublication, TemplatePut};
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::{Admin, Body};
use crate::lists::Page;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use events::notification::template::{Command, Text, of_key};
use projections::template_page::{self, Draft, Row};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use templates::{Fault, Rendered, Unfit};

/// In what language a message is that nobody wished another for.
pub(super) const LOCALE: &str = "en";

fn keyed(doc: Doc) -> Doc {
    doc.path("key", "The template", json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": 60 }))
}

pub(super) fn list_doc() -> Doc {
    describe("templates", "notifications", "Texts of messages, newest first")
        .text("Those that the platform brings along are found under their keys when nobody put others: `appointment_confirmation`.")
        .access(Access::Admin)
        .query("limit", "At most so many", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }))
        .query("after", "`next` of the page before", json!({ "type": "string", "maxLength": 100 }))
        .reads()
        .answers_with(200, "Templates", "A page of them", &["Link"])
}

/// How much of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    limit: Option<u8>,
    after: Option<String>,
}

/// `GET /api/notifications/templates`
pub(super) async fn list(
    State(app): State<App>,
    _: Admin,
    asked: Asked,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Answer, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::malformed("query_invalid", error.body_text()))?;
    let page = Page::wanted(&app, &asked, "", String::new(), wanted.limit, wanted.after.as_deref())?;
    app.fresh(&asked, &["template_page"]).await?;
    let mut rows = template_page::list(app.reads(), page.after, page.rows()).await?;
    let next = page.cut(&mut rows, |row| (row.created_at, row.template_id));
    page.answer(&rows.iter().map(shown).collect::<Vec<_>>(), next)
}

pub(super) fn put_doc() -> Doc {
    let example = json!({
        "key": "appointment_confirmation", "locale": "de-AT", "subject": "Termin: {{ title }}",
        "text": "Servus{% if name %} {{ name }}{% endif %}! {{ title }}, {{ starts_at }}",
        "html": "<p>Servus {{ name }}!</p>",
        "variables": [{ "name": "title" }, { "name": "starts_at" }, { "name": "name", "required": false }],
    });
    describe("put_template", "notifications", "Make a draft of a text")
        .text("In the syntax of Jinja, with `if`, `for` and a few filters. Everything that is used is declared; what is put into \
            `html` is escaped. A draft never changes and nothing is sent by it before it is published.")
        .access(Access::Admin)
        .body("TemplatePut", example)
        .command()
        .if_match()
        .answers_with(201, "TemplateDrafted", "There is a draft", &[DONE, &["Location"]].concat())
}

/// `POST /api/notifications/templates`
pub(super) async fn put(
    State(app): State<App>,
    admin: Admin,
    asked: Asked,
    Body(said): Body<TemplatePut>,
) -> Result<Answer, Problem> {
    let key = said.key.clone();
    let text = said.into_text();
    templates::check(&key, &text).map_err(unfit)?;
    let accepted = app.send(&admin, &asked, of_key(&key), Command::Put { key: key.clone(), text }).await?;
    Ok(Answer::of(&accepted, |outcome| {
        // the number of a draft is the version that it made
        let body = json!({ "key": key, "draft": outcome.version, "version": outcome.version });
        Answer::created(&format!("/api/notifications/templates/{key}"), &body)
    }))
}

/// The same that the rules would say, and where.
fn unfit(Unfit { field, code, why }: Unfit) -> Problem {
    Problem::field(code, format!("/{field}"), why)
}

pub(super) fn show_doc() -> Doc {
    keyed(describe("template", "notifications", "A template: what is sent, and the newest drafts"))
        .access(Access::Admin)
        .reads()
        .cached()
        .answers_with(200, "Template", "The template", &["ETag"])
}

/// `GET /api/notifications/templates/{key}`
pub(super) async fn show(
    State(app): State<App>,
    _: Admin,
    Path(key): Path<String>,
    asked: Asked,
) -> Result<Answer, Problem> {
    app.fresh(&asked, &["template_page"]).await?;
    let Some(row) = template_page::get(app.reads(), &key).await? else {
        let texts = templates::built_in(&key);
        if texts.is_empty() {
            return Err(missing());
        }
        let locales: Map<String, Value> = texts.iter().map(|text| (text.locale.clone(), json!(0))).collect();
        let drafts: Vec<_> = texts.iter().map(|text| json!({ "draft": 0, "sent": true, "text": text })).collect();
        return Ok(Answer::ok(&json!({ "key": key, "state": "built_in", "published": locales, "drafts": drafts })));
    };
    let drafts = template_page::current(app.reads(), &key).await?;
    let mut body = shown(&row);
    body["drafts"] = drafts.into_iter().map(|draft| shown_draft(&row, draft)).collect();
    Ok(Answer::ok(&body).etag(row.version.unsigned_abs()).unless_known(&asked))
}

fn shown(row: &Row) -> Value {
    json!({
        "key": row.key, "state": row.state, "published": row.published, "newest": row.newest,
        "created_at": row.created_at, "updated_at": row.updated_at, "version": row.version,
    })
}

fn shown_draft(row: &Row, draft: Draft) -> Value {
    let (number, sent, created_at) = (draft.draft, row.sends(&draft), draft.created_at);
    json!({ "draft": number, "sent": sent, "created_at": created_at, "text": Text::from(draft) })
}

fn missing() -> Problem {
    Problem::missing("template_missing", "there is no such template")
}

pub(super) fn publish_doc() -> Doc {
    keyed(describe("publish_template", "notifications", "Send by this draft from now on, in its language"))
        .access(Access::Admin)
        .body("TemplatePublication", json!({ "draft": 3 }))
        .command()
        .if_match()
        .answers_with(200, "TemplateChanged", "So it is", DONE)
}

/// `POST /api/notifications/templates/{key}/publish`
pub(super) async fn publish(
    State(app): State<App>,
    admin: Admin,
    Path(key): Path<String>,
    asked: Asked,
    Body(TemplatePublication { draft }): Body<TemplatePublication>,
) -> Result<Answer, Problem> {
    obey(&app, &admin, &asked, &key, Command::Publish { draft }).await
}

pub(super) fn retire_doc() -> Doc {
    keyed(describe("retire_template", "notifications", "Send nothing by a template any more"))
        .text("What the platform brings along counts again, if it brings any. Drafts stay and can be published again.")
        .access(Access::Admin)
        .command()
        .if_match()
        .answers_with(200, "TemplateChanged", "So it is", DONE)
}

/// `DELETE /api/notifications/templates/{key}`
pub(super) async fn retire(
    State(app): State<App>,
    admin: Admin,
    Path(key): Path<String>,
    asked: Asked,
) -> Result<Answer, Problem> {
    obey(&app, &admin, &asked, &key, Command::Retire {}).await
}

async fn obey(app: &App, admin: &Admin, asked: &Asked, key: &str, command: Command) -> Result<Answer, Problem> {
    let accepted = app.send(admin, asked, of_key(key), command).await?;
    Ok(Answer::of(&accepted, |outcome| Answer::ok(&json!({ "key": key, "version": outcome.version }))))
}

pub(super) fn preview_doc() -> Doc {
    keyed(describe("preview_template", "notifications", "What a text says with this data in it"))
        .text("Of a draft, or of what would be sent to somebody who prefers this language. Nothing is sent.")
        .access(Access::Admin)
        .body(
            "TemplatePreview",
            json!({ "locale": "de-AT", "data": { "title": "Fitting", "starts_at": "Monday, 9:00" } }),
        )
        .reads()
        .answers(200, "TemplateRendered", "The message")
}

/// `POST /api/notifications/templates/{key}/preview`
pub(super) async fn preview(
    State(app): State<App>,
    _: Admin,
    Path(key): Path<String>,
    asked: Asked,
    Body(wanted): Body<TemplatePreview>,
) -> Result<Answer, Problem> {
    app.fresh(&asked, &["template_page"]).await?;
    let TemplatePreview { locale, draft, data } = wanted;
    let message = match draft {
        None => rendered(&app, &key, locale.as_deref().unwrap_or(LOCALE), &data).await?,
        Some(draft) => {
            let draft = template_page::draft(app.reads(), &key, draft).await?;
            let draft = draft.ok_or_else(|| Problem::missing("draft_missing", "this template has no such draft"))?;
            templates::render_text(&draft.into(), &data).map_err(misfit)?
        }
    };
    let Rendered { locale, subject, text, html } = message;
    Ok(Answer::ok(&json!({ "locale": locale, "subject": subject, "text": text, "html": html })))
}

/// The message that is sent by this template to somebody who prefers this language.
///
/// # Errors
/// There is no such template, nothing of it is published, or the data does not fit it.
pub(super) async fn rendered(
    app: &App,
    key: &str,
    locale: &str,
    data: &Map<String, Value>,
) -> Result<Rendered, Problem> {
    let mut texts = template_page::published(app.reads(), key).await?;
    texts.extend(templates::built_in(key));
    if texts.is_empty() {
        let detail = "there is no such template, or nothing of it is published";
        return Err(Problem::missing("template_missing", detail));
    }
    templates::render(&texts, locale, data).map_err(misfit)
}

fn misfit(fault: Fault) -> Problem {
    match fault {
        Fault::Speechless(_) => Problem::field(fault.code(), "/locale", fault.to_string()),
        fault => Problem::field(fault.code(), "/data", fault.to_string()),
    }
}
