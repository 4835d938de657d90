//! What happens when all bytes of a file have arrived, whichever way they came: look what it is, tell the shelf, forget
//! the upload. Each step may be repeated, so a crash between two of them is mended by asking again.

use super::picture;
use crate::app::{App, Who};
use crate::asked::Asked;
use crate::problem::Problem;
use axum::http::StatusCode;
use blobs::{AppendError, Blobs, Fault, FinishError, Key, Stored, Upload};
use bytes::Bytes;
use events::storage::{Command, Purpose};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
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

/// Makes a file of an upload whose bytes are all there, and says how many of them are kept.
///
/// # Errors
/// 415 when it is not what it was said to be: then it is gone. Whatever else is in the way: asked again, it goes on.
pub(super) async fn finish(app: &App, asked: &Asked, upload: &Upload) -> Result<u64, Problem> {
    let stored = app.blobs().finish(upload.id).await.map_err(unfinished)?;
    nats::crash::point("upload.kept");
    let owner = upload.begun.owner;
    let purpose = serde_json::from_value::<Note>(upload.begun.note.clone()).map_or(Purpose::Video, |note| note.purpose);
    let looked = match kind(purpose, &stored.head) {
        Ok(mime) if purpose == Purpose::Image => clean(app.blobs(), &upload.begun.key, mime, &stored).await,
        other => other.map(|mime| Arrived { mime, size: stored.size, sha256: stored.sha256 }),
    };
    let arrived = match looked {
        Ok(arrived) => arrived,
        // it is no fault of the file: it is looked at again when somebody asks
        Err(problem) if problem.status().is_server_error() => return Err(problem),
        Err(problem) => {
            app.send(Who::Reprise(owner), asked, owner, Command::AbortUpload { upload: upload.id }).await?;
            return Err(problem);
        }
    };
    let Arrived { mime, size, sha256 } = arrived;
    let sha256 = sha256.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a text");
        text
    });
    let complete = Command::CompleteUpload { upload: upload.id, size, sha256, mime: mime.to_owned() };
    app.send(Who::Reprise(owner), asked, owner, complete).await?;
    nats::crash::point("upload.told");
    app.blobs().abort(upload.id).await.map_err(|fault| failed(&fault))?;
    Ok(size)
}

/// A file as it is kept.
struct Arrived {
    mime: &'static str,
    size: u64,
    sha256: [u8; 32],
}

/// Leaves of a picture nothing but the picture, before anybody can see it. Done again it is as it was.
async fn clean(blobs: &Blobs, key: &Key, mime: &'static str, stored: &Stored) -> Result<Arrived, Problem> {
    let (_, body) = blobs.get(key, None).await.map_err(|fault| failed(&fault))?.ok_or_else(gone)?;
    let pieces: Vec<Bytes> = body.try_collect().await.map_err(|error| Problem::internal(&error))?;
    let whole = Bytes::from(pieces.concat());
    let clean = picture::cleaned(mime, whole.clone()).ok().filter(|clean| clean.len() as u64 <= stored.size);
    let clean = clean.ok_or_else(|| {
        let detail = "this picture is damaged, export it again";
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "file_kind", detail)
    })?;
    if clean != whole {
        blobs.put(key, clean.clone()).await.map_err(|fault| failed(&fault))?;
    }
    Ok(Arrived { mime, size: clean.len() as u64, sha256: Sha256::digest(&clean).into() })
}

/// What the first bytes say that a file is, whatever its name says.
///
/// # Errors
/// 415: it is clearly something else than its purpose wants. What nobody knows may be a film: processing finds out.
fn kind(purpose: Purpose, head: &[u8]) -> Result<&'static str, Problem> {
    let found = infer::get(head).map(|kind| kind.mime_type());
    let slides = [
        "application/pdf",
        "application/vnd.ms-powerpoint",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ];
    let fine = match (purpose, found) {
        (Purpose::Video, None) => return Ok("application/octet-stream"),
        (Purpose::Video, Some(mime)) => mime.starts_with("video/") || mime.starts_with("audio/"),
        (Purpose::Audio, Some(mime)) => mime.starts_with("audio/") || mime.starts_with("video/"),
        // whose inside we know well enough to take out what gives people away; never SVG, which runs scripts
        (Purpose::Image, Some(mime)) => ["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&mime),
        (Purpose::Presentation, Some(mime)) => slides.contains(&mime),
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

#[cfg(test)]
mod tests {
    use super::*;

    const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const PDF: &[u8] = b"%PDF-1.7\n";
    const MP3: &[u8] = b"ID3\x04\0\0\0\0\0\0";
    const HTML: &[u8] = b"<!DOCTYPE html><html><script>alert(1)</script></html>";
    const SVG: &[u8] = b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>";
    const BARE_SVG: &[u8] = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script/></svg>";
    const PROGRAM: &[u8] = &{
        let mut bytes = [0; 104];
        (bytes[0], bytes[1], bytes[2], bytes[3]) = (0x7f, b'E', b'L', b'F');
        bytes
    };

    #[test]
    fn the_first_bytes_say_what_it_is() {
        assert_eq!(kind(Purpose::Video, MP4).ok(), Some("video/mp4"));
        assert_eq!(kind(Purpose::Image, PNG).ok(), Some("image/png"));
        assert_eq!(kind(Purpose::Presentation, PDF).ok(), Some("application/pdf"));
        assert_eq!(kind(Purpose::Audio, MP3).ok(), Some("audio/mpeg"));
        assert_eq!(kind(Purpose::Video, b"who knows").ok(), Some("application/octet-stream"));
    }

    #[test]
    fn what_is_something_else_than_it_is_for_is_refused() {
        for (purpose, files) in [
            (Purpose::Video, &[PNG, PDF, HTML, SVG, PROGRAM][..]),
            (Purpose::Image, &[MP4, PDF, MP3, HTML, SVG, BARE_SVG, PROGRAM, b"who knows"]),
            (Purpose::Presentation, &[MP4, PNG, MP3, HTML, SVG, PROGRAM, b"PK\x03\x04 some archive", b"who knows"]),
            (Purpose::Audio, &[PNG, PDF, HTML, SVG, PROGRAM, b"who knows"]),
        ] {
            for file in files {
                let problem = kind(purpose, file).expect_err("refused");
                let name = String::from_utf8_lossy(file);
                assert_eq!((problem.status().as_u16(), problem.code()), (415, "file_kind"), "{purpose:?} {name}");
            }
        }
    }
}
