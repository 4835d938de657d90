//! Preferences: how somebody likes things, by name. Only the person and admins see and change them.

use super::show::{expected, missing};
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::extract::Body;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use crate::shapes::PreferencesChange;
use axum::extract::State;
use events::profile::Command;
use projections::profile_page::{self, Row};
use serde_json::json;
use uuid::Uuid;

pub(super) fn own_doc() -> Doc {
    shown("preferences", "My preferences")
}

pub(super) fn of_doc() -> Doc {
    shown("user_preferences", "Somebody's preferences")
        .id_of("id", "The person: oneself, unless an admin asks")
        .refuses(&[403])
}

fn shown(id: &'static str, summary: &'static str) -> Doc {
    describe(id, "profile", summary).access(Access::Person).reads().cached().refuses(&[404]).answers_with(
        200,
        "Preferences",
        "The preferences",
        &["ETag"],
    )
}

/// `GET /api/profile/preferences`
pub(super) async fn own(State(app): State<App>, actor: Actor, asked: Asked) -> Result<Answer, Problem> {
    app.fresh(&asked, &["profile_page"]).await?;
    Ok(tell(&asked, &expected(&app, actor.id).await?))
}

/// `GET /api/users/{id}/preferences`
pub(super) async fn of(State(app): State<App>, actor: Actor, Id(user): Id, asked: Asked) -> Result<Answer, Problem> {
    if actor.id != user && !actor.is_admin() {
        return Err(Problem::forbidden("not_yours", "only the person or an admin sees preferences"));
    }
    app.fresh(&asked, &["profile_page"]).await?;
    Ok(tell(&asked, &profile_page::get(app.reads(), user).await?.ok_or_else(missing)?))
}

fn tell(asked: &Asked, row: &Row) -> Answer {
    let body = json!({ "user_id": row.user_id, "preferences": row.preferences, "version": row.version });
    Answer::ok(&body).tag(&format!("\"{}\"", row.version)).unless_known(asked)
}

pub(super) fn change_own_doc() -> Doc {
    change("change_preferences", "Change my preferences")
}

pub(super) fn change_of_doc() -> Doc {
    change("change_user_preferences", "Change somebody's preferences")
        .id_of("id", "The person: oneself, unless an admin asks")
}

fn change(id: &'static str, summary: &'static str) -> Doc {
    describe(id, "profile", summary)
        .text("What is given changes, what is absent stays, `null` removes. At most 50 are kept.")
        .access(Access::Person)
        .body("PreferencesChange", json!({ "theme": "dark", "autoplay": false, "volume": 70 }))
        .command()
        .if_match()
        .answers_with(200, "PreferencesChanged", "So it is; `preferences` is what was given", DONE)
}

/// `PUT /api/profile/preferences`
pub(super) async fn change_own(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    Body(input): Body<PreferencesChange>,
) -> Result<Answer, Problem> {
    update(&app, &actor, &asked, actor.id, input).await
}

/// `PUT /api/users/{id}/preferences`: the rules know who may.
pub(super) async fn change_of(
    State(app): State<App>,
    actor: Actor,
    Id(user): Id,
    asked: Asked,
    Body(input): Body<PreferencesChange>,
) -> Result<Answer, Problem> {
    update(&app, &actor, &asked, user, input).await
}

async fn update(
    app: &App,
    actor: &Actor,
    asked: &Asked,
    user: Uuid,
    input: PreferencesChange,
) -> Result<Answer, Problem> {
    let preferences = input.into_map();
    let accepted =
        app.send(actor, asked, user, Command::UpdatePreferences { preferences: preferences.clone() }).await?;
    Ok(Answer::of(&accepted, |outcome| {
        Answer::ok(&json!({ "user_id": user, "preferences": preferences, "version": outcome.version }))
    }))
}
