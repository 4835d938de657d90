//! Processing: one pipeline for every kind of job. A kind is a file that says which tasks follow from what is known so
//! far; workers take tasks, and only the attempt that was started last may say what came of one.

mod job;
mod ladder;
mod plan;
mod queue;
mod reactions;
#[cfg(test)]
mod tests;
mod video;

pub use ladder::ladder;
pub use queue::Queue;

use job::Job;
use kernel::Service;

/// What processing contributes; `queue` hands tasks to workers.
pub fn service(queue: Queue) -> Service {
    Service::new("processing")
        .decides::<Job>("job")
        .reacts("start_job_when_source_attached", reactions::start_job_when_source_attached)
        .reacts("cancel_job_when_unneeded", reactions::cancel_job_when_unneeded)
        .works("hand_tasks_to_workers", queue::worker(queue))
}
