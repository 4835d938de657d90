//! What can be in the way of a video.

use kernel::Kind;

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such video, or it is not shown to you")]
    Missing,
    #[error("only its owner or an admin may change a video")]
    NotYours,
    #[error("only Reprise itself knows what was made of a video")]
    NotReprise,
    #[error("only an admin features videos")]
    NotAdmin,
    #[error("there is a video with this id already")]
    Exists,
    #[error("a title is 1 to 120 characters on one line")]
    BadTitle,
    #[error("a description is at most 5000 characters")]
    BadDescription,
    #[error("a video has at most 20 tags of 1 to 30 characters")]
    BadTags,
    #[error("a category is at most 40 characters on one line")]
    BadCategory,
    #[error("this video cannot be played yet, so it cannot be published")]
    NotPlayable,
    #[error("the time of a publication is in the future")]
    NotInFuture,
}

impl kernel::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "video_missing",
            Self::NotYours => "not_yours",
            Self::NotReprise => "reprise_only",
            Self::NotAdmin => "admin_required",
            Self::Exists => "video_exists",
            Self::BadTitle => "title_invalid",
            Self::BadDescription => "description_invalid",
            Self::BadTags => "tags_invalid",
            Self::BadCategory => "category_invalid",
            Self::NotPlayable => "not_playable",
            Self::NotInFuture => "not_in_future",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::NotYours | Self::NotReprise | Self::NotAdmin => Kind::Forbidden,
            Self::Exists | Self::NotPlayable => Kind::Conflict,
            _ => Kind::Invalid,
        }
    }
}
