//! Why something could not be done: a stable word for programs, a sentence for the person whose film it is, and the end
//! of what the tool said for operators. The words never change.

use std::path::Path;

/// Why it could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// A stable word: `source_broken`.
    pub code: &'static str,
    /// For the person who uploaded the film.
    pub message: String,
    /// Another try may help: it was not the film's fault.
    pub retryable: bool,
    /// The last 2 kB of what the tool said, without the path of the source. It may repeat what the file says of itself.
    pub tail: Option<String>,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// As was asked for.
    #[error("it was cancelled")]
    Cancelled,
    /// It could not be done.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Bytes of the tool's last words that are kept for people.
const TAIL: usize = 2048;

/// Words that speak of this machine or of our command line, not of the source. They are looked for first: a machine in
/// trouble also makes sources unreadable.
const OURS: [&str; 12] = [
    "Cannot allocate memory",
    "Permission denied",
    "No such file or directory",
    "Input/output error",
    "Read-only file system",
    "Too many open files",
    "error while loading shared libraries",
    "Unrecognized option",
    "Option not found",
    "Unknown encoder",
    "Unknown decoder",
    "No such filter",
];

/// Words that speak of the source.
const BROKEN: [&str; 13] = [
    "Invalid data found",
    "moov atom not found",
    "End of file",
    "Invalid argument",
    "Error while decoding",
    "Error during demuxing",
    "not found for input stream",
    "matches no streams",
    "received no packets",
    "Cannot determine format of input",
    "Could not open encoder before EOF",
    "Could not find codec parameters",
    "Numerical result out of range",
];

impl Failure {
    fn new(code: &'static str, message: impl Into<String>, retryable: bool) -> Self {
        Failure { code, message: message.into(), retryable, tail: None }
    }

    pub(crate) fn broken() -> Self {
        Self::new("source_broken", "this file is not a video that can be read, export it again as MP4", false)
    }

    pub(crate) fn empty() -> Self {
        Self::new("source_broken", "this file is empty, upload it again", false)
    }

    pub(crate) fn without_picture() -> Self {
        Self::new("source_without_picture", "this file has sound but no picture, choose a video file", false)
    }

    pub(crate) fn not_supported() -> Self {
        Self::new("source_not_supported", "this kind of file cannot be read, export the video as MP4", false)
    }

    pub(crate) fn too_long(longest_ms: u64) -> Self {
        let longest = match longest_ms / 60_000 {
            minutes if minutes >= 60 && minutes % 60 == 0 => format!("{} hours", minutes / 60),
            minutes if minutes > 0 => format!("{minutes} minutes"),
            _ => format!("{} seconds", longest_ms / 1000),
        };
        let message = format!("this video is longer than {longest}, split it into shorter ones");
        Self::new("source_too_long", message, false)
    }

    pub(crate) fn too_large(pixels: u64) -> Self {
        let millions = pixels / 1_000_000;
        let message = format!("the picture has more than {millions} million pixels, export it in a smaller size");
        Self::new("source_too_large", message, false)
    }

    pub(crate) fn took_too_long() -> Self {
        Self::new("took_too_long", "processing this video took too long, try again later", true)
    }

    pub(crate) fn output_too_large() -> Self {
        Self::new("output_too_large", "the result would be too large, upload a shorter or smaller video", false)
    }

    pub(crate) fn no_space() -> Self {
        Self::new("no_space", "there is no space left for the result, try again later", true)
    }

    pub(crate) fn tool() -> Self {
        Self::new("tool_failed", "processing failed on our side, try again later", true)
    }

    pub(crate) fn with_tail(self, tail: impl Into<String>) -> Self {
        Failure { tail: Some(tail.into()).filter(|tail| !tail.is_empty()), ..self }
    }

    /// For what went wrong with a file of ours.
    pub(crate) fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let full = matches!(error.kind(), StorageFull | QuotaExceeded);
        (if full { Self::no_space() } else { Self::tool() }).with_tail(error.to_string())
    }

    /// From the last words of a tool that ended with an error.
    pub(crate) fn of_words(words: String) -> Self {
        let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
        let failure = match () {
            () if says(&["No space left on device", "Disk quota exceeded"]) => Self::no_space(),
            () if says(&["not on whitelist"]) => Self::not_supported(),
            () if says(&OURS) => Self::tool(),
            () if says(&BROKEN) => Self::broken(),
            () => Self::tool(),
        };
        failure.with_tail(words)
    }
}

/// The end of what a tool said, fit for a log: no path of the source, no control characters, at most 2 kB. `cut` says
/// that the beginning is missing already.
pub(crate) fn last_words(said: &[u8], cut: bool, source: &Path) -> String {
    let said = String::from_utf8_lossy(said);
    // half a line may hold half a path, which would not be recognised
    let whole = if cut { said.split_once('\n').map_or("", |(_, rest)| rest) } else { &said };
    let hidden = whole.replace(&*source.to_string_lossy(), "source");
    let plain: String = hidden.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let plain = plain.trim();
    let start = (plain.len().saturating_sub(TAIL)..).find(|&at| plain.is_char_boundary(at));
    plain[start.expect("the end is a boundary")..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_blamed_before_the_source() {
        let code = |words: &str| Failure::of_words(words.to_owned()).code;
        assert_eq!(code("av_interleaved_write_frame(): No space left on device"), "no_space");
        assert_eq!(code("[hls @ 0x1] Format not on whitelist 'mov'\nsource: Invalid argument"), "source_not_supported");
        assert_eq!(code("Cannot allocate memory\nsource: Invalid data found"), "tool_failed");
        assert_eq!(code("source: Invalid data found when processing input"), "source_broken");
        assert_eq!(code("something nobody has seen before"), "tool_failed");
    }

    #[test]
    fn last_words_are_short_plain_and_without_the_path() {
        let source = Path::new("/data/secret place/film.mp4");
        let said = b"half of /data/secret pla\nfile:/data/secret place/film.mp4: \x1b[1mbroken\xff\x00\r\n";
        assert_eq!(last_words(said, true, source), "file:source: [1mbroken\u{fffd}");
        assert_eq!(last_words(b"no end of a line", true, source), "");
        let long = last_words("ä".repeat(5000).as_bytes(), false, source);
        assert_eq!(long.len(), TAIL);
        assert_eq!(last_words(format!("a{}", "ä".repeat(5000)).as_bytes(), false, source).len(), TAIL);
        assert_eq!(last_words(format!("{}a", "ä".repeat(5000)).as_bytes(), false, source).len(), TAIL - 1);
    }

    #[test]
    fn sentences_are_for_people() {
        assert!(Failure::too_long(43_200_000).message.contains("12 hours"));
        assert!(Failure::too_long(90 * 60_000).message.contains("90 minutes"));
        assert!(Failure::too_long(1000).message.contains("1 seconds"));
        assert!(Failure::too_large(8192 * 4320).message.contains("35 million"));
    }
}
