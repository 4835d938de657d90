//! Showing a profile: whole to its person and to admins, without the private parts to everybody else, not at all when it
//! is private. A person's own profile is on its way right after the registration, so it is waited for.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::extract::MaybeActor;
use crate::identity::{opened, soon};
use crate::openapi::{Access, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use crate::shapes::{Own, Profile};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use projections::profile_page::{self, Found, Row};
use projections::user_page;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// How long a profile that must come is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn own_doc() -> Doc {
    describe("profile", "profile", "My profile")
        .text("Right after the registration the profile is on its way: this waits for it up to 2 seconds.")
        .access(Access::Person)
        .reads()
        .cached()
        .refuses(&[404])
        .answers_with(200, "Profile", "The profile, whole", &["ETag"])
}

/// `GET /api/profile`
pub(super) async fn own(State(app): State<App>, actor: Actor, asked: Asked) -> Result<Answer, Problem> {
    app.fresh(&asked, &["profile_page", "user_page"]).await?;
    let row = expected(&app, actor.id).await?;
    whole(&app, row).await.map(|answer| answer.unless_known(&asked))
}

pub(super) fn of_doc() -> Doc {
    describe("user_profile", "profile", "Somebody's profile")
        .text("Whole for the person and for admins; for everybody else what is public or unlisted.")
        .access(Access::Optional)
        .id_of("id", "The person")
        .reads()
        .cached()
        .answers_with(200, "Profile", "The profile", &["ETag"])
}

/// `GET /api/users/{id}/profile`
pub(super) async fn of(
    State(app): State<App>,
    MaybeActor(actor): MaybeActor,
    Id(user): Id,
    asked: Asked,
) -> Result<Answer, Problem> {
    app.fresh(&asked, &["profile_page", "user_page"]).await?;
    let row = match &actor {
        Some(actor) if actor.id == user => expected(&app, user).await?,
        _ => profile_page::get(app.reads(), user).await?.ok_or_else(missing)?,
    };
    shown(&app, actor.as_ref(), row).await.map(|answer| answer.unless_known(&asked))
}

pub(super) fn by_handle_doc() -> Doc {
    describe("profile_by_handle", "profile", "The profile with a handle")
        .text("An old handle leads to the one that its person has now, until somebody else takes it.")
        .access(Access::Optional)
        .path("handle", "The handle", json!({ "type": "string", "minLength": 1, "maxLength": 60 }))
        .reads()
        .cached()
        .answers_with(200, "Profile", "The profile", &["ETag"])
        .answers_with(308, "", "It has another handle now", &["Location"])
}

/// `GET /api/profiles/{handle}`
pub(super) async fn by_handle(
    State(app): State<App>,
    MaybeActor(actor): MaybeActor,
    Path(handle): Path<String>,
    asked: Asked,
) -> Result<Answer, Problem> {
    app.fresh(&asked, &["profile_page", "user_page"]).await?;
    match find(&app, &handle).await?.ok_or_else(missing)? {
        Found::MovedTo(handle) => {
            Ok(Answer::bare(StatusCode::PERMANENT_REDIRECT).location(&format!("/api/profiles/{handle}")))
        }
        Found::Page(row) => shown(&app, actor.as_ref(), *row).await.map(|answer| answer.unless_known(&asked)),
    }
}

/// What a handle leads to. Handles are lower case, addresses are typed by people.
pub(crate) async fn find(app: &App, handle: &str) -> Result<Option<Found>, Problem> {
    let handle = handle.to_lowercase();
    // no handle is longer, and Postgres takes no NUL
    if handle.len() > 60 || handle.contains('\0') {
        return Ok(None);
    }
    Ok(profile_page::by_handle(app.reads(), &handle).await?)
}

/// The profile that somebody with an account has, or will have in a moment.
pub(super) async fn expected(app: &App, user: Uuid) -> Result<Row, Problem> {
    if let Some(row) = soon(app, PATIENCE, async || Ok(profile_page::get(app.reads(), user).await?)).await? {
        return Ok(row);
    }
    match user_page::get(app.reads(), user).await? {
        Some(account) if account.status == "erased" => Err(missing()),
        _ => Err(Problem::unavailable("projection_behind", "the profile is on its way, try again shortly", 1)),
    }
}

async fn shown(app: &App, actor: Option<&Actor>, row: Row) -> Result<Answer, Problem> {
    match actor {
        Some(actor) if actor.id == row.user_id || actor.is_admin() => whole(app, row).await,
        _ if row.visibility == "private" => Err(missing()),
        _ => Ok(tagged(Profile::new(row, None), "-public")),
    }
}

/// The profile with what only its person and admins see.
pub(super) async fn whole(app: &App, mut row: Row) -> Result<Answer, Problem> {
    let account = user_page::get(app.reads(), row.user_id).await?;
    let (username, sealed) = account.map(|account| (account.username, account.email_sealed)).unwrap_or_default();
    let own = Own { username, email: opened(app, sealed).await?, preferences: row.preferences.take() };
    Ok(tagged(Profile::new(row, Some(own)), ""))
}

/// With the version as the tag; what others see is not what its person sees, so its tag is another.
fn tagged(profile: Profile, view: &str) -> Answer {
    Answer::ok(&profile).tag(&format!("\"{}{view}\"", profile.version))
}

pub(super) fn missing() -> Problem {
    Problem::missing("profile_missing", "there is no such profile, or it is not shown to you")
}
