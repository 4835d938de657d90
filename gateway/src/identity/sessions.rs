//! Where a person is signed in, and how to end it from elsewhere.

use crate::answer::Answer;
use crate::app::App;
use crate::auth::Actor;
use crate::openapi::{Access, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use axum::extract::State;
use events::identity::session::EndReason;
use serde_json::json;
use vault::api::{EndSession, Sessions};

pub(super) fn list_doc() -> Doc {
    describe("sessions", "identity", "Where am I signed in?").access(Access::Person).answers(
        200,
        "Sessions",
        "The open sessions, newest first",
    )
}

/// `GET /api/auth/sessions`
pub(super) async fn list(State(app): State<App>, actor: Actor) -> Result<Answer, Problem> {
    let sessions = app.vault().sessions(&Sessions { user: actor.id, current: Some(actor.session) }).await?;
    Ok(Answer::ok(&json!({ "sessions": sessions })))
}

pub(super) fn end_doc() -> Doc {
    describe("end_session", "identity", "Sign out somewhere else")
        .text("Its tokens count no more at any gateway within a second.")
        .access(Access::Person)
        .id_of("id", "The session")
        .answers(204, "", "It is over")
}

/// `DELETE /api/auth/sessions/{id}`
pub(super) async fn end(State(app): State<App>, actor: Actor, Id(session): Id) -> Result<Answer, Problem> {
    if app.vault().end_session(&revoke(&actor, session)).await?.ended {
        app.ended(session);
        return Ok(Answer::nothing());
    }
    Err(Problem::missing("session_missing", "there is no such open session of yours"))
}

pub(super) fn end_others_doc() -> Doc {
    describe("end_other_sessions", "identity", "Sign out everywhere else").access(Access::Person).answers(
        200,
        "Ended",
        "Only the session that asks is left",
    )
}

/// `DELETE /api/auth/sessions`
pub(super) async fn end_others(State(app): State<App>, actor: Actor) -> Result<Answer, Problem> {
    let sessions = app.vault().sessions(&Sessions { user: actor.id, current: Some(actor.session) }).await?;
    let mut ended = 0;
    for session in sessions.iter().filter(|session| !session.current) {
        ended += u32::from(app.vault().end_session(&revoke(&actor, session.id)).await?.ended);
        app.ended(session.id);
    }
    Ok(Answer::ok(&json!({ "ended": ended })))
}

fn revoke(actor: &Actor, session: uuid::Uuid) -> EndSession {
    EndSession { user: actor.id, session, reason: EndReason::Revoked, by: actor.id }
}
