//! A library: which videos a person has, whose id it has. It is there so that all of them can be found when the person is
//! erased, whoever else knows them by then.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What can be asked of a library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// The person has this video; asked by the reaction to its beginning.
    #[serde(rename = "video.library.add.v1")]
    Add {
        /// The video.
        video: Uuid,
    },
    /// The person has it no more; asked by the reaction to its end.
    #[serde(rename = "video.library.remove.v1")]
    Remove {
        /// The video.
        video: Uuid,
    },
    /// The person is erased.
    #[serde(rename = "video.library.erase.v1")]
    Erase {},
}

/// What happened to a library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// There is one more video.
    #[serde(rename = "video.library.added.v1")]
    Added {
        /// The video.
        video: Uuid,
    },
    /// There is one less.
    #[serde(rename = "video.library.removed.v1")]
    Removed {
        /// The video.
        video: Uuid,
    },
    /// The person is forgotten, and these are to go. Many are said in several events.
    #[serde(rename = "video.library.erased.v1")]
    Erased {
        /// The videos.
        videos: Vec<Uuid>,
    },
}
