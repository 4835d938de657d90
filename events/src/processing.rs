//! A job: all the work on one version of one source, as tasks that workers take. Its id follows from what it is about
//! (see [`job`]), so that there is never more than one for the same source.

use crate::Personal;
use crate::media::{Film, Picture, Rendition, Rung, Storyboard};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of the job for a version of something.
pub fn job(of: Uuid, version: u32, kind: Kind) -> Uuid {
    Uuid::new_v5(&of, format!("{}.{version}", kind.word()).as_bytes())
}

/// What can be asked of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// Begins the work.
    #[serde(rename = "processing.job.start.v1")]
    Start(Order),
    /// A worker took a task up.
    #[serde(rename = "processing.job.start_task.v1")]
    StartTask {
        /// The task.
        task: String,
        /// The run of the job that the worker was told of.
        run: u32,
        /// Names this attempt; its result is only taken under this name.
        lease: Uuid,
    },
    /// A worker is done with a task.
    #[serde(rename = "processing.job.complete_task.v1")]
    CompleteTask {
        /// The task.
        task: String,
        /// The attempt.
        lease: Uuid,
        /// What came of it.
        output: Output,
    },
    /// A worker could not do a task.
    #[serde(rename = "processing.job.fail_task.v1")]
    FailTask {
        /// The task.
        task: String,
        /// The attempt.
        lease: Uuid,
        /// Why.
        failure: Failure,
    },
    /// Ends the work; what was made is thrown away.
    #[serde(rename = "processing.job.cancel.v1")]
    Cancel {},
    /// Does again what failed, or all of it after a cancellation.
    #[serde(rename = "processing.job.retry.v1")]
    Retry {},
}

/// What happened to a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// The work began.
    #[serde(rename = "processing.job.started.v1")]
    Started(Order),
    /// A worker may take this task.
    #[serde(rename = "processing.job.task_queued.v1")]
    TaskQueued(Task),
    /// A worker took it.
    #[serde(rename = "processing.job.task_started.v1")]
    TaskStarted {
        /// The task.
        task: String,
        /// The attempt.
        lease: Uuid,
        /// Counted from 1.
        attempt: u32,
    },
    /// It is done.
    #[serde(rename = "processing.job.task_completed.v1")]
    TaskCompleted {
        /// What the job is about.
        of: Uuid,
        /// Its version.
        version: u32,
        /// The task.
        task: String,
        /// What came of it.
        output: Output,
    },
    /// An attempt failed.
    #[serde(rename = "processing.job.task_failed.v1")]
    TaskFailed {
        /// The task.
        task: String,
        /// The attempt.
        lease: Uuid,
        /// Why.
        failure: Failure,
        /// It is tried again.
        again: bool,
    },
    /// Everything is done.
    #[serde(rename = "processing.job.completed.v1")]
    Completed {
        /// What the job was about.
        of: Uuid,
        /// Its version.
        version: u32,
        /// All that came of it, for whoever has not heard of every task yet.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        made: Vec<Output>,
    },
    /// It cannot be done.
    #[serde(rename = "processing.job.failed.v1")]
    Failed {
        /// What the job was about.
        of: Uuid,
        /// Its version.
        version: u32,
        /// Why.
        failure: Failure,
    },
    /// Somebody ended it. What was made lies in the folder of this run and is to be thrown away.
    #[serde(rename = "processing.job.cancelled.v1")]
    Cancelled {
        /// What the job was about.
        of: Uuid,
        /// Its version.
        version: u32,
        /// The run that ended.
        run: u32,
        /// What it was about is gone, or has another source: it never begins again.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_good: bool,
    },
    /// It goes on, or begins again.
    #[serde(rename = "processing.job.retried.v1")]
    Retried {
        /// What the job is about.
        of: Uuid,
        /// Its version.
        version: u32,
        /// Counted from 1.
        run: u32,
        /// What was made before was thrown away.
        from_nothing: bool,
    },
}

/// What the work is on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Which kind of work.
    pub kind: Kind,
    /// What it is about: the video.
    pub of: Uuid,
    /// Its version, counted from 1.
    pub version: u32,
    /// Whose it is.
    pub owner: Uuid,
    /// The file to work on.
    pub file: Uuid,
    /// Bytes in it.
    pub size: u64,
}

/// The kinds of work: each is a file in `services/processing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A video becomes a ladder of renditions.
    Video,
}

impl Kind {
    /// As on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Video => "video",
        }
    }
}

/// A task as a worker gets it: everything it has to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The job.
    pub job: Uuid,
    /// Its run.
    pub run: u32,
    /// Its name in the job: `rung-360p`.
    pub name: String,
    /// What waits for it.
    pub class: Class,
    /// What the job is about.
    pub of: Uuid,
    /// Its version.
    pub version: u32,
    /// Whose it is.
    pub owner: Uuid,
    /// The file to work on.
    pub file: Uuid,
    /// What to do.
    pub work: Work,
}

/// How urgent a task is, across all jobs: workers take the first kind while there is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Somebody waits: without it nothing can be seen.
    Required,
    /// It makes better what can be seen already.
    Normal,
    /// It is nice to have.
    Optional,
}

impl Class {
    /// The most urgent first.
    pub const ALL: [Class; 3] = [Class::Required, Class::Normal, Class::Optional];

    /// As on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Class::Required => "required",
            Class::Normal => "normal",
            Class::Optional => "optional",
        }
    }
}

/// What is to be done in a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Work {
    /// Find out what the source is.
    Probe {},
    /// Take a picture of it.
    Thumbnail {
        /// What it is.
        film: Film,
    },
    /// Make these sizes, all in one go.
    Rungs {
        /// What it is.
        film: Film,
        /// The sizes.
        rungs: Vec<Rung>,
    },
    /// Take small pictures of all of it.
    Storyboard {
        /// What it is.
        film: Film,
        /// The folder of a size that is made already: small pictures need no more than a small one has. Without it, of the source.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
    },
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "made", rename_all = "snake_case")]
pub enum Output {
    /// What the source is.
    Film {
        /// So it is.
        film: Film,
    },
    /// A picture.
    Thumbnail {
        /// Where it is.
        picture: Picture,
    },
    /// Sizes that can be played.
    Renditions {
        /// Each of them.
        renditions: Vec<Rendition>,
    },
    /// Small pictures.
    Storyboard {
        /// Where they are.
        storyboard: Storyboard,
    },
}

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable word: `source_broken`.
    pub code: String,
    /// In words for the person whose source it is.
    pub message: String,
    /// Another try may help: it was not the source's fault.
    pub retryable: bool,
    /// The end of what the tool said, for operators. It may repeat what the file says of itself, so it is the owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<Personal<String>>,
}
