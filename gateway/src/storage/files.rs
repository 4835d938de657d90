//! Files as they were uploaded: for their owner and admins. Nothing of a stranger is ever shown as a page of ours: what is
//! no plain picture, sound or film is only saved.

use super::finish::key_of;
use super::range::{Shown, answer};
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use crate::videos;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use events::storage::Command;
use projections::{file_page, video_page};
use serde_json::json;
use uuid::Uuid;

const CACHE: &str = "private, max-age=3600";

fn serving(id: &'static str, summary: &'static str) -> Doc {
    describe(id, "storage", summary)
        .text("Takes `Range` with one range, `If-Range` and `If-None-Match`.")
        .access(Access::Person)
        .reads()
        .answers_text(200, "application/octet-stream", "All of it", &["ETag", "CacheControl"])
        .answers_text(206, "application/octet-stream", "A part of it", &["ETag", "CacheControl"])
        .refuses(&[416])
}

pub(super) fn doc() -> Doc {
    serving("file", "A file as it was uploaded").id_of("id", "The file")
}

/// `GET /api/storage/files/{id}`
pub(super) async fn get(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id,
    asked: Asked,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.fresh(&asked, &["file_page"]).await?;
    serve(&app, &actor, id, &method, &headers).await
}

pub(super) fn original_doc() -> Doc {
    serving("video_original", "The file that a video was made of").id_of("id", "The video")
}

/// `GET /api/storage/videos/{id}/original`
pub(super) async fn original(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id,
    asked: Asked,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    app.fresh(&asked, &["video_page", "file_page"]).await?;
    let row = video_page::get(app.reads(), id).await?;
    let row = row.filter(|row| row.owner == actor.id || actor.is_admin()).ok_or_else(videos::missing)?;
    serve(&app, &actor, row.file.ok_or_else(missing)?, &method, &headers).await
}

async fn serve(
    app: &App,
    actor: &Actor,
    file: Uuid,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let row = file_page::get(app.reads(), file).await?;
    let row = row.filter(|row| row.owner == actor.id || actor.is_admin()).ok_or_else(missing)?;
    if row.state != "stored" {
        return Err(missing());
    }
    let mime = row.mime.as_deref().unwrap_or("application/octet-stream");
    let plain = ["video/", "audio/", "image/"].iter().any(|kind| mime.starts_with(kind)) && mime != "image/svg+xml";
    let disposition = (!plain).then(|| "attachment".to_owned());
    let mime = if plain { mime } else { "application/octet-stream" };
    let shown = Shown { mime, cache: CACHE, disposition, sandboxed: true };
    answer(app.blobs(), &key_of(file), method, headers, shown).await
}

pub(super) fn delete_doc() -> Doc {
    describe("delete_file", "storage", "Delete a file")
        .text("The file that a video was made of goes with its video.")
        .access(Access::Person)
        .id_of("id", "The file")
        .reads()
        .command()
        .answers_with(200, "FileChanged", "It is gone", DONE)
}

/// `DELETE /api/storage/files/{id}`
pub(super) async fn delete(State(app): State<App>, actor: Actor, Id(id): Id, asked: Asked) -> Result<Answer, Problem> {
    app.fresh(&asked, &["file_page"]).await?;
    let row = file_page::get(app.reads(), id).await?;
    let row = row.filter(|row| row.owner == actor.id || actor.is_admin()).ok_or_else(missing)?;
    let accepted = app.send(&actor, &asked, row.owner, Command::DeleteFile { file: id }).await?;
    Ok(Answer::of(&accepted, |_| Answer::ok(&json!({ "id": id }))))
}

fn missing() -> Problem {
    Problem::missing("file_missing", "there is no such file, or it is not shown to you")
}
