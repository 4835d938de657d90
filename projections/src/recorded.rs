//! A message of the log as a projection gets it: what was said, where it stands, and its sealed form.

use anyhow::anyhow;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use events::{Event, Message, Unreadable};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use uuid::Uuid;

/// One stored message.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its place in the stream.
    pub sequence: u64,
    /// Its subject in the stream: `evt.<context>.<aggregate>.<id>`, `out.<command>`.
    pub subject: String,
    /// When it was stored.
    pub time: DateTime<Utc>,
    raw: Bytes,
    opened: Bytes,
    event: Option<Result<Message<Event>, String>>,
}

impl Recorded {
    /// A message as stored, and with its personal fields opened.
    pub fn new(sequence: u64, subject: String, time: DateTime<Utc>, raw: Bytes, opened: Bytes) -> Self {
        Recorded { sequence, subject, time, raw, opened, event: None }
    }

    /// Parses the event, so that several projections need not; a fault is kept until someone asks for the event.
    pub fn decode(&mut self) {
        if !self.subject.starts_with("evt.") {
            return;
        }
        self.event = Some(Message::event(&self.opened).map_err(|fault| describe(&fault)));
    }

    /// The event.
    ///
    /// # Errors
    /// The bytes are no event that this version knows.
    pub fn event(&self) -> anyhow::Result<&Message<Event>> {
        match &self.event {
            Some(Ok(event)) => Ok(event),
            Some(Err(fault)) => Err(anyhow!("{fault}")),
            None => Err(anyhow!("not an event")),
        }
    }

    /// The message as something else than an event.
    ///
    /// # Errors
    /// It is something else.
    pub fn read<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.opened).map_err(|fault| anyhow!("{}", describe(&fault.into())))
    }

    /// Whether it is a list of things.
    pub fn is_list(&self) -> bool {
        self.opened.starts_with(b"[")
    }

    /// The key that stops when this message cannot be applied: the id of the aggregate or of the command.
    pub fn key(&self) -> &str {
        let place = if self.subject.starts_with("evt.") { 3 } else { 1 };
        self.subject.splitn(place + 2, '.').nth(place).unwrap_or(&self.subject)
    }

    /// A sealed field of `data` in portable form: `<message id>.<person>.<base64>`. Nothing when it is not sealed.
    pub fn sealed(&self, field: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct Stored<'a> {
            id: Uuid,
            #[serde(borrow)]
            data: HashMap<Cow<'a, str>, &'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Sealed<'a> {
            #[serde(borrow, rename = "$sealed")]
            text: Cow<'a, str>,
        }
        let stored: Stored = serde_json::from_slice(&self.raw).ok()?;
        let sealed: Sealed = serde_json::from_str(stored.data.get(field)?.get()).ok()?;
        Some(format!("{}.{}", stored.id, sealed.text))
    }
}

/// What is wrong with a message, without a word of what is in it: that may be personal.
fn describe(fault: &Unreadable) -> String {
    match fault {
        Unreadable::UnknownType(kind) => format!("unknown type {kind:?}"),
        Unreadable::Malformed(error) => {
            format!("not a valid message: {:?} fault at column {}", error.classify(), error.column())
        }
    }
}
