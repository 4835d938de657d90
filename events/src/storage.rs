//! A shelf: the uploads and files of one person, whose id it has. One aggregate, because their sum may not exceed what
//! a person may keep, whatever they upload at the same time.

use crate::Personal;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What can be asked of a shelf.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// Keeps room for a file that is going to arrive.
    #[serde(rename = "storage.shelf.initiate_upload.v1")]
    InitiateUpload(Upload),
    /// All of it has arrived; asked by whoever received it.
    #[serde(rename = "storage.shelf.complete_upload.v1")]
    CompleteUpload {
        /// The upload.
        upload: Uuid,
        /// Bytes.
        size: u64,
        /// SHA-256 of all of them, 64 hexadecimal digits.
        sha256: String,
        /// What the first bytes say that it is, whatever the client said.
        mime: String,
    },
    /// It is not going to arrive.
    #[serde(rename = "storage.shelf.abort_upload.v1")]
    AbortUpload {
        /// The upload.
        upload: Uuid,
    },
    /// What is on its way for a video is not going to arrive: the video is gone.
    #[serde(rename = "storage.shelf.abort_uploads_for.v1")]
    AbortUploadsFor {
        /// The video.
        video: Uuid,
    },
    /// Its time is over; asked by a timer.
    #[serde(rename = "storage.shelf.expire_upload.v1")]
    ExpireUpload {
        /// The upload.
        upload: Uuid,
    },
    /// Throws a file away.
    #[serde(rename = "storage.shelf.delete_file.v1")]
    DeleteFile {
        /// The file.
        file: Uuid,
    },
    /// Throws everything away, for good.
    #[serde(rename = "storage.shelf.erase.v1")]
    Erase {},
}

/// What happened on a shelf.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// There is room for it; its bytes may come.
    #[serde(rename = "storage.shelf.upload_initiated.v1")]
    UploadInitiated(Upload),
    /// It is a file now, under the same id.
    #[serde(rename = "storage.shelf.upload_completed.v1")]
    UploadCompleted {
        /// What was uploaded.
        #[serde(flatten)]
        upload: Upload,
        /// Bytes.
        size: u64,
        /// SHA-256 of all of them, 64 hexadecimal digits.
        sha256: String,
        /// What it is.
        mime: String,
    },
    /// Its owner does not want it any more, or what arrived is not what it may be.
    #[serde(rename = "storage.shelf.upload_aborted.v1")]
    UploadAborted {
        /// The upload.
        upload: Uuid,
    },
    /// It did not arrive in time.
    #[serde(rename = "storage.shelf.upload_expired.v1")]
    UploadExpired {
        /// The upload.
        upload: Uuid,
    },
    /// The file is gone, and its bytes are to go.
    #[serde(rename = "storage.shelf.file_deleted.v1")]
    FileDeleted {
        /// The file.
        file: Uuid,
    },
    /// The person is forgotten, and so is everything that they kept.
    #[serde(rename = "storage.shelf.erased.v1")]
    Erased {
        /// What was on its way.
        uploads: Vec<Uuid>,
        /// The files.
        files: Vec<Uuid>,
    },
}

/// What is going to be uploaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// Its id, which the file will have too.
    pub upload: Uuid,
    /// What it is for.
    pub purpose: Purpose,
    /// Bytes.
    pub length: u64,
    /// What it is called at home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<Personal<String>>,
    /// What to call what becomes of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Personal<String>>,
    /// The video that it is the source of; without one a video is made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<Uuid>,
    /// When it is given up.
    pub expires_at: DateTime<Utc>,
}

/// What a file is for; each has its own limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A film to be shown.
    Video,
    /// Slides.
    Presentation,
    /// Music or speech.
    Audio,
    /// A picture.
    Image,
}

impl Purpose {
    /// As on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Video => "video",
            Purpose::Presentation => "presentation",
            Purpose::Audio => "audio",
            Purpose::Image => "image",
        }
    }
}
