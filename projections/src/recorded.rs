//! A message of the log as a projection gets it: what was said, where it stands, and its sealed form.

use anyhow::anyhow;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use events::{Event, Message, Unreadable};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use uuid::Uuid;

use crate::operations::{self, Stated};

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
    /// Parsed once for all projections; a fault is kept until one of them wants the message.
    said: Result<Said, String>,
}

#[derive(Clone, Debug)]
enum Said {
    Event(Box<Message<Event>>),
    Outcomes(Vec<Stated>),
}

impl Recorded {
    /// A message as stored, and with its personal fields opened.
    pub fn new(sequence: u64, subject: String, time: DateTime<Utc>, raw: Bytes, opened: &[u8]) -> Self {
        let said = match subject.starts_with("evt.") {
            true => Message::event(opened).map(|event| Said::Event(event.into())),
            false => operations::stated(opened).map(Said::Outcomes).map_err(Unreadable::from),
        };
        Recorded { sequence, subject, time, raw, said: said.map_err(|fault| describe(&fault)) }
    }

    /// The event.
    ///
    /// # Errors
    /// The bytes are no event that this version knows.
    pub fn event(&self) -> anyhow::Result<&Message<Event>> {
        match &self.said {
            Ok(Said::Event(event)) => Ok(event),
            Ok(Said::Outcomes(_)) => Err(anyhow!("not an event")),
            Err(fault) => Err(anyhow!("{fault}")),
        }
    }

    /// What it says of commands.
    ///
    /// # Errors
    /// It says nothing of any, or not in these words.
    pub(crate) fn stated(&self) -> anyhow::Result<&[Stated]> {
        match &self.said {
            Ok(Said::Outcomes(stated)) => Ok(stated),
            Ok(Said::Event(_)) => Err(anyhow!("not an outcome")),
            Err(fault) => Err(anyhow!("{fault}")),
        }
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
