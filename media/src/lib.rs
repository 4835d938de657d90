//! How films are made: ffmpeg and ffprobe as children that are bounded in memory, time, output and in what they may open.
//! Every source is taken for hostile: only formats that cannot refer to other files are read, and only from one file.
//! Nothing here knows of messages, HTTP or databases; what is left in a folder after a failure is worthless.

mod boxes;
mod child;
mod failure;
mod input;
mod limits;
mod picture;
mod playlist;
mod probe;
mod rendition;
mod rungs;
mod storyboard;
mod tail;
mod tools;

pub use failure::{Failure, Stopped};
pub use limits::Limits;
pub use picture::thumbnail;
pub use probe::probe;
pub use rungs::{encoding, rungs};
pub use storyboard::storyboard;
pub use tools::{Missing, Tools};
