//! The name of a blob. Whatever a caller makes of it, a path built from a key stays inside the store, and never meets
//! what the store keeps for itself, for that begins with a dot.

use serde::{Deserialize, Serialize};
use std::fmt;

const LONGEST: usize = 400;
/// What file systems take as one name.
const LONGEST_SEGMENT: usize = 255;

/// The name of a blob: segments of letters, digits, `.`, `_` and `-`, joined by `/`. No segment is empty or begins with
/// a dot, and all of it is at most 400 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key is segments of letters, digits, '.', '_' and '-' joined by '/', none of them empty or with a dot at its beginning, 400 bytes at most"
)]
pub struct BadKey;

impl Key {
    /// Takes a text as it is: nothing is escaped or left out, so two different texts never become the same key.
    ///
    /// # Errors
    /// It is not made as a key is.
    pub fn new(text: &str) -> Result<Self, BadKey> {
        Self::try_from(text.to_owned())
    }

    /// The same below this one: `a/b` joined with `c/d` is `a/b/c/d`.
    ///
    /// # Errors
    /// What comes of it is no key.
    pub fn join(&self, below: &str) -> Result<Self, BadKey> {
        Self::try_from(format!("{self}/{below}"))
    }

    /// The text that it was made from.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Key {
    type Error = BadKey;

    fn try_from(text: String) -> Result<Self, BadKey> {
        let sound = text.len() <= LONGEST && text.split('/').all(is_segment);
        sound.then_some(Key(text)).ok_or(BadKey)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        key.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment.len() <= LONGEST_SEGMENT
        && !segment.starts_with('.')
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_plain_names() {
        for good in ["a", "files/0193-ab/source.mp4", "A_b-c.9/x", &"a".repeat(255), &["b"; 200].join("/")] {
            assert_eq!(Key::new(good).expect(good).as_str(), good);
        }
    }

    #[test]
    fn refuses_whatever_could_leave_the_store_or_be_read_in_two_ways() {
        let long = [&"a".repeat(200)[..], &"b".repeat(200)].join("/");
        let bad = ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/../b", "a/./b", ".uploads/x", "a/.b"];
        let worse = ["a\\b", "a b", "ä", "a\0", "a%2e", "a\n", "~", "C:", "a?b", "a*", &"a".repeat(256), &long];
        for text in bad.iter().chain(&worse) {
            assert_eq!(Key::new(text), Err(BadKey), "{text:?}");
        }
    }

    #[test]
    fn a_joined_key_is_judged_as_a_whole() {
        let key = Key::new("a").expect("a key");
        assert_eq!(key.join("b/c").expect("a key").as_str(), "a/b/c");
        assert_eq!(key.join(".."), Err(BadKey));
        assert_eq!(key.join(""), Err(BadKey));
        assert!(serde_json::from_str::<Key>("\"../a\"").is_err());
    }
}
