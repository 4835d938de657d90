//! What follows for files from what happened elsewhere.

use events::identity::user;
use events::storage::Command;
use events::{Event, Message, storage, video};
use kernel::{Ask, ask};

/// Whenever room is kept for an upload, give it back when nothing comes.
pub(crate) fn expire_upload_when_initiated(event: &Message<Event>) -> Vec<Ask> {
    match &event.body {
        Event::Shelf(storage::Event::UploadInitiated(upload)) => {
            vec![ask(event.subject, Command::ExpireUpload { upload: upload.upload }).at(upload.expires_at)]
        }
        _ => vec![],
    }
}

/// Whenever a video is gone or has another source, its old source is of no use; neither is one that it never took.
pub(crate) fn delete_file_when_nobody_needs_it(event: &Message<Event>) -> Vec<Ask> {
    match &event.body {
        Event::Video(
            video::Event::Deleted { owner, file: Some(file), .. }
            | video::Event::SourceAttached { owner, replaces: Some(file), .. }
            | video::Event::SourceRefused { owner, file },
        ) => vec![ask(*owner, Command::DeleteFile { file: *file })],
        _ => vec![],
    }
}

/// Whenever a video is gone, nothing that is on its way for it need arrive.
pub(crate) fn abort_uploads_when_video_deleted(event: &Message<Event>) -> Vec<Ask> {
    match &event.body {
        Event::Video(video::Event::Deleted { owner, .. }) => {
            vec![ask(*owner, Command::AbortUploadsFor { video: event.subject })]
        }
        _ => vec![],
    }
}

/// Whenever somebody is erased, forget what they kept.
pub(crate) fn erase_shelf_when_user_erased(event: &Message<Event>) -> Vec<Ask> {
    match &event.body {
        Event::User(user::Event::Erased {}) => vec![ask(event.subject, Command::Erase {})],
        _ => vec![],
    }
}
