//! `POST /api/users/{id}/toggle-status`: the one button of an older client. What is sent is the status that shall be and
//! the version that was seen, so two clicks at once are one change and one 412 instead of two changes that cancel out.

use super::change::word;
use super::show::{missing, user};
use crate::answer::Answer;
use crate::app::{Accepted, App};
use crate::asked::{Asked, IfMatch};
use crate::extract::Admin;
use crate::identity::{opened, soon};
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use events::identity::user::{Command, Status};
use projections::user_page::Row;
use projections::{profile_page, user_page};
use std::time::Duration;

/// How long the page may take to show the change before it is answered: the next click shall see it.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn doc() -> Doc {
    describe("toggle_status", "users", "Suspend an account, or reactivate it")
        .text("The opposite of what it is. Two at once do not cancel out: the second is answered with `412`. `PUT /api/users/{id}` \
            says the status that shall be, which is better.")
        .access(Access::Admin)
        .id_of("id", "The person")
        .reads()
        .command()
        .if_match()
        .answers_with(200, "User", "The account as it is now", DONE)
}

/// `POST /api/users/{id}/toggle-status`
pub(super) async fn toggle(State(app): State<App>, admin: Admin, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    app.fresh(&asked, &["user_page"]).await?;
    let wanted = asked.if_match()?.filter(|seen| *seen != IfMatch::Any);
    let mut row = user_page::get(app.reads(), id).await?.ok_or_else(missing)?;
    let status = match row.status.as_str() {
        "active" => Status::Suspended,
        "suspended" => Status::Active,
        _ => return Err(missing()),
    };
    let outcome = loop {
        let seen = wanted.unwrap_or(IfMatch::Version(row.version.unsigned_abs()));
        let command = Command::SetStatus { status, reason: None };
        match app.send_expecting(&admin, &asked, Some(seen), id, command).await {
            Ok(Accepted::Later(operation)) => return Ok(Answer::later(operation)),
            Ok(Accepted::Done(outcome)) => break outcome,
            Err(stale) if stale.status() == StatusCode::PRECONDITION_FAILED && wanted.is_none() => {
                row = unchanged(&app, row).await?.ok_or(stale)?;
            }
            Err(problem) => return Err(problem),
        }
    };
    let visible = app.reads().wait_for(&["user_page"], outcome.position, PATIENCE).await?;
    let now = if visible { user_page::get(app.reads(), id).await? } else { None };
    // what is shown first: a repetition under one key is answered with what is, not with what another click would do
    let row = now.unwrap_or_else(|| {
        let (status, version) = (word(status).to_owned(), outcome.version.cast_signed());
        Row { status, version, updated_at: outcome.time, ..row }
    });
    let (email, version) = (opened(&app, row.email_sealed.clone()).await?, row.version.unsigned_abs());
    let profile = profile_page::get(app.reads(), id).await?;
    Ok(Answer::ok(&user(row, email, profile)).etag(version))
}

/// The account in a later version, if what happened to it meanwhile was not about its status: a failed sign-in is an
/// event too, and nobody who makes some shall keep an admin from suspending.
async fn unchanged(app: &App, row: Row) -> Result<Option<Row>, Problem> {
    let later = |now: &Row| now.version > row.version;
    let now = soon(app, PATIENCE, async || Ok(user_page::get(app.reads(), row.id).await?.filter(later))).await?;
    Ok(now.filter(|now| now.status == row.status))
}
