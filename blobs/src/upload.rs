//! What is known of an upload while its bytes arrive, and how it is written down, so that another process can go on
//! where this one ended: the hash of what has come is kept half-way, and need not be computed again.

use base64::prelude::{BASE64_STANDARD, Engine};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::digest::DynDigest;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Key;

/// How many of the first bytes are kept for looking into.
const HEAD: usize = 4096;
/// Goes up when the written form of [`Progress`] changes; the hash is in a form of sha2 0.11.
const FORM: u32 = 1;

/// What is said when an upload begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// What the blob will be called. Said at the beginning, because S3 binds parts to a name.
    pub key: Key,
    /// Bytes in all.
    pub length: u64,
    /// Whose it is.
    pub owner: Uuid,
    /// When it may be swept away. The store itself does not look at it.
    pub expires: DateTime<Utc>,
    /// Whatever the caller wants to find again.
    pub note: serde_json::Value,
}

/// An upload as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    /// Its id.
    pub id: Uuid,
    /// What was said when it began.
    pub begun: Begun,
    /// How many bytes are safe; the next piece begins here.
    pub offset: u64,
    /// Whether it has become a blob. It is still listed until it is aborted, so that its answer can be asked for again.
    pub finished: bool,
}

/// What an upload has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// SHA-256 of all of them.
    pub sha256: [u8; 32],
    /// The first 4096 bytes, or all of them: enough to see what it is.
    pub head: Vec<u8>,
}

/// What a piece must hash to in order to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// SHA-256.
    Sha256([u8; 32]),
    /// SHA-1: not for safety, but tus clients send it against accidents.
    Sha1([u8; 20]),
}

/// How far an upload has come.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub offset: u64,
    #[serde(with = "frozen")]
    sha256: Sha256,
    #[serde(with = "base64_text")]
    head: Vec<u8>,
}

/// What is written down of an upload by every store.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(deserialize_with = "only_this_form")]
    form: u32,
    pub begun: Begun,
    pub progress: Progress,
    pub finished: bool,
}

impl Progress {
    pub fn advance(&mut self, bytes: &[u8]) {
        Digest::update(&mut self.sha256, bytes);
        self.head.extend_from_slice(&bytes[..bytes.len().min(HEAD - self.head.len())]);
        self.offset += bytes.len() as u64;
    }
}

impl Record {
    pub fn new(begun: &Begun) -> Self {
        let progress = Progress { offset: 0, sha256: Sha256::new(), head: Vec::new() };
        Record { form: FORM, begun: begun.clone(), progress, finished: false }
    }

    pub fn at(&self, progress: Progress) -> Self {
        Record { progress, ..self.clone() }
    }

    pub fn is_complete(&self) -> bool {
        self.progress.offset == self.begun.length
    }

    pub fn upload(self, id: Uuid) -> Upload {
        Upload { id, begun: self.begun, offset: self.progress.offset, finished: self.finished }
    }

    pub fn stored(self) -> Stored {
        let Progress { offset, sha256, head } = self.progress;
        Stored { size: offset, sha256: sha256.finalize().into(), head }
    }
}

fn only_this_form<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        FORM => Ok(FORM),
        other => Err(serde::de::Error::custom(format!("an upload was written down in form {other}, not {FORM}"))),
    }
}

/// Compares a piece with its checksum while it passes.
pub(crate) struct Check {
    digest: Box<dyn DynDigest + Send>,
    expected: Vec<u8>,
}

impl Check {
    pub fn new(checksum: &Checksum) -> Self {
        match checksum {
            Checksum::Sha256(expected) => Check { digest: Box::new(Sha256::new()), expected: expected.to_vec() },
            Checksum::Sha1(expected) => Check { digest: Box::new(sha1::Sha1::new()), expected: expected.to_vec() },
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    pub fn holds(self) -> bool {
        *self.digest.finalize() == *self.expected
    }
}

mod base64_text {
    use super::*;
    use serde::{Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

mod frozen {
    use super::*;
    use serde::{Deserializer, Serializer, de::Error};
    use sha2::digest::common::hazmat::{SerializableState, SerializedState};

    pub fn serialize<S: Serializer>(hash: &Sha256, to: S) -> Result<S::Ok, S::Error> {
        base64_text::serialize(&SerializableState::serialize(hash), to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Sha256, D::Error> {
        let bytes = base64_text::deserialize(from)?;
        let state = SerializedState::<Sha256>::try_from(&bytes[..]).map_err(D::Error::custom)?;
        <Sha256 as SerializableState>::deserialize(&state).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Begun {
        let key = Key::new("a").expect("a key");
        Begun { key, length: 9000, owner: Uuid::nil(), expires: DateTime::UNIX_EPOCH, note: serde_json::Value::Null }
    }

    #[test]
    fn a_hash_goes_on_after_it_was_written_down_at_any_place() {
        let bytes: Vec<u8> = (0..9000u32).map(|n| (n % 251) as u8).collect();
        for cut in [0, 1, 63, 64, 65, 4095, 4096, 4097, 9000] {
            let mut record = Record::new(&begun());
            record.progress.advance(&bytes[..cut]);
            let text = serde_json::to_string(&record).expect("written down");
            let mut record: Record = serde_json::from_str(&text).expect("read again");
            record.progress.advance(&bytes[cut..]);
            assert!(record.is_complete());
            let sha256 = Sha256::digest(&bytes).into();
            assert_eq!(record.stored(), Stored { size: 9000, sha256, head: bytes[..4096].to_vec() }, "cut at {cut}");
        }
    }

    #[test]
    fn what_another_version_wrote_down_is_not_misread() {
        let text = serde_json::to_string(&Record::new(&begun())).expect("written down");
        assert!(serde_json::from_str::<Record>(&text).is_ok());
        assert!(serde_json::from_str::<Record>(&text.replace("\"form\":1", "\"form\":2")).is_err());
    }
}
