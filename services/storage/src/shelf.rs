//! The shelf of a person: uploads and files together stay under what a person may keep, and only Reprise itself says
//! what has arrived.

use events::storage::{Command, Event, Purpose, Upload};
use kernel::{Caller, Decider, Kind, Meta};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a person may keep, bytes.
pub(crate) const QUOTA: u64 = 64 << 30;
/// Uploads of one person that may be under way.
pub(crate) const AT_ONCE: usize = 100;
/// So many files are named in one event: a message has an end.
const SAID: usize = 1000;

/// The longest file for a purpose, bytes.
pub fn longest(purpose: Purpose) -> u64 {
    match purpose {
        Purpose::Video => 16 << 30,
        Purpose::Presentation => 512 << 20,
        Purpose::Audio => 2 << 30,
        Purpose::Image => 32 << 20,
    }
}

/// The state of a shelf.
#[derive(Default, Serialize, Deserialize)]
pub struct Shelf {
    uploads: BTreeMap<Uuid, Upload>,
    files: BTreeMap<Uuid, u64>,
    erased: bool,
}

/// What can be in the way.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("only the person or an admin may change what a person keeps")]
    NotYours,
    #[error("only Reprise itself knows what has arrived")]
    NotReprise,
    #[error("there is no such upload, or it is over; begin a new one")]
    NoSuchUpload,
    #[error("there is no such file")]
    NoSuchFile,
    #[error("an upload of this id exists with other properties")]
    Exists,
    #[error("a {0} is at most {1} bytes")]
    TooLong(&'static str, u64),
    #[error("this would be more than the {QUOTA} bytes that a person may keep; delete files first")]
    OverQuota,
    #[error("at most {AT_ONCE} uploads may be under way, finish or abort some first")]
    TooManyUploads,
    #[error("what arrived is not as long as was said")]
    OtherLength,
}

impl kernel::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotYours => "not_yours",
            Self::NotReprise => "reprise_only",
            Self::NoSuchUpload => "upload_missing",
            Self::NoSuchFile => "file_missing",
            Self::Exists => "upload_exists",
            Self::TooLong(..) => "file_too_long",
            Self::OverQuota => "over_quota",
            Self::TooManyUploads => "too_many_uploads",
            Self::OtherLength => "length_differs",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::NotYours | Self::NotReprise => Kind::Forbidden,
            Self::NoSuchUpload | Self::NoSuchFile => Kind::Missing,
            Self::Exists | Self::OverQuota | Self::TooManyUploads => Kind::Conflict,
            Self::TooLong(..) | Self::OtherLength => Kind::Invalid,
        }
    }
}

impl Decider for Shelf {
    const LOGIC: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        meta.may_act_for(meta.subject).then_some(()).ok_or(Rejection::NotYours)?;
        match command {
            Command::InitiateUpload(upload) => self.initiate(upload),
            Command::CompleteUpload { upload, size, sha256, mime } => {
                (meta.caller == Caller::System).then_some(()).ok_or(Rejection::NotReprise)?;
                self.complete(upload, size, sha256, mime)
            }
            Command::AbortUpload { upload } if self.uploads.contains_key(&upload) => {
                Ok(vec![Event::UploadAborted { upload }])
            }
            Command::AbortUpload { .. } => Err(Rejection::NoSuchUpload),
            Command::AbortUploadsFor { video } => {
                let its = self.uploads.values().filter(|upload| upload.video == Some(video));
                Ok(its.map(|upload| Event::UploadAborted { upload: upload.upload }).collect())
            }
            Command::ExpireUpload { upload } => {
                let waiting = self.uploads.contains_key(&upload);
                Ok(waiting.then_some(Event::UploadExpired { upload }).into_iter().collect())
            }
            Command::DeleteFile { file } if self.files.contains_key(&file) => Ok(vec![Event::FileDeleted { file }]),
            // whoever cleans up need not know whether somebody did before
            Command::DeleteFile { .. } if meta.caller == Caller::System => Ok(vec![]),
            Command::DeleteFile { .. } => Err(Rejection::NoSuchFile),
            Command::Erase {} if self.erased => Ok(vec![]),
            Command::Erase {} => {
                let files: Vec<Uuid> = self.files.keys().copied().collect();
                let (some, more) = files.split_at(files.len().min(SAID));
                let first = Event::Erased { uploads: self.uploads.keys().copied().collect(), files: some.to_vec() };
                let others = more.chunks(SAID).map(|some| Event::Erased { uploads: vec![], files: some.to_vec() });
                Ok(std::iter::once(first).chain(others).collect())
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::UploadInitiated(upload) => drop(self.uploads.insert(upload.upload, upload.clone())),
            Event::UploadCompleted { upload, size, .. } => {
                self.uploads.remove(&upload.upload);
                self.files.insert(upload.upload, *size);
            }
            Event::UploadAborted { upload } | Event::UploadExpired { upload } => drop(self.uploads.remove(upload)),
            Event::FileDeleted { file } => drop(self.files.remove(file)),
            Event::Erased { .. } => *self = Shelf { erased: true, ..Shelf::default() },
        }
    }
}

impl Shelf {
    fn initiate(&self, upload: Upload) -> Result<Vec<Event>, Rejection> {
        if self.erased {
            return Err(Rejection::NotYours);
        }
        if let Some(before) = self.uploads.get(&upload.upload) {
            let same = before.length == upload.length && before.purpose == upload.purpose;
            return if same { Ok(vec![]) } else { Err(Rejection::Exists) };
        }
        if self.files.contains_key(&upload.upload) {
            return Err(Rejection::Exists);
        }
        let most = longest(upload.purpose);
        if upload.length > most {
            return Err(Rejection::TooLong(upload.purpose.word(), most));
        }
        (self.uploads.len() < AT_ONCE).then_some(()).ok_or(Rejection::TooManyUploads)?;
        let kept: u64 = self.files.values().sum::<u64>() + self.uploads.values().map(|one| one.length).sum::<u64>();
        (kept + upload.length <= QUOTA).then_some(()).ok_or(Rejection::OverQuota)?;
        Ok(vec![Event::UploadInitiated(upload)])
    }

    fn complete(&self, upload: Uuid, size: u64, sha256: String, mime: String) -> Result<Vec<Event>, Rejection> {
        if self.files.contains_key(&upload) {
            return Ok(vec![]);
        }
        let begun = self.uploads.get(&upload).ok_or(Rejection::NoSuchUpload)?;
        // room may be kept for a form around the file too
        (size <= begun.length).then_some(()).ok_or(Rejection::OtherLength)?;
        Ok(vec![Event::UploadCompleted { upload: begun.clone(), size, sha256, mime }])
    }
}
