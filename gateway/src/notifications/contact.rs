//! The contact form: anybody writes, admins read. The key that seals what is written is made before it is sent, so nothing
//! of it ever lies open; a program that fills the field nobody sees hears what everybody hears, and nothing is kept.

use super::shapes::ContactForm;
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::extract::{Admin, Body, MaybeActor};
use crate::identity::is_email;
use crate::lists::Page;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use events::Personal;
use events::notification::contact::{Command, Letter, MESSAGE, NAME, SUBJECT};
use projections::contact_page::{self, Row, Search};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;
use vault::api::{KeyMaking, MakeKey};

pub(super) fn send_doc() -> Doc {
    let example = json!({
        "name": "Ada", "email": "ada@example.org", "subject": "A question", "message": "Do you build bridges?",
    });
    describe("contact", "notifications", "Write to the people behind this site")
        .text("Leave `website` empty: it is there for programs that fill in everything. A few of these in a quarter of an hour are \
            taken from one address, whoever is signed in.")
        .access(Access::Optional)
        .body("ContactForm", example)
        .command()
        .answers_with(201, "ContactTaken", "It is taken, and will be read", DONE)
}

/// `POST /api/contact`
pub(super) async fn send(
    State(app): State<App>,
    actor: MaybeActor,
    asked: Asked,
    Body(form): Body<ContactForm>,
) -> Result<Answer, Problem> {
    let trap = form.website.as_deref().is_some_and(|text| !text.trim().is_empty());
    let letter = checked(form)?;
    let id = app.new_id(&asked)?;
    if trap {
        tracing::info!("somebody fell into the trap of the contact form");
        return Ok(taken(id).etag(1));
    }
    if app.vault().make_key(&MakeKey { about: id }).await? == KeyMaking::Erased {
        return Err(Problem::new(StatusCode::GONE, "person_erased", "this message was erased"));
    }
    let accepted = app.send(actor, &asked, id, Command::Receive(letter)).await?;
    Ok(Answer::of(&accepted, |_| taken(id)))
}

/// Whoever wrote it cannot look at it again, so it has no place.
fn taken(id: Uuid) -> Answer {
    Answer::json(StatusCode::CREATED, &json!({ "id": id, "message": "thank you, somebody will read this" }))
}

/// Everything that is wrong at once: people fill in forms once more, not four times.
fn checked(form: ContactForm) -> Result<Letter, Problem> {
    let ContactForm { name, email, subject, message, .. } = form;
    let [name, email, subject, message] = [name, email, subject, message].map(|text| text.trim().to_owned());
    let fits = |text: &str, most: usize, lines: bool| {
        let bad = |c: char| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t'));
        (1..=most).contains(&text.chars().count()) && !text.contains(bad)
    };
    let wrong = [
        (fits(&name, NAME, false), "/name", format!("a name is 1 to {NAME} characters on one line")),
        (is_email(&email), "/email", "this is not an e-mail address".to_owned()),
        (fits(&subject, SUBJECT, false), "/subject", format!("a subject is 1 to {SUBJECT} characters on one line")),
        (fits(&message, MESSAGE, true), "/message", format!("a message is 1 to {MESSAGE} characters")),
    ];
    let wrong: Vec<_> = wrong.into_iter().filter(|(fine, ..)| !fine).collect();
    if wrong.is_empty() {
        let [name, email, subject, message] = [name, email, subject, message].map(Personal::new);
        return Ok(Letter { name, email, subject, message });
    }
    let problem = Problem::invalid("invalid", "not everything in the form is acceptable, `errors` says what is not");
    Err(wrong.into_iter().fold(problem, |problem, (_, pointer, detail)| problem.and(pointer, detail)))
}

pub(super) fn list_doc() -> Doc {
    describe("contact_messages", "notifications", "What people wrote, newest first")
        .access(Access::Admin)
        .query("state", "Only these", json!({ "type": "string", "enum": ["waiting", "answered"] }))
        .query("limit", "At most so many", json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 20 }))
        .query("after", "`next` of the page before", json!({ "type": "string", "maxLength": 100 }))
        .reads()
        .answers_with(200, "ContactMessages", "A page of them", &["Link"])
}

/// What the list is narrowed by.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    state: Option<Standing>,
    limit: Option<u8>,
    after: Option<String>,
}

/// The states of a message on the page.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    Waiting,
    Answered,
}

/// A message as admins see it.
#[derive(Serialize)]
struct Message {
    id: Uuid,
    name: Option<String>,
    email: Option<String>,
    subject: Option<String>,
    message: Option<String>,
    state: String,
    received_at: DateTime<Utc>,
    answered_at: Option<DateTime<Utc>>,
    version: i64,
}

/// `GET /api/contact`
pub(super) async fn list(
    State(app): State<App>,
    _: Admin,
    asked: Asked,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Answer, Problem> {
    let Query(wanted) = wanted.map_err(|error| Problem::malformed("query_invalid", error.body_text()))?;
    let state = wanted.state.map(|state| match state {
        Standing::Waiting => "waiting",
        Standing::Answered => "answered",
    });
    let filters = state.map(|state| format!("state={state}&")).unwrap_or_default();
    let page = Page::wanted(&app, &asked, "", filters, wanted.limit, wanted.after.as_deref())?;
    app.fresh(&asked, &["contact_page"]).await?;
    let search = Search { state: state.map(str::to_owned), after: page.after, limit: page.rows() };
    let mut rows = contact_page::search(app.reads(), &search).await?;
    let next = page.cut(&mut rows, |row| (row.received_at, row.contact_id));
    page.answer(&opened(&app, rows).await?, next)
}

/// The rows in the clear, opened all at once.
async fn opened(app: &App, rows: Vec<Row>) -> Result<Vec<Message>, Problem> {
    let fields = |row: &Row| {
        [row.name_sealed.clone(), row.email_sealed.clone(), row.subject_sealed.clone(), row.message_sealed.clone()]
    };
    let sealed: Vec<String> = rows.iter().flat_map(fields).flatten().collect();
    let mut texts = app.bus().keyring().open_text(&sealed).await?.into_iter();
    let mut open = |sealed: Option<String>| sealed.and_then(|_| texts.next().flatten());
    let shown = rows.into_iter().map(|row| {
        let [name, email, subject, message] = fields(&row).map(&mut open);
        let Row { contact_id: id, state, received_at, answered_at, version, .. } = row;
        Message { id, name, email, subject, message, state, received_at, answered_at, version }
    });
    Ok(shown.collect())
}

pub(super) fn answered_doc() -> Doc {
    describe("answer_contact", "notifications", "Note that what somebody wrote was answered")
        .access(Access::Admin)
        .id_of("id", "The message")
        .command()
        .if_match()
        .answers_with(200, "ContactChanged", "So it is", DONE)
}

/// `POST /api/contact/{id}/answered`
pub(super) async fn answered(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
    asked: Asked,
) -> Result<Answer, Problem> {
    let accepted = app.send(&admin, &asked, id, Command::Answer {}).await?;
    Ok(Answer::of(&accepted, |outcome| Answer::ok(&json!({ "id": id, "version": outcome.version }))))
}

pub(super) fn erase_doc() -> Doc {
    describe("erase_contact", "notifications", "Forget what somebody wrote")
        .text("The key to it is destroyed. It cannot be undone. Asking again is no mistake.")
        .access(Access::Admin)
        .id_of("id", "The message")
        .command()
        .if_match()
        .answers_with(204, "", "It is forgotten", DONE)
}

/// `DELETE /api/contact/{id}`
pub(super) async fn erase(State(app): State<App>, admin: Admin, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    let accepted = app.send(&admin, &asked, id, Command::Erase {}).await?;
    Ok(Answer::of(&accepted, |_| Answer::nothing()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(change: impl FnOnce(&mut ContactForm)) -> Result<Letter, Problem> {
        let mut form = ContactForm {
            name: " Ada ".into(),
            email: "ada@example.org".into(),
            subject: "Hello".into(),
            message: "Two\nlines".into(),
            website: None,
        };
        change(&mut form);
        checked(form)
    }

    #[test]
    fn spaces_around_are_nothing() {
        let letter = form(|_| {}).expect("acceptable");
        assert_eq!(letter.name.open().map(String::as_str), Some("Ada"));
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let pointers = |problem: Problem| {
            assert_eq!(problem.code(), "invalid");
            let page = serde_json::to_value(problem.page("", Default::default())).expect("JSON");
            let errors = page["errors"].as_array().expect("errors").clone();
            errors.iter().map(|one| one["pointer"].as_str().expect("a pointer").to_owned()).collect::<Vec<_>>()
        };
        let empty: ContactForm = serde_json::from_str("{}").expect("nothing is required by the reader");
        assert_eq!(pointers(checked(empty).expect_err("empty")), ["/name", "/email", "/subject", "/message"]);
        let bad = form(|form| (form.name, form.email) = ("a\nb".into(), "ada@example".into())).expect_err("bad");
        assert_eq!(pointers(bad), ["/name", "/email"]);
        let long = form(|form| form.message = "x".repeat(MESSAGE + 1)).expect_err("too long");
        assert_eq!(pointers(long), ["/message"]);
    }
}
