//! The envelope: a structured CloudEvent by construction (CloudEvents 1.0.2, JSON format), with the extensions of the
//! standard's own catalogue. Flattening the body puts `type` and `data` where the standard wants them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use uuid::Uuid;

/// A CloudEvent: who said what, about which aggregate, when, and because of what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message<T> {
    /// Always `"1.0"`.
    pub specversion: Spec,
    /// A UUIDv7 for what a person asked for first, a UUIDv5 of its cause for everything that follows.
    pub id: Uuid,
    /// Who wrote it: `/gateway`, `/services/identity`, `/vault`.
    pub source: Source,
    /// The aggregate it is about.
    pub subject: Uuid,
    /// When it was said, UTC.
    pub time: DateTime<Utc>,
    /// The command that began it all: one value for a whole saga.
    pub correlationid: Uuid,
    /// The message that led directly to this one. Absent only on what a client asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causationid: Option<Uuid>,
    /// What kind of principal is behind it (CloudEvents auth context).
    pub authtype: AuthType,
    /// Which one: a user's id. Never personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authid: Option<Uuid>,
    /// The principal's roles as a JSON text, when it has any: `{"roles":["admin"]}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authclaims: Option<String>,
    /// Events: the version of the aggregate after this event, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<Sequence>,
    /// W3C trace context of the request that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Commands: the inbox that waits for the outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replyto: Option<String>,
    /// Commands: the aggregate version the caller saw (`If-Match`); another one means rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifmatch: Option<Sequence>,
    /// Commands: keyed hash of what was asked under an `Idempotency-Key`, so that a key used twice is noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// `type` and `data`.
    #[serde(flatten)]
    pub body: T,
}

/// The version of the CloudEvents specification; any other is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Spec {
    /// 1.0, the only one there is.
    #[default]
    #[serde(rename = "1.0")]
    V1,
}

/// Who wrote a message: a path, so that every name is a valid URI reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Source(pub Cow<'static, str>);

impl Source {
    /// A source known when the program was written.
    pub const fn new(path: &'static str) -> Self {
        Source(Cow::Borrowed(path))
    }
}

/// What kind of principal acts, in the words of the CloudEvents auth context extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthType {
    /// A person with an account here.
    AppUser,
    /// A person without one, or not signed in.
    Unauthenticated,
    /// Reprise itself: a reaction, a worker, a timer.
    System,
}

/// The version of an aggregate. On the wire it is a text of 20 digits, so that it sorts as a number does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub u64);

impl Serialize for Sequence {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:020}", self.0))
    }
}

impl<'de> Deserialize<'de> for Sequence {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        text.parse().map(Sequence).map_err(serde::de::Error::custom)
    }
}
