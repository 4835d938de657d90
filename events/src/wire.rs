//! A message as it stands on the wire. The envelope is read in one pass that leaves the data alone; the data is read in
//! a second one, when the type has told what it is. Nothing is copied on the way.

use crate::{AuthType, Message, Sequence, Source, Spec, Unreadable};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::MapDeserializer;
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// The members of [`Message`], and the two of its body.
#[derive(Deserialize)]
pub(crate) struct Wire<'a> {
    specversion: Spec,
    id: Uuid,
    source: Source,
    subject: Uuid,
    time: DateTime<Utc>,
    correlationid: Uuid,
    causationid: Option<Uuid>,
    authtype: AuthType,
    authid: Option<Uuid>,
    authclaims: Option<String>,
    sequence: Option<Sequence>,
    traceparent: Option<String>,
    replyto: Option<String>,
    ifmatch: Option<Sequence>,
    fingerprint: Option<String>,
    /// As it stands there, like the data: both are handed on together.
    #[serde(borrow, rename = "type")]
    kind: &'a RawValue,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl<'a> Wire<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// The `type`.
    pub(crate) fn kind(&self) -> serde_json::Result<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        serde_json::from_str(self.kind.get()).map(|Text(text)| text)
    }

    /// The message, its body read as the words of one context and turned into those of the platform.
    pub(crate) fn message<T: DeserializeOwned, W>(
        self,
        kind: &str,
        whole: fn(T) -> W,
    ) -> Result<Message<W>, Unreadable> {
        let members = [("type", self.kind)].into_iter().chain(self.data.map(|data| ("data", data)));
        let body = match T::deserialize(MapDeserializer::new(members)) {
            Ok(body) => whole(body),
            // serde says «unknown variant» both for a type we do not know and for a wrong word inside the data
            Err(error) if error.to_string().contains(&format!("unknown variant `{kind}`")) => {
                return Err(Unreadable::UnknownType(kind.to_owned()));
            }
            Err(error) => return Err(Unreadable::Malformed(error)),
        };
        Ok(Message {
            specversion: self.specversion,
            id: self.id,
            source: self.source,
            subject: self.subject,
            time: self.time,
            correlationid: self.correlationid,
            causationid: self.causationid,
            authtype: self.authtype,
            authid: self.authid,
            authclaims: self.authclaims,
            sequence: self.sequence,
            traceparent: self.traceparent,
            replyto: self.replyto,
            ifmatch: self.ifmatch,
            fingerprint: self.fingerprint,
            body,
        })
    }
}
