//! Uploads in one go, as a form sends them (RFC 7578): the same way as a resumable one, with one piece. For small files
//! and simple clients; who may lose the connection had better resume.

use super::finish::{finish, refused, unfinished};
use super::tus::{DRAINING, begin, initiation};
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::openapi::{Access, DONE, Doc, doc as describe};
use crate::problem::Problem;
use axum::extract::multipart::{Field, MultipartRejection};
use axum::extract::{Multipart, Path, State};
use axum::http::{HeaderMap, header};
use chrono::{TimeDelta, Utc};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Longest text beside the file, bytes.
const TEXT: usize = 16 * 1024;

pub(super) fn doc() -> Doc {
    let schema = json!({
        "type": "object",
        "required": ["file"],
        "properties": {
            "title": { "type": "string", "maxLength": 120 },
            "video_id": { "type": "string", "format": "uuid" },
            "file": { "type": "string", "format": "binary" },
        },
    });
    let mut doc = describe("upload", "storage", "Upload a file in one go")
        .text("A form with the file under `file`, and before it, if wanted, `title` and `video_id`.")
        .access(Access::Person)
        .path(
            "purpose",
            "What it is for",
            json!({ "type": "string", "enum": ["video", "presentation", "audio", "image"] }),
        )
        .command()
        .answers_with(201, "FileUploaded", "It is here", DONE)
        .refuses(&[413, 415]);
    doc.body = Some(json!({ "required": true, "content": { "multipart/form-data": { "schema": schema } } }));
    doc
}

/// `POST /api/storage/upload/{purpose}`
pub(super) async fn upload(
    State(app): State<App>,
    actor: Actor,
    Path(purpose): Path<String>,
    asked: Asked,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Answer, Problem> {
    let mut form = form.map_err(|error| Problem::malformed("form_invalid", error.body_text()))?;
    let answer = take(&app, &actor, purpose, &asked, &headers, &mut form).await;
    if answer.is_err() {
        // a client that is cut off in the middle of sending does not hear why
        let rest = async { while let Ok(Some(_)) = form.next_field().await {} };
        tokio::time::timeout(DRAINING, rest).await.ok();
    }
    answer
}

async fn take(
    app: &App,
    actor: &Actor,
    purpose: String,
    asked: &Asked,
    headers: &HeaderMap,
    form: &mut Multipart,
) -> Result<Answer, Problem> {
    let broken =
        |error: axum::extract::multipart::MultipartError| Problem::malformed("form_invalid", error.body_text());
    let mut said = BTreeMap::from([("purpose".to_owned(), purpose)]);
    while let Some(field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if field.file_name().is_some() || name == "file" {
            return receive(app, actor, asked, headers, said, field).await;
        }
        let text = field.text().await.map_err(broken)?;
        if text.len() > TEXT {
            return Err(Problem::malformed("form_invalid", "a text of the form is too long"));
        }
        said.insert(if name == "videoId" { "video_id".to_owned() } else { name }, text);
    }
    Err(Problem::malformed(
        "form_invalid",
        "there is no file in the form; send it under the name `file`, after the texts",
    ))
}

async fn receive(
    app: &App,
    actor: &Actor,
    asked: &Asked,
    headers: &HeaderMap,
    mut said: BTreeMap<String, String>,
    field: Field<'_>,
) -> Result<Answer, Problem> {
    if let Some(name) = field.file_name() {
        said.insert("filename".to_owned(), name.to_owned());
    }
    // how long the file is shows at its end; room is kept for all of the form
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let length = announced.ok_or_else(|| Problem::malformed("length_required", "send Content-Length with the form"))?;
    let id = app.new_id(asked)?;
    begin(app, actor, asked, initiation(actor, id, length, &said, Utc::now() + TimeDelta::hours(1))?).await?;
    app.blobs().append(id, 0, field, None).await.map_err(refused)?;
    let upload = app.blobs().shorten(id).await.map_err(unfinished)?;
    let size = finish(app, asked, &upload).await?;
    let video = said.get("video_id").and_then(|id| Uuid::try_parse(id).ok());
    let video = video.or_else(|| (said["purpose"] == "video").then(|| events::video::of_file(id)));
    let body = json!({ "id": id, "size": size, "purpose": said["purpose"], "video_id": video });
    Ok(Answer::created(&format!("/api/storage/files/{id}"), &body))
}
