//! Video: from a draft to something that people watch. What is made of a source comes from jobs, by way of reactions.

mod reactions;
mod rejection;
#[cfg(test)]
mod tests;
mod video;

use kernel::Service;
use video::Video;

/// What video contributes.
pub fn service() -> Service {
    Service::new("video")
        .decides::<Video>("video")
        .reacts("attach_source_when_uploaded", reactions::attach_source_when_uploaded)
        .reacts("note_what_a_job_made", reactions::note_what_a_job_made)
        .reacts("publish_when_scheduled", reactions::publish_when_scheduled)
}
