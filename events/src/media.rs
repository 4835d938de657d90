//! What is known of a picture, a sound or a film, in the terms of ISO BMFF and HLS (RFC 8216). Nothing here is personal.

use serde::{Deserialize, Serialize};

/// A frame rate as a fraction: 30000/1001 is 29.97.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Frames …
    pub frames: u32,
    /// … in so many seconds, at least 1.
    pub seconds: u32,
}

impl Rate {
    /// Frames per second.
    pub fn per_second(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds.max(1))
    }
}

/// A source as it was probed. Width and height are those that a viewer sees: rotated, with square pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Film {
    /// Milliseconds.
    pub duration_ms: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Average frame rate.
    pub rate: Rate,
    /// Frames come at uneven times.
    #[serde(default)]
    pub uneven: bool,
    /// There is sound.
    pub sound: bool,
    /// The codec of the picture, as ffmpeg calls it.
    pub codec: String,
}

/// One size of a film that is to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// `360p`: the shorter side that it is named after. It is also the name of its folder.
    pub name: String,
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// At most 60 per second.
    pub rate: Rate,
    /// Bits per second of the picture, on average.
    pub video_bits: u32,
    /// Bits per second of the sound; 0 when there is none.
    pub audio_bits: u32,
}

/// One size of a film that was made: a media playlist `index.m3u8` with its segments beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rendition {
    /// `360p`.
    pub name: String,
    /// Where it lies, behind the place of the film: `1.1/rung-360p-01890a5d/360p`.
    pub folder: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second.
    pub rate: Rate,
    /// `avc1.4D401E,mp4a.40.2` (RFC 6381).
    pub codecs: String,
    /// Bits per second of the most demanding segment (RFC 8216, `BANDWIDTH`).
    pub peak_bits: u64,
    /// Bits per second on average (`AVERAGE-BANDWIDTH`).
    pub average_bits: u64,
    /// Milliseconds.
    pub duration_ms: u64,
    /// Of all its files.
    pub bytes: u64,
}

/// A still picture that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// Where it lies, behind the place of the film: `1.1/thumbnail-01890a5d/thumbnail.jpg`.
    pub file: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// Small pictures of a whole film, for looking while seeking: WebVTT that points into one large picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Storyboard {
    /// The WebVTT file, behind the place of the film.
    pub index: String,
    /// The picture.
    pub picture: Picture,
    /// Milliseconds between two small pictures.
    pub every_ms: u32,
}
