//! A video: what its owner says of it, where its source is, what was made of it, and who may see it.

pub mod library;

use crate::Personal;
use crate::media::{Film, Picture, Rendition, Storyboard};
use crate::processing::Output;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The video that is made of a file which was uploaded for none.
pub fn of_file(file: Uuid) -> Uuid {
    Uuid::new_v5(&file, b"video")
}

/// What can be asked of a video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// Begins it, with or without a source.
    #[serde(rename = "video.video.create.v1")]
    Create {
        /// Whose it is.
        owner: Uuid,
        /// What is said of it.
        #[serde(flatten)]
        about: About,
    },
    /// Gives it a source; asked by the reaction to an upload. Another source is the next version.
    #[serde(rename = "video.video.attach_source.v1")]
    AttachSource {
        /// Whose file it is: nobody else's video gets it.
        owner: Uuid,
        /// The file.
        file: Uuid,
        /// Bytes.
        size: u64,
        /// What is said of a video that begins with this file; without it there has to be one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<About>,
    },
    /// Changes what is given and leaves the rest.
    #[serde(rename = "video.video.update.v1")]
    Update {
        /// What is said of it.
        #[serde(flatten)]
        about: About,
    },
    /// Work on it went on; asked by the reaction to a job.
    #[serde(rename = "video.video.note.v1")]
    Note {
        /// The version that was worked on.
        version: u32,
        /// What came of it.
        progress: Progress,
        /// All that was made, when it is over: what is known already is not noted again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        made: Vec<Output>,
    },
    /// Shows it to whom its visibility says.
    #[serde(rename = "video.video.publish.v1")]
    Publish {},
    /// The same later.
    #[serde(rename = "video.video.schedule.v1")]
    Schedule {
        /// When.
        at: DateTime<Utc>,
    },
    /// The time that was set has come; asked by a timer.
    #[serde(rename = "video.video.publish_as_scheduled.v1")]
    PublishAsScheduled {
        /// When it was to be.
        at: DateTime<Utc>,
    },
    /// Shows it to nobody but its owner.
    #[serde(rename = "video.video.unpublish.v1")]
    Unpublish {},
    /// Puts it among the featured ones, or takes it out.
    #[serde(rename = "video.video.feature.v1")]
    Feature {
        /// In or out.
        featured: bool,
    },
    /// Adds views that were counted elsewhere.
    #[serde(rename = "video.video.count_views.v1")]
    CountViews {
        /// So many.
        views: u32,
    },
    /// Ends it.
    #[serde(rename = "video.video.delete.v1")]
    Delete {},
}

/// What happened to a video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// There is a draft.
    #[serde(rename = "video.video.created.v1")]
    Created {
        /// Whose it is.
        owner: Uuid,
        /// What is said of it.
        #[serde(flatten)]
        about: About,
    },
    /// It has a source.
    #[serde(rename = "video.video.source_attached.v1")]
    SourceAttached {
        /// Whose it is.
        owner: Uuid,
        /// The file.
        file: Uuid,
        /// Bytes.
        size: u64,
        /// Counted from 1.
        version: u32,
        /// The file of the version before, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<Uuid>,
    },
    /// A file that came for it is not wanted: it is gone, or somebody else's, or never was.
    #[serde(rename = "video.video.source_refused.v1")]
    SourceRefused {
        /// Whose file it is.
        owner: Uuid,
        /// The file.
        file: Uuid,
    },
    /// What is given changed.
    #[serde(rename = "video.video.updated.v1")]
    Updated {
        /// What is said of it.
        #[serde(flatten)]
        about: About,
    },
    /// It is known what the source is.
    #[serde(rename = "video.video.probed.v1")]
    Probed {
        /// The version.
        version: u32,
        /// So it is.
        film: Film,
    },
    /// It has a picture.
    #[serde(rename = "video.video.thumbnail_set.v1")]
    ThumbnailSet {
        /// The version.
        version: u32,
        /// The picture.
        picture: Picture,
    },
    /// It has small pictures for seeking.
    #[serde(rename = "video.video.storyboard_set.v1")]
    StoryboardSet {
        /// The version.
        version: u32,
        /// They.
        storyboard: Storyboard,
    },
    /// It can be played in these sizes too.
    #[serde(rename = "video.video.renditions_added.v1")]
    RenditionsAdded {
        /// The version.
        version: u32,
        /// The sizes.
        renditions: Vec<Rendition>,
    },
    /// It can be played; better sizes may follow.
    #[serde(rename = "video.video.became_playable.v1")]
    BecamePlayable {
        /// Whose it is.
        owner: Uuid,
        /// The version.
        version: u32,
    },
    /// Everything that is made of it is there.
    #[serde(rename = "video.video.ready.v1")]
    Ready {
        /// Whose it is.
        owner: Uuid,
        /// The version.
        version: u32,
        /// What it is called.
        title: Personal<String>,
        /// Milliseconds.
        duration_ms: u64,
    },
    /// Nothing can be made of its source.
    #[serde(rename = "video.video.processing_failed.v1")]
    ProcessingFailed {
        /// Whose it is.
        owner: Uuid,
        /// The version.
        version: u32,
        /// What it is called.
        title: Personal<String>,
        /// A stable word.
        code: String,
        /// In words for its owner.
        message: String,
    },
    /// Somebody ended the work on it.
    #[serde(rename = "video.video.processing_cancelled.v1")]
    ProcessingCancelled {
        /// Whose it is.
        owner: Uuid,
        /// The version.
        version: u32,
    },
    /// The work on it goes on, or begins again.
    #[serde(rename = "video.video.processing_resumed.v1")]
    ProcessingResumed {
        /// The version.
        version: u32,
        /// What was made before is gone.
        from_nothing: bool,
    },
    /// Others see it, as its visibility says.
    #[serde(rename = "video.video.published.v1")]
    Published {
        /// Whose it is.
        owner: Uuid,
    },
    /// It is going to be published.
    #[serde(rename = "video.video.publication_scheduled.v1")]
    PublicationScheduled {
        /// When.
        at: DateTime<Utc>,
    },
    /// Only its owner sees it.
    #[serde(rename = "video.video.unpublished.v1")]
    Unpublished {},
    /// It is among the featured ones, or not any more.
    #[serde(rename = "video.video.featured.v1")]
    Featured {
        /// In or out.
        featured: bool,
    },
    /// So many more views.
    #[serde(rename = "video.video.views_counted.v1")]
    ViewsCounted {
        /// So many.
        views: u32,
    },
    /// It is gone, and what was made of it is to go.
    #[serde(rename = "video.video.deleted.v1")]
    Deleted {
        /// Whose it was.
        owner: Uuid,
        /// Its version, 0 when it never had a source.
        version: u32,
        /// Its source.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<Uuid>,
    },
}

/// What is said of a video. In a change, what is absent stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// 1 to 120 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Personal<String>>,
    /// At most 5000 characters; an empty text clears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Personal<String>>,
    /// At most 20 words of at most 30 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// One word; an empty one clears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Who sees it once it is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
}

/// Who sees a published video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everyone, and lists name it.
    #[default]
    Public,
    /// Everyone who has the address.
    Unlisted,
    /// Its owner and admins.
    Private,
}

/// What came of the work on a video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// A part of it is there.
    Made(Output),
    /// Everything is there.
    Completed,
    /// It cannot be done.
    Failed {
        /// A stable word.
        code: String,
        /// In words for its owner.
        message: String,
    },
    /// Somebody ended it.
    Cancelled,
    /// It goes on, or begins again.
    Resumed {
        /// What was made before is gone.
        from_nothing: bool,
    },
}
