//! What follows for videos from what happened elsewhere.

use events::identity::user;
use events::processing::Event as Job;
use events::storage::{self, Purpose};
use events::video::{self, About, Command, Progress, library, of_file};
use events::{Event, Message, Personal};
use kernel::{Ask, ask};

/// Whenever the source of a video has arrived, the video gets it; a video that does not exist yet is begun.
pub(crate) fn attach_source_when_uploaded(event: &Message<Event>) -> Vec<Ask> {
    let Event::Shelf(storage::Event::UploadCompleted { upload, size, .. }) = &event.body else { return vec![] };
    if upload.purpose != Purpose::Video {
        return vec![];
    }
    let (owner, file) = (event.subject, upload.upload);
    let attach = |video, about| vec![ask(video, Command::AttachSource { owner, file, size: *size, about })];
    match upload.video {
        Some(video) => attach(video, None),
        // both in one: a crash between two commands could have the file come before the video, which would refuse it
        None => {
            let called = upload.title.as_ref().or(upload.filename.as_ref()).and_then(Personal::open);
            let title = called.map(|title| Personal::about(owner, title.clone()));
            attach(of_file(file), Some(About { title, ..About::default() }))
        }
    }
}

/// Whenever a job has made something, or is over, its video notes it.
pub(crate) fn note_what_a_job_made(event: &Message<Event>) -> Vec<Ask> {
    let Event::Job(job) = &event.body else { return vec![] };
    let mut all = vec![];
    let (of, version, progress) = match job {
        Job::TaskCompleted { of, version, output, .. } => (of, version, Progress::Made(output.clone())),
        Job::Completed { of, version, made } => {
            all = made.clone();
            (of, version, Progress::Completed)
        }
        Job::Failed { of, version, failure } => {
            let (code, message) = (failure.code.clone(), failure.message.clone());
            (of, version, Progress::Failed { code, message })
        }
        Job::Cancelled { of, version, .. } => (of, version, Progress::Cancelled),
        Job::Retried { of, version, from_nothing, .. } => {
            (of, version, Progress::Resumed { from_nothing: *from_nothing })
        }
        _ => return vec![],
    };
    vec![ask(*of, Command::Note { version: *version, progress, made: all })]
}

/// Whenever a time for publishing is set, publish then.
pub(crate) fn publish_when_scheduled(event: &Message<Event>) -> Vec<Ask> {
    match &event.body {
        Event::Video(video::Event::PublicationScheduled { at }) => {
            vec![ask(event.subject, Command::PublishAsScheduled { at: *at }).at(*at)]
        }
        _ => vec![],
    }
}

/// Whenever a video begins or ends, its owner's library says so.
pub(crate) fn keep_library_when_videos_come_and_go(event: &Message<Event>) -> Vec<Ask> {
    let video = event.subject;
    match &event.body {
        Event::Video(video::Event::Created { owner, .. }) => vec![ask(*owner, library::Command::Add { video })],
        Event::Video(video::Event::Deleted { owner, .. }) => vec![ask(*owner, library::Command::Remove { video })],
        _ => vec![],
    }
}

/// Whenever somebody is erased, nothing of what they showed may stay.
pub(crate) fn erase_library_when_user_erased(event: &Message<Event>) -> Vec<Ask> {
    match &event.body {
        Event::User(user::Event::Erased {}) => vec![ask(event.subject, library::Command::Erase {})],
        _ => vec![],
    }
}

/// Whenever a library is erased, the videos in it go, and with them the work on them and its bytes.
pub(crate) fn delete_videos_when_library_erased(event: &Message<Event>) -> Vec<Ask> {
    match &event.body {
        Event::Library(library::Event::Erased { videos }) => {
            videos.iter().map(|video| ask(*video, Command::Delete {})).collect()
        }
        _ => vec![],
    }
}
