//! `GET /api/users/{id}`: an account with its profile, for its person and for admins.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::identity::{opened, soon};
use crate::openapi::{Access, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use crate::shapes::{Profile, User};
use axum::extract::State;
use projections::user_page::Row;
use projections::{profile_page, user_page};
use std::time::Duration;

/// How long the account of somebody who is signed in is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn doc() -> Doc {
    describe("user", "users", "An account")
        .text("For its person and for admins. An erased one is still there, with nothing but its id and dates.")
        .access(Access::Person)
        .id_of("id", "The person: oneself, unless an admin asks")
        .refuses(&[403])
        .reads()
        .cached()
        .answers_with(200, "User", "The account", &["ETag"])
}

/// `GET /api/users/{id}`
pub(super) async fn show(State(app): State<App>, actor: Actor, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    if actor.id != id && !actor.is_admin() {
        return Err(Problem::forbidden("not_yours", "only the person or an admin sees an account"));
    }
    app.fresh(&asked, &["user_page", "profile_page"]).await?;
    let patience = if actor.id == id { PATIENCE } else { Duration::ZERO };
    let row = soon(&app, patience, async || Ok(user_page::get(app.reads(), id).await?)).await?.ok_or_else(missing)?;
    let version = row.version;
    let profile = profile_page::get(app.reads(), id).await?;
    // two aggregates, two versions: If-Match is about the account, so the profile's stays out of the tag
    let answer = Answer::ok(&whole(&app, row, profile).await?).etag(version.unsigned_abs());
    Ok(answer)
}

pub(super) fn missing() -> Problem {
    Problem::missing("user_missing", "there is no such account")
}

/// The account with its address opened.
pub(super) async fn whole(app: &App, row: Row, profile: Option<profile_page::Row>) -> Result<User, Problem> {
    let email = opened(app, row.email_sealed.clone()).await?;
    Ok(user(row, email, profile))
}

/// The account as it is shown.
pub(super) fn user(row: Row, email: Option<String>, profile: Option<profile_page::Row>) -> User {
    let profile = profile.map(|profile| Profile::new(profile, None));
    User {
        id: row.id,
        username: row.username,
        email,
        email_verified: row.email_verified,
        name: profile.as_ref().and_then(|profile| profile.display_name.clone()),
        roles: row.roles,
        status: row.status,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
        profile,
    }
}
