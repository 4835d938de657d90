//! Video: from a draft to something that people watch. What is made of a source comes from jobs, by way of reactions.

mod announcing;
mod library;
mod reactions;
mod rejection;
#[cfg(test)]
mod tests;
mod video;

pub use announcing::Say;

use kernel::Service;
use library::Library;
use video::Video;

/// What video contributes; `say` reaches whoever listens at the moment.
pub fn service(say: Say) -> Service {
    Service::new("video")
        .decides::<Video>("video")
        .decides::<Library>("library")
        .reacts("attach_source_when_uploaded", reactions::attach_source_when_uploaded)
        .reacts("note_what_a_job_made", reactions::note_what_a_job_made)
        .reacts("publish_when_scheduled", reactions::publish_when_scheduled)
        .reacts("keep_library_when_videos_come_and_go", reactions::keep_library_when_videos_come_and_go)
        .reacts("erase_library_when_user_erased", reactions::erase_library_when_user_erased)
        .reacts("delete_videos_when_library_erased", reactions::delete_videos_when_library_erased)
        .works("announce_when_processed", announcing::worker(say))
}
