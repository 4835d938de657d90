//! Which tasks a job has: a graph that grows with what is known. A kind says what can be done now; what was done before
//! is never planned again, because the names of tasks tell.

use events::processing::{Class, Kind, Output, Work};
use std::collections::BTreeMap;

/// A task that can be done.
#[derive(Debug, PartialEq)]
pub struct Step {
    /// Its name in the job.
    pub name: String,
    /// What waits for it.
    pub class: Class,
    /// What to do.
    pub work: Work,
}

/// What came of tasks, by their names; nothing for those that could be left out.
pub type Outputs = BTreeMap<String, Option<Output>>;

/// Everything that can be done, given what is there: also what was done already.
pub fn steps(kind: Kind, outputs: &Outputs) -> Vec<Step> {
    match kind {
        Kind::Video => crate::video::steps(outputs),
    }
}

/// Whether the job is worth nothing without this task.
pub fn is_essential(work: &Work) -> bool {
    match work {
        Work::Probe {} | Work::Rungs { .. } => true,
        Work::Thumbnail { .. } | Work::Storyboard { .. } => false,
    }
}
