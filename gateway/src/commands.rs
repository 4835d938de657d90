//! `POST /api/commands`: any command as a CloudEvent, for programs. What a person may not ask over the routes, they may
//! not ask here; who they are comes from their token, never from what the event says of itself.

use crate::answer::Answer;
use crate::app::{Accepted, App, Who};
use crate::asked::Asked;
use crate::auth::Actor;
use crate::extract;
use crate::idempotency;
use crate::problem::Problem;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use cloudevents::binding::http::to_event;
use cloudevents::event::{AttributesReader, Data};
use cloudevents::message::Error as Unreadable;
use events::notification::{contact, inbox, template};
use events::{Command, identity, processing, profile, storage, video};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

/// Who may ask for a command here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// The person it is about, and admins.
    Own,
    /// Admins.
    Admin,
    /// Whoever is signed in; the rules of the aggregate know whose it is.
    Rules,
    /// Nobody from outside: the platform itself says it.
    Nobody,
    /// Nobody here: there is a route that does more than the command.
    Elsewhere(&'static str),
}

fn right(command: &Command) -> Right {
    use identity::user::Command as User;
    use inbox::Command as Inbox;
    use {processing::Command as Job, profile::Command as Profile, storage::Command as Shelf, video::Command as Video};
    match command {
        Command::User(User::Register { .. }) => Right::Elsewhere("/api/auth/register"),
        Command::User(User::RequestPasswordReset {}) => Right::Elsewhere("/api/auth/forgot-password"),
        Command::User(User::VerifyEmail {}) => Right::Elsewhere("/api/auth/verify-email"),
        Command::User(User::RequestEmailVerification {}) => Right::Own,
        Command::User(User::RecordPasswordChange { .. } | User::RecordLoginFailure { .. }) => Right::Nobody,
        Command::User(User::SetStatus { .. } | User::AssignRole { .. } | User::RevokeRole { .. } | User::Erase {}) => {
            Right::Admin
        }
        Command::Session(_) => Right::Nobody,
        Command::Profile(Profile::Create { .. } | Profile::Erase {}) => Right::Nobody,
        Command::Profile(
            Profile::Update { .. }
            | Profile::ChangeHandle { .. }
            | Profile::SetVisibility { .. }
            | Profile::UpdatePreferences { .. },
        ) => Right::Own,
        // a video's id is not its owner's: the rules know who may
        Command::Video(Video::Note { .. } | Video::CountViews { .. } | Video::PublishAsScheduled { .. }) => {
            Right::Nobody
        }
        Command::Library(_) => Right::Nobody,
        Command::Video(Video::AttachSource { .. }) => Right::Elsewhere("/api/storage/tus"),
        Command::Video(_) => Right::Rules,
        Command::Job(Job::Cancel {} | Job::Retry {}) => Right::Rules,
        Command::Job(_) => Right::Nobody,
        Command::Shelf(Shelf::DeleteFile { .. }) => Right::Own,
        Command::Shelf(Shelf::InitiateUpload(_) | Shelf::AbortUpload { .. }) => Right::Elsewhere("/api/storage/tus"),
        Command::Shelf(_) => Right::Nobody,
        Command::Inbox(
            Inbox::Notify(_) | Inbox::RecordReceipt { .. } | Inbox::Retry { .. } | Inbox::LiftSuppression { .. },
        ) => Right::Admin,
        Command::Inbox(
            Inbox::MarkRead { .. }
            | Inbox::SetPreferences(_)
            | Inbox::Unsubscribe { .. }
            | Inbox::Subscribe(_)
            | Inbox::EndSubscription { .. },
        ) => Right::Own,
        Command::Inbox(Inbox::Release { .. } | Inbox::Report { .. } | Inbox::Erase {}) => Right::Nobody,
        Command::Template(_) => Right::Admin,
        Command::Contact(contact::Command::Receive(_)) => Right::Elsewhere("/api/contact"),
        Command::Contact(contact::Command::Answer {} | contact::Command::Erase {}) => Right::Admin,
    }
}

/// `POST /api/commands`
pub(crate) async fn post(
    State(app): State<App>,
    asked: Asked,
    actor: Actor,
    request: Request,
) -> Result<Answer, Problem> {
    let (parts, body) = request.into_parts();
    let body = extract::read(body).await?;
    let asks = read(&parts.headers, body.to_vec())?;
    permit(&asks.command, asks.subject, &actor)?;
    let id = idempotency::cloudevent(actor.id, &asks.source, &asks.id);
    let digest = idempotency::digest(asks.canonical.to_string().as_bytes());
    let fingerprint = app.fingerprint_of("CE", &asks.kind, &digest);
    let command = asks.command;
    let accepted = app.send_as(Who::Person(actor), &asked, id, Some(fingerprint), asks.subject, command).await?;
    Ok(answer(&accepted, &asks.kind))
}

fn answer(accepted: &Accepted, kind: &str) -> Answer {
    Answer::of(accepted, |outcome| {
        Answer::ok(&json!({
            "id": outcome.id,
            "status": "accepted",
            "kind": kind,
            "subject": outcome.subject,
            "version": outcome.version,
            "decided_at": outcome.time,
        }))
    })
}

/// A command as a client asks for it.
#[derive(Debug)]
struct Asks {
    id: String,
    source: String,
    kind: String,
    subject: Uuid,
    command: Command,
    /// What is hashed for the fingerprint.
    canonical: Value,
}

fn read(headers: &HeaderMap, body: Vec<u8>) -> Result<Asks, Problem> {
    let event = to_event(headers, body).map_err(unreadable)?;
    let bad = |detail: &'static str| Problem::malformed("cloudevent_invalid", detail);
    let subject = event.subject().ok_or_else(|| bad("a command needs a subject: the id of what it is for"))?;
    let subject = Uuid::try_parse(subject).map_err(|_| bad("subject is not a UUID"))?;
    let data = match event.data() {
        None => json!({}),
        Some(Data::Json(data)) => data.clone(),
        Some(Data::String(text)) => extract::json(text.as_bytes())?,
        Some(Data::Binary(bytes)) => extract::json(bytes)?,
    };
    if names_reserved(&data) {
        return Err(Problem::field("field_reserved", "/data", "names that begin with $ are the platform's own"));
    }
    let kind = event.ty().to_owned();
    let canonical = json!({ "type": kind, "subject": subject, "data": data });
    let command = command(&kind, &canonical)?;
    Ok(Asks { id: event.id().to_owned(), source: event.source().to_string(), kind, subject, command, canonical })
}

fn unreadable(error: Unreadable) -> Problem {
    match error {
        Unreadable::WrongEncoding {} => {
            let detail = "send a CloudEvent: application/cloudevents+json, or JSON with ce- headers".to_owned();
            Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, Some(detail))
        }
        error => Problem::malformed("cloudevent_invalid", format!("this is not a CloudEvent: {error}")),
    }
}

/// The shapes of sealed and erased values are made by the platform only.
fn names_reserved(data: &Value) -> bool {
    match data {
        Value::Object(members) => members.iter().any(|(name, value)| name.starts_with('$') || names_reserved(value)),
        Value::Array(items) => items.iter().any(names_reserved),
        _ => false,
    }
}

fn command(kind: &str, asked: &Value) -> Result<Command, Problem> {
    let mut words = kind.split('.');
    match (words.next(), words.next()) {
        (Some("identity"), Some("user")) => fit::<identity::user::Command>(kind, asked),
        (Some("identity"), Some("session")) => fit::<identity::session::Command>(kind, asked),
        (Some("profile"), Some("profile")) => fit::<profile::Command>(kind, asked),
        (Some("storage"), Some("shelf")) => fit::<storage::Command>(kind, asked),
        (Some("video"), Some("video")) => fit::<video::Command>(kind, asked),
        (Some("processing"), Some("job")) => fit::<processing::Command>(kind, asked),
        (Some("notification"), Some("inbox")) => fit::<inbox::Command>(kind, asked),
        (Some("notification"), Some("template")) => fit::<template::Command>(kind, asked),
        (Some("notification"), Some("contact")) => fit::<contact::Command>(kind, asked),
        _ => Err(unknown(kind)),
    }
}

fn unknown(kind: &str) -> Problem {
    Problem::field("command_unknown", "/type", format!("there is no command {kind:?}"))
}

fn fit<T: DeserializeOwned + Into<Command>>(kind: &str, asked: &Value) -> Result<Command, Problem> {
    let read = serde_path_to_error::deserialize::<_, T>(asked);
    read.map(Into::into).map_err(|error| match error.to_string() {
        text if text.contains(&format!("unknown variant `{kind}`")) => unknown(kind),
        _ => Problem::field("field_invalid", "/data", error.into_inner().to_string()),
    })
}

fn permit(command: &Command, subject: Uuid, actor: &Actor) -> Result<(), Problem> {
    match right(command) {
        Right::Rules => Ok(()),
        Right::Own if subject == actor.id || actor.is_admin() => Ok(()),
        Right::Admin if actor.is_admin() => Ok(()),
        Right::Own => Err(Problem::forbidden("not_yours", "only the person or an admin may do this")),
        Right::Admin => Err(Problem::forbidden("admin_required", "only an admin may do this")),
        Right::Nobody => Err(Problem::forbidden("command_internal", "only the platform itself says this")),
        Right::Elsewhere(path) => Err(Problem::forbidden(
            "command_elsewhere",
            format!("ask for this with POST {path}, it does more than the command"),
        )),
    }
}

#[cfg(test)]
mod tests;
