//! Changing a profile. The answer is made of what was sent and what was decided, so it needs neither a page nor patience;
//! `Prefer: return=representation` gives the whole profile, once the page shows it.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::extract::Body;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::{Id, Whole};
use crate::problem::Problem;
use crate::profile::show;
use crate::shapes::{HandleChange, ProfileChange, VisibilityChange, personal};
use axum::extract::State;
use events::profile::Command;
use nats::Outcome;
use projections::profile_page;
use serde::Serialize;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// How long the whole profile is waited for when it is wanted.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn own_doc() -> Doc {
    change("change_profile", "Change my profile")
}

pub(super) fn of_doc() -> Doc {
    change("change_user_profile", "Change somebody's profile").id_of("id", "The person: oneself, unless an admin asks")
}

fn change(id: &'static str, summary: &'static str) -> Doc {
    describe(id, "profile", summary)
        .text("What is given changes, what is absent stays, `null` or an empty text clears. The answer says what was given; with \
            `Prefer: return=representation` it is the whole profile.")
        .access(Access::Person)
        .body("ProfileChange", json!({ "display_name": "Ada Lovelace", "website": "https://ada.example" }))
        .command()
        .if_match()
        .answers_with(200, "ProfileChanged", "Changed, or as it was already", DONE)
}

/// `PUT /api/profile`
pub(super) async fn own(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    Whole(whole): Whole,
    Body(input): Body<ProfileChange>,
) -> Result<Answer, Problem> {
    update(&app, &actor, &asked, actor.id, input, whole).await
}

/// `PUT /api/users/{id}/profile`: the rules know who may.
pub(super) async fn of(
    State(app): State<App>,
    actor: Actor,
    Id(user): Id,
    asked: Asked,
    Whole(whole): Whole,
    Body(input): Body<ProfileChange>,
) -> Result<Answer, Problem> {
    update(&app, &actor, &asked, user, input, whole).await
}

/// What was changed, in the words of all clients.
#[derive(Serialize)]
struct Changed<'a> {
    user_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<Told<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Told<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bio: Option<Told<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Told<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    website: Option<Told<'a>>,
    version: u64,
}

/// A text as it is kept: trimmed, and nothing when it is empty.
#[derive(Clone, Copy, Serialize)]
struct Told<'a>(Option<&'a str>);

fn told(text: &Option<String>) -> Option<Told<'_>> {
    text.as_deref().map(|text| Told(Some(text.trim()).filter(|text| !text.is_empty())))
}

async fn update(
    app: &App,
    actor: &Actor,
    asked: &Asked,
    user: Uuid,
    input: ProfileChange,
    whole: bool,
) -> Result<Answer, Problem> {
    let ProfileChange { display_name, bio, location, website } = &input;
    if [display_name, bio, location, website].iter().all(|field| field.is_none()) {
        let detail = "give at least one of display_name, bio, location and website";
        return Err(Problem::invalid("nothing_to_change", detail));
    }
    let command = Command::Update {
        display_name: personal(display_name),
        bio: personal(bio),
        location: personal(location),
        website: personal(website),
    };
    let accepted = app.send(actor, asked, user, command).await?;
    if let Some(outcome) = accepted.outcome().filter(|_| whole)
        && let Some(answer) = represented(app, asked, outcome).await?
    {
        return Ok(answer);
    }
    Ok(Answer::of(&accepted, |outcome| {
        Answer::ok(&Changed {
            user_id: user,
            display_name: told(display_name),
            name: told(display_name),
            bio: told(bio),
            location: told(location),
            website: told(website),
            version: outcome.version,
        })
    }))
}

/// The whole profile, if the page shows the change in time. It is done in any case, so there is no problem otherwise.
async fn represented(app: &App, asked: &Asked, outcome: &Outcome) -> Result<Option<Answer>, Problem> {
    if !app.reads().wait_for(&["profile_page"], outcome.position, PATIENCE).await? {
        return Ok(None);
    }
    let Some(row) = profile_page::get(app.reads(), outcome.subject).await? else { return Ok(None) };
    asked.note(|notes| {
        let others = notes.preference.as_ref().and_then(|applied| applied.to_str().ok());
        let all = others.into_iter().chain(["return=representation"]).collect::<Vec<_>>().join(", ");
        notes.preference = all.try_into().ok();
    });
    show::whole(app, row).await.map(Some)
}

pub(super) fn handle_doc() -> Doc {
    describe("change_handle", "profile", "Take another handle")
        .text("The old handle leads to the new one until somebody else takes it.")
        .access(Access::Person)
        .body("HandleChange", json!({ "handle": "ada-l" }))
        .command()
        .if_match()
        .answers_with(200, "HandleChanged", "It is this person's now", DONE)
}

/// `PUT /api/profile/handle`
pub(super) async fn handle(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    Body(HandleChange { handle }): Body<HandleChange>,
) -> Result<Answer, Problem> {
    let accepted = app.send(&actor, &asked, actor.id, Command::ChangeHandle { handle: handle.clone() }).await?;
    Ok(Answer::of(&accepted, |outcome| {
        Answer::ok(&json!({ "user_id": actor.id, "handle": handle, "version": outcome.version }))
    }))
}

pub(super) fn visibility_doc() -> Doc {
    describe("change_visibility", "profile", "Say who sees my profile")
        .access(Access::Person)
        .body("VisibilityChange", json!({ "visibility": "unlisted" }))
        .command()
        .if_match()
        .answers_with(200, "VisibilityChanged", "So it is", DONE)
}

/// `PUT /api/profile/visibility`
pub(super) async fn visibility(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    Body(VisibilityChange { visibility }): Body<VisibilityChange>,
) -> Result<Answer, Problem> {
    let accepted = app.send(&actor, &asked, actor.id, Command::SetVisibility { visibility }).await?;
    Ok(Answer::of(&accepted, |outcome| {
        Answer::ok(&json!({ "user_id": actor.id, "visibility": visibility, "version": outcome.version }))
    }))
}
