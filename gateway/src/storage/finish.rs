//! What happens when all bytes of a file have arrived, whichever way they came: look what it is, tell the shelf, forget
//! the upload. Each step may be repeated, so a crash between two of them is mended by asking again.

use crate::app::{App, Who};
use crate::asked::Asked;
use crate::problem::Problem;
use axum::http::StatusCode;
use blobs::{AppendError, Fault, FinishError, Key, Upload};
use events::storage::{Command, Purpose};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use uuid::Uuid;

/// What is kept beside the bytes of an upload.
#[derive(Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) purpose: Purpose,
}

/// Where a file lies.
pub(super) fn key_of(file: Uuid) -> Key {
    Key::new(&format!("files/{file}")).expect("an id is a name")
}

/// Makes a file of an upload whose bytes are all there.
///
/// # Errors
/// 415 when it is not what it was said to be: then it is gone. Whatever else is in the way: asked again, it goes on.
pub(super) async fn finish(app: &App, asked: &Asked, upload: &Upload) -> Result<(), Problem> {
    let stored = app.blobs().finish(upload.id).await.map_err(unfinished)?;
    let owner = upload.begun.owner;
    let purpose = serde_json::from_value::<Note>(upload.begun.note.clone()).map_or(Purpose::Video, |note| note.purpose);
    let mime = match kind(purpose, &stored.head) {
        Ok(mime) => mime,
        Err(problem) => {
            app.send(Who::Reprise(owner), asked, owner, Command::AbortUpload { upload: upload.id }).await?;
            return Err(problem);
        }
    };
    let sha256 = stored.sha256.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a text");
        text
    });
    let complete = Command::CompleteUpload { upload: upload.id, size: stored.size, sha256, mime: mime.to_owned() };
    app.send(Who::Reprise(owner), asked, owner, complete).await?;
    app.blobs().abort(upload.id).await.map_err(|fault| failed(&fault))?;
    Ok(())
}

/// What the first bytes say that a file is, whatever its name says.
///
/// # Errors
/// 415: it is clearly something else than its purpose wants. What nobody knows may be a film: processing finds out.
fn kind(purpose: Purpose, head: &[u8]) -> Result<&'static str, Problem> {
    let found = infer::get(head).map(|kind| kind.mime_type());
    let slides = ["application/pdf", "application/vnd.openxmlformats-officedocument.presentationml.presentation"];
    let fine = match (purpose, found) {
        (Purpose::Video, None) => return Ok("application/octet-stream"),
        (Purpose::Video, Some(mime)) => mime.starts_with("video/") || mime.starts_with("audio/"),
        (Purpose::Audio, Some(mime)) => mime.starts_with("audio/") || mime.starts_with("video/"),
        (Purpose::Image, Some(mime)) => {
            ["image/jpeg", "image/png", "image/gif", "image/webp", "image/avif"].contains(&mime)
        }
        (Purpose::Presentation, Some(mime)) => slides.contains(&mime) || mime == "application/vnd.ms-powerpoint",
        (_, None) => false,
    };
    match found {
        Some(mime) if fine => Ok(mime),
        _ => {
            let what = found.unwrap_or("something unknown");
            let detail = format!("this file is {what}, which cannot be used as {}", purpose.word());
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "file_kind", detail))
        }
    }
}

pub(super) fn gone() -> Problem {
    Problem::missing("upload_missing", "there is no such upload, or it is over; begin a new one")
}

fn busy() -> Problem {
    Problem::new(StatusCode::LOCKED, "upload_busy", "somebody else sends to this upload, try again shortly").after(1)
}

pub(super) fn failed(fault: &Fault) -> Problem {
    Problem::internal(&format!("{fault}"))
}

/// Why an upload is no file yet.
pub(super) fn unfinished(error: FinishError) -> Problem {
    match error {
        FinishError::Gone => gone(),
        FinishError::Incomplete { .. } => Problem::conflict("upload_incomplete", "some of it is missing"),
        FinishError::Busy => busy(),
        FinishError::Fault(fault) => failed(&fault),
    }
}

/// Why a piece was not taken.
pub(super) fn refused(error: AppendError) -> Problem {
    match error {
        AppendError::Gone => gone(),
        AppendError::Busy => busy(),
        AppendError::Offset { is } => {
            Problem::conflict("upload_offset", format!("the next byte that is wanted is number {is}"))
        }
        AppendError::TooLong => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "upload_too_long", "this is more than Upload-Length says")
        }
        AppendError::Checksum => {
            let status = StatusCode::from_u16(460).expect("between 100 and 999");
            Problem::new(status, "checksum_mismatch", "the bytes are not those of the checksum, send them again")
        }
        AppendError::Broken { .. } => Problem::malformed("body_broken", "the body broke off"),
        AppendError::Fault(fault) => failed(&fault),
    }
}
