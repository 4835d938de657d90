//! Resumable uploads: tus 1.0.0 with creation, creation-with-upload, expiration, checksum and termination. Room on the
//! shelf is an event; bytes are none, and lie in the blob store as far as they came.

use super::finish::{Note, failed, finish, gone, key_of, refused};
use crate::answer::Answer;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Actor;
use crate::openapi::{Access, Doc, doc as describe};
use crate::path::Id;
use crate::problem::Problem;
use crate::videos;
use axum::body::{Body, BodyDataStream};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobs::{Begun, Checksum, Upload};
use chrono::{DateTime, Utc};
use events::Personal;
use events::storage::{self, Command, Purpose};
use futures::StreamExt;
use projections::{file_page, video_page};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// The longest file of all purposes, bytes: more is refused by the rules.
const MOST: u64 = 16 << 30;

/// So much of a body that nobody wants is read, bytes, and for so long.
const DRAINED: usize = 64 << 20;
pub(super) const DRAINING: Duration = Duration::from_secs(10);

const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const VERSION: &str = "1.0.0";
const PIECE: &str = "application/offset+octet-stream";

pub(super) fn options_doc() -> Doc {
    describe("tus_options", "storage", "What of tus 1.0.0 is spoken here").answers(204, "", "In the headers Tus-*")
}

/// `OPTIONS /api/storage/tus`
pub(super) async fn options() -> Answer {
    let text = |text: &'static str| HeaderValue::from_static(text);
    resumable(Answer::nothing())
        .header(HeaderName::from_static("tus-version"), text(VERSION))
        .header(HeaderName::from_static("tus-max-size"), MOST.into())
        .header(
            HeaderName::from_static("tus-extension"),
            text("creation,creation-with-upload,expiration,checksum,termination"),
        )
        .header(HeaderName::from_static("tus-checksum-algorithm"), text("sha1,sha256"))
}

pub(super) fn create_doc() -> Doc {
    describe("tus_create", "storage", "Begin an upload (tus 1.0.0)")
        .text("`Upload-Length`, and `Upload-Metadata` with `filename`, `filetype`, `purpose` (video, presentation, audio, image; video \
            unless said), `title`, and `video_id` for the source of a draft. With a body the first piece comes along.")
        .access(Access::Person)
        .answers_with(201, "", "It may come, to the address in `Location`", &["Location"])
        .refuses(&[403, 409, 412, 413, 415, 422, 423])
}

/// `POST /api/storage/tus`
pub(super) async fn create(
    State(app): State<App>,
    actor: Actor,
    asked: Asked,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    check_version(&headers)?;
    let length = number(&headers, &LENGTH)?.ok_or_else(|| {
        Problem::malformed("upload_length_invalid", "send Upload-Length, the bytes of the whole file")
    })?;
    let said = metadata(&headers)?;
    let (id, expires) = (app.new_id(&asked)?, Utc::now() + app.config().upload_patience);
    let upload = initiation(&actor, id, length, &said, expires)?;
    begin(&app, &actor, &asked, upload).await?;
    let mut offset = 0;
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == PIECE) {
        offset = piece(&app, &asked, id, 0, &headers, &mut body.into_data_stream()).await?;
    } else if length == 0 {
        settle(&app, &asked, id).await?;
    }
    let answer = Answer::bare(StatusCode::CREATED).location(&format!("/api/storage/tus/{id}"));
    Ok(expiring(resumable(answer).header(OFFSET, offset.into()), expires))
}

/// Keeps room on the shelf, then in the store.
///
/// # Errors
/// It is for a video of somebody else, the shelf has no room, or the store fails.
pub(super) async fn begin(app: &App, actor: &Actor, asked: &Asked, upload: storage::Upload) -> Result<(), Problem> {
    let note = serde_json::to_value(Note { purpose: upload.purpose }).map_err(|error| Problem::internal(&error))?;
    let begun =
        Begun { key: key_of(upload.upload), length: upload.length, owner: actor.id, expires: upload.expires_at, note };
    let id = upload.upload;
    if let Some(video) = upload.video {
        // the rules look again when it has arrived; a draft that no page knows yet is fine
        let row = video_page::get(app.reads(), video).await?;
        if row.is_some_and(|row| row.owner != actor.id) {
            return Err(videos::missing());
        }
    }
    app.send(actor, asked, actor.id, Command::InitiateUpload(upload)).await?;
    app.blobs().begin(id, &begun).await.map_err(|fault| failed(&fault))
}

/// What is asked of the shelf.
///
/// # Errors
/// 422: a word of the metadata cannot be.
pub(super) fn initiation(
    actor: &Actor,
    upload: Uuid,
    length: u64,
    said: &BTreeMap<String, String>,
    expires_at: DateTime<Utc>,
) -> Result<storage::Upload, Problem> {
    let purpose = match said.get("purpose").map(String::as_str).unwrap_or("video") {
        "video" => Purpose::Video,
        "presentation" => Purpose::Presentation,
        "audio" => Purpose::Audio,
        "image" => Purpose::Image,
        _ => {
            let detail = "purpose is video, presentation, audio or image";
            return Err(Problem::invalid("purpose_invalid", detail));
        }
    };
    let text = |name: &str, most: usize| {
        let value = said.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())?;
        let clean: String = value.chars().filter(|c| !c.is_control()).take(most).collect();
        Some(Personal::about(actor.id, clean))
    };
    let video = said.get("video_id").filter(|id| !id.is_empty());
    let video = video.map(|id| Uuid::try_parse(id)).transpose();
    let video = video.map_err(|_| Problem::invalid("id_invalid", "video_id is not a UUID"))?;
    let (filename, title) = (text("filename", 255), text("title", 120));
    Ok(storage::Upload { upload, purpose, length, filename, title, video, expires_at })
}

pub(super) fn head_doc() -> Doc {
    describe("tus_head", "storage", "How far an upload has come (tus 1.0.0)")
        .access(Access::Person)
        .id_of("id", "The upload")
        .answers(200, "", "In the headers Upload-Offset and Upload-Length")
        .refuses(&[412])
}

/// `HEAD /api/storage/tus/{id}`
pub(super) async fn head(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    check_version(&headers)?;
    let (offset, length) = match own(&app, &actor, id).await {
        Ok(upload) => {
            if upload.offset == upload.begun.length {
                // whoever sent the last byte may not have come to tell
                finish(&app, &asked, &upload).await?;
            }
            (upload.offset, upload.begun.length)
        }
        Err(missing) => match file_page::get(app.reads(), id).await? {
            Some(row) if row.owner == actor.id && row.state == "stored" => (row.size as u64, row.size as u64),
            _ => return Err(missing),
        },
    };
    Ok(resumable(Answer::bare(StatusCode::OK)).header(OFFSET, offset.into()).header(LENGTH, length.into()))
}

pub(super) fn append_doc() -> Doc {
    let content = serde_json::json!({ PIECE: { "schema": { "type": "string", "format": "binary" } } });
    let mut doc = describe("tus_append", "storage", "Send a piece (tus 1.0.0)")
        .text("From `Upload-Offset` on. `Upload-Checksum: sha256 <base64>` makes the piece count only if it arrived as it was. What came \
            before a connection broke is kept.")
        .access(Access::Person)
        .id_of("id", "The upload")
        .answers(204, "", "Upload-Offset says where the next piece begins")
        .refuses(&[409, 412, 413, 415, 423]);
    doc.body = Some(serde_json::json!({ "required": true, "content": content }));
    doc
}

/// `PATCH /api/storage/tus/{id}`
pub(super) async fn append(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id,
    asked: Asked,
    headers: HeaderMap,
    body: Body,
) -> Result<Answer, Problem> {
    let mut bytes = body.into_data_stream();
    let answer = next_piece(&app, &actor, id, &asked, &headers, &mut bytes).await;
    if answer.is_err() {
        drain(bytes).await;
    }
    answer
}

async fn next_piece(
    app: &App,
    actor: &Actor,
    id: Uuid,
    asked: &Asked,
    headers: &HeaderMap,
    bytes: &mut BodyDataStream,
) -> Result<Answer, Problem> {
    check_version(headers)?;
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != PIECE) {
        return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, None));
    }
    let offset = number(headers, &OFFSET)?.ok_or_else(|| {
        Problem::malformed("upload_offset_invalid", "send Upload-Offset, the number of the first byte")
    })?;
    let upload = own(app, actor, id).await?;
    let offset = piece(app, asked, id, offset, headers, bytes).await?;
    Ok(expiring(resumable(Answer::nothing()).header(OFFSET, offset.into()), upload.begun.expires))
}

/// Reads on for a while when an answer is clear before the body is: a client that is cut off in the middle of sending does
/// not hear why.
async fn drain(mut bytes: BodyDataStream) {
    let mut left = DRAINED;
    let reading = async {
        while let Some(Ok(piece)) = bytes.next().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    tokio::time::timeout(DRAINING, reading).await.ok();
}

/// Takes a piece; the last one makes a file of it all.
async fn piece(
    app: &App,
    asked: &Asked,
    id: Uuid,
    offset: u64,
    headers: &HeaderMap,
    bytes: &mut BodyDataStream,
) -> Result<u64, Problem> {
    let checksum = checksum(headers)?;
    let offset = app.blobs().append(id, offset, bytes, checksum).await.map_err(refused)?;
    settle(app, asked, id).await?;
    Ok(offset)
}

async fn settle(app: &App, asked: &Asked, id: Uuid) -> Result<(), Problem> {
    let upload = app.blobs().upload(id).await.map_err(|fault| failed(&fault))?.ok_or_else(gone)?;
    if upload.offset == upload.begun.length {
        finish(app, asked, &upload).await?;
    }
    Ok(())
}

pub(super) fn abort_doc() -> Doc {
    describe("tus_abort", "storage", "Give an upload up (tus 1.0.0)")
        .access(Access::Person)
        .id_of("id", "The upload")
        .answers(204, "", "It is gone")
        .refuses(&[412, 423])
}

/// `DELETE /api/storage/tus/{id}`
pub(super) async fn abort(
    State(app): State<App>,
    actor: Actor,
    Id(id): Id,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    check_version(&headers)?;
    own(&app, &actor, id).await?;
    app.send(&actor, &asked, actor.id, Command::AbortUpload { upload: id }).await?;
    Ok(resumable(Answer::nothing()))
}

/// The upload, if it is the caller's.
async fn own(app: &App, actor: &Actor, id: Uuid) -> Result<Upload, Problem> {
    let upload = app.blobs().upload(id).await.map_err(|fault| failed(&fault))?;
    let upload = upload.filter(|upload| upload.begun.owner == actor.id).ok_or_else(gone)?;
    if upload.begun.expires < Utc::now() {
        return Err(Problem::new(StatusCode::GONE, "upload_expired", "this upload was given up, begin a new one"));
    }
    Ok(upload)
}

fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.get(RESUMABLE).is_some_and(|version| version == VERSION) {
        return Ok(());
    }
    let detail = "send Tus-Resumable: 1.0.0, the version that is spoken here";
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, "tus_version", detail))
}

fn resumable(answer: Answer) -> Answer {
    answer.header(RESUMABLE, HeaderValue::from_static(VERSION))
}

fn expiring(answer: Answer, at: DateTime<Utc>) -> Answer {
    match HeaderValue::from_str(&at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()) {
        Ok(at) => answer.header(EXPIRES, at),
        Err(_) => answer,
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| Problem::malformed("upload_number_invalid", format!("{name} is not a number")))
}

/// `Upload-Metadata`: words and base64, separated by commas.
fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>, Problem> {
    let text = headers.get("upload-metadata").map_or(Ok(""), HeaderValue::to_str);
    let bad = || Problem::malformed("upload_metadata_invalid", "Upload-Metadata is words, each with a value in base64");
    let pairs = text.map_err(|_| bad())?.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (name, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let value = STANDARD.decode(value.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        Ok((name.to_owned(), value.ok_or_else(bad)?))
    };
    pairs.map(pair).collect()
}

fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Problem> {
    let Some(value) = headers.get("upload-checksum") else { return Ok(None) };
    let bad = || Problem::malformed("checksum_invalid", "Upload-Checksum is sha1 or sha256, and the digest in base64");
    let (name, digest) = value.to_str().ok().and_then(|text| text.trim().split_once(' ')).ok_or_else(bad)?;
    let digest = STANDARD.decode(digest.trim()).map_err(|_| bad())?;
    let checksum = match name {
        "sha1" => digest.try_into().ok().map(Checksum::Sha1),
        "sha256" => digest.try_into().ok().map(Checksum::Sha256),
        _ => None,
    };
    checksum.map(Some).ok_or_else(bad)
}
