//! Changing videos: drafts, what is said of them, who sees them, and their end. The rules know who may.

use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::extract::{Admin, Body};
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use crate::shapes::{Publication, VideoSaid};
use axum::extract::State;
use events::Personal;
use events::video::{About, Command};
use serde_json::json;
use uuid::Uuid;

/// What the person says, as it is theirs.
fn about(said: VideoSaid, person: Uuid) -> About {
    let text = |text: Option<String>| text.map(|text| Personal::about(person, text));
    About {
        title: text(said.title),
        description: text(said.description),
        tags: said.tags,
        category: said.category,
        visibility: said.visibility,
    }
}

pub(super) fn create_doc() -> Doc {
    describe("create_video", "videos", "Begin a video")
        .text("A draft; give its `id` as `video_id` when its file is uploaded.")
        .access(Access::Person)
        .body("VideoDraft", json!({ "title": "Live at the lighthouse", "tags": ["live"], "visibility": "public" }))
        .command()
        .answers_with(201, "VideoChanged", "There is a draft", DONE)
}

/// `POST /api/videos`
pub(super) async fn create(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    Body(said): Body<VideoSaid>,
) -> Result<Answer, Problem> {
    let (id, title) = (app.new_id(&asked)?, said.title.clone());
    let command = Command::Create { owner: actor.id, about: about(said, actor.id) };
    let accepted = app.send(&actor, &asked, id, command).await?;
    Ok(Answer::of(&accepted, |outcome| {
        let body = json!({
            "id": id, "user_id": actor.id, "title": title, "status": "draft", "version": outcome.version,
        });
        Answer::created(&format!("/api/videos/{id}"), &body)
    }))
}

pub(super) fn update_doc() -> Doc {
    describe("change_video", "videos", "Say something else of a video")
        .text("What is given changes, what is absent stays.")
        .access(Access::Person)
        .id_of("id", "The video")
        .body("VideoChange", json!({ "title": "Live at the old lighthouse", "tags": ["live", "2026"] }))
        .command()
        .if_match()
        .answers_with(200, "VideoChanged", "Changed, or as it was already", DONE)
}

/// `PUT /api/videos/{id}`
pub(super) async fn update(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id,
    asked: Asked,
    Body(said): Body<VideoSaid>,
) -> Result<Answer, Problem> {
    obey(&app, &actor, &asked, id, Command::Update { about: about(said, actor.id) }).await
}

pub(super) fn delete_doc() -> Doc {
    describe("delete_video", "videos", "Delete a video, with its file and everything made of it")
        .text("Wherever it stands: work on it ends, an upload for it is given up, and every byte of it goes.")
        .access(Access::Person)
        .id_of("id", "The video")
        .command()
        .if_match()
        .answers_with(200, "VideoDeleted", "It is gone", DONE)
}

/// `DELETE /api/videos/{id}`
pub(super) async fn delete(State(app): State<App>, actor: Actor, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    let accepted = app.send(&actor, &asked, id, Command::Delete {}).await?;
    Ok(Answer::of(&accepted, |outcome| {
        Answer::ok(&json!({ "id": id, "version": outcome.version, "status": "deleted" }))
    }))
}

pub(super) fn publish_doc() -> Doc {
    describe("publish_video", "videos", "Publish a video, now or later")
        .text("It has to be playable. With `at` it is published then, if it can be played by then.")
        .access(Access::Person)
        .id_of("id", "The video")
        .body("Publication", json!({ "at": "2026-12-24T18:00:00Z" }))
        .command()
        .if_match()
        .answers_with(200, "VideoChanged", "So it is", DONE)
}

/// `POST /api/videos/{id}/publish`
pub(super) async fn publish(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id,
    asked: Asked,
    Body(when): Body<Option<Publication>>,
) -> Result<Answer, Problem> {
    let command = match when.and_then(|when| when.at) {
        Some(at) => Command::Schedule { at },
        None => Command::Publish {},
    };
    obey(&app, &actor, &asked, id, command).await
}

pub(super) fn unpublish_doc() -> Doc {
    describe("unpublish_video", "videos", "Show a video to nobody but its owner")
        .access(Access::Person)
        .id_of("id", "The video")
        .command()
        .if_match()
        .answers_with(200, "VideoChanged", "So it is", DONE)
}

/// `POST /api/videos/{id}/unpublish`
pub(super) async fn unpublish(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id,
    asked: Asked,
) -> Result<Answer, Problem> {
    obey(&app, &actor, &asked, id, Command::Unpublish {}).await
}

pub(super) fn feature_doc() -> Doc {
    describe("feature_video", "videos", "Put a video among the featured ones")
        .access(Access::Admin)
        .id_of("id", "The video")
        .command()
        .if_match()
        .answers_with(200, "VideoChanged", "So it is", DONE)
}

/// `POST /api/videos/{id}/feature`
pub(super) async fn feature(State(app): State<App>, admin: Admin, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    obey(&app, &admin.0, &asked, id, Command::Feature { featured: true }).await
}

pub(super) fn unfeature_doc() -> Doc {
    describe("unfeature_video", "videos", "Take a video from among the featured ones")
        .access(Access::Admin)
        .id_of("id", "The video")
        .command()
        .if_match()
        .answers_with(200, "VideoChanged", "So it is", DONE)
}

/// `POST /api/videos/{id}/unfeature`
pub(super) async fn unfeature(
    State(app): State<App>,
    admin: Admin,
    Id(id): Id,
    asked: Asked,
) -> Result<Answer, Problem> {
    obey(&app, &admin.0, &asked, id, Command::Feature { featured: false }).await
}

async fn obey(app: &App, actor: &Actor, asked: &Asked, id: Uuid, command: Command) -> Result<Answer, Problem> {
    let accepted = app.send(actor, asked, id, command).await?;
    Ok(Answer::of(&accepted, |outcome| Answer::ok(&json!({ "id": id, "version": outcome.version }))))
}
