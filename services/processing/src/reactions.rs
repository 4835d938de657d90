//! What follows for jobs from what happened elsewhere.

use events::processing::{Command, Kind, Order, job};
use events::{Event, Message, video};
use kernel::{Ask, ask};

/// Whenever a video has a source, work on it; whatever was under way on the source before is of no use.
pub(crate) fn start_job_when_source_attached(event: &Message<Event>) -> Vec<Ask> {
    let Event::Video(video::Event::SourceAttached { owner, file, size, version, .. }) = &event.body else {
        return vec![];
    };
    let (of, owner, file, size, version) = (event.subject, *owner, *file, *size, *version);
    let start = Command::Start(Order { kind: Kind::Video, of, version, owner, file, size });
    let before = (version > 1).then(|| ask(job(of, version - 1, Kind::Video), Command::Cancel {}));
    before.into_iter().chain([ask(job(of, version, Kind::Video), start)]).collect()
}

/// Whenever a video is gone, there is nothing to work on.
pub(crate) fn cancel_job_when_unneeded(event: &Message<Event>) -> Vec<Ask> {
    match &event.body {
        Event::Video(video::Event::Deleted { version, .. }) if *version > 0 => {
            vec![ask(job(event.subject, *version, Kind::Video), Command::Cancel {})]
        }
        _ => vec![],
    }
}
