//! `POST /api/users/{id}/toggle-status`: the one button of an older client. What is sent is the status that shall be and
//! the version that was seen, so two clicks at once are one change and one 412 instead of two changes that cancel out.

use super::change::word;
use super::show::{missing, user};
use crate::answer::Answer;
use crate::app::{Accepted, App};
use crate::asked::{Asked, IfMatch};
use crate::extract::Admin;
use crate::identity::opened;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use axum::extract::State;
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
        .if_match(false)
        .answers_with(200, "User", "The account as it is now", DONE)
}

/// `POST /api/users/{id}/toggle-status`
pub(super) async fn toggle(State(app): State<App>, admin: Admin, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    app.fresh(&asked, &["user_page"]).await?;
    let row = user_page::get(app.reads(), id).await?.ok_or_else(missing)?;
    let status = match row.status.as_str() {
        "active" => Status::Suspended,
        "suspended" => Status::Active,
        _ => return Err(missing()),
    };
    let seen = match asked.if_match()? {
        None | Some(IfMatch::Any) => IfMatch::Version(row.version.unsigned_abs()),
        Some(seen) => seen,
    };
    let command = Command::SetStatus { status, reason: None };
    let outcome = match app.send_expecting(&admin, &asked, Some(seen), id, command).await? {
        Accepted::Later(operation) => return Ok(Answer::later(operation)),
        Accepted::Done(outcome) => outcome,
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
