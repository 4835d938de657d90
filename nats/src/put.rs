//! Storing in a stream: a plain publish for one message, an atomic batch for several, and what the server answers.
//! Headers are built here from values, so that no caller can pass one that a stream would trip over.

use async_nats::HeaderMap;
use async_nats::header::{
    NATS_BATCH_COMMIT, NATS_BATCH_ID, NATS_BATCH_SEQUENCE, NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID,
};
use bytes::Bytes;
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

use crate::calls::{Calls, Unanswered};
use crate::refusing;
use crate::streams::{OUTCOMES, SNAPSHOTS};

/// How long a stored message may take to be acknowledged before nobody knows.
const WAIT: Duration = Duration::from_secs(5);

/// A message on its way into a stream.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) subject: String,
    /// The server drops a second message with this id for a while.
    pub(crate) id: Option<String>,
    /// The sequence of the last message on the subject: another one means conflict.
    pub(crate) expected: Option<u64>,
    pub(crate) payload: Bytes,
    pub(crate) extra: Vec<(&'static str, String)>,
}

impl Note {
    pub(crate) fn new(subject: String, id: impl ToString, expected: Option<u64>, payload: impl Into<Bytes>) -> Self {
        Note { subject, id: Some(id.to_string()), expected, payload: payload.into(), extra: vec![] }
    }

    /// The message that follows `expected` on its subject, if nothing is said about that before it in the same batch.
    pub(crate) fn after(subject: String, expected: Option<u64>, payload: impl Into<Bytes>) -> Self {
        Note { subject, id: None, expected, payload: payload.into(), extra: vec![] }
    }

    /// The only message on its subject, ever.
    pub(crate) fn only(subject: String, payload: impl Into<Bytes>) -> Self {
        Self::after(subject, Some(0), payload)
    }

    fn headers(&self, stream: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(id) = &self.id {
            headers.insert(NATS_MESSAGE_ID, id.as_str());
        }
        if ![OUTCOMES, SNAPSHOTS].contains(&stream) {
            headers.insert("Content-Type", "application/cloudevents+json");
        }
        if let Some(expected) = self.expected {
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
        }
        for (name, value) in &self.extra {
            headers.insert(*name, value.as_str());
        }
        headers
    }
}

/// What came of storing.
#[derive(Clone, Debug)]
pub(crate) enum Put {
    /// It is in the stream; of several the sequence of the last. A duplicate may be other content under the same id.
    Stored { sequence: u64, duplicate: bool },
    /// It is not what was expected, or was stored before: the tail tells.
    Conflict,
    /// The same id is being stored at this moment.
    InProcess,
    /// The stream is full.
    Full,
    /// Refused for another reason; nothing was stored.
    Refused(String),
    /// Nobody knows: it may be stored.
    Unclear(String),
}

#[derive(Deserialize)]
struct Ack {
    #[serde(default)]
    stream: String,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<Trouble>,
}

/// An error of the server's.
#[derive(Deserialize, Debug)]
pub(crate) struct Trouble {
    #[serde(default)]
    pub(crate) code: u64,
    #[serde(default)]
    pub(crate) err_code: u64,
    #[serde(default)]
    pub(crate) description: String,
}

/// Stores one message, or several all together.
pub(crate) async fn put(calls: &Calls, stream: &str, notes: &[Note]) -> Put {
    let put = match notes {
        [one] => answer(stream, calls.ask(&one.subject, Some(one.headers(stream)), one.payload.clone(), WAIT).await),
        several => batch(calls, stream, several).await,
    };
    refusing::note(&put);
    put
}

/// Sends one message and does not wait to hear whether it was stored.
pub(crate) async fn hand_over(calls: &Calls, stream: &str, note: Note) -> anyhow::Result<()> {
    let headers = note.headers(stream);
    Ok(calls.client.publish_with_headers(note.subject, headers, note.payload).await?)
}

/// All in one round trip: only the last message is answered, and its answer is for all.
async fn batch(calls: &Calls, stream: &str, notes: &[Note]) -> Put {
    let id = Uuid::now_v7().simple().to_string();
    let Some((last, others)) = notes.split_last() else { return Put::Refused("nothing to store".into()) };
    let in_batch = |note: &Note, n: usize| {
        let mut headers = note.headers(stream);
        headers.insert(NATS_BATCH_ID, id.as_str());
        headers.insert(NATS_BATCH_SEQUENCE, n.to_string());
        headers
    };
    for (n, note) in others.iter().enumerate() {
        let headers = in_batch(note, n + 1);
        let sent = calls.client.publish_with_headers(note.subject.clone(), headers, note.payload.clone()).await;
        if let Err(error) = sent {
            // without its last message a batch is never stored
            return Put::Refused(error.to_string());
        }
    }
    let mut headers = in_batch(last, notes.len());
    headers.insert(NATS_BATCH_COMMIT, "1");
    answer(stream, calls.ask(&last.subject, Some(headers), last.payload.clone(), WAIT).await)
}

fn answer(stream: &str, answer: Result<async_nats::Message, Unanswered>) -> Put {
    let message = match answer {
        Ok(message) => message,
        Err(error) => return Put::Unclear(error.to_string()),
    };
    match serde_json::from_slice::<Ack>(&message.payload) {
        Ok(Ack { error: Some(trouble), .. }) => refused(trouble),
        // a subject that another stream took: nobody would find the message there
        Ok(Ack { stream: other, seq, .. }) if seq > 0 && other != stream => Put::Refused(format!("{other} took it")),
        Ok(Ack { seq, duplicate, .. }) if seq > 0 => Put::Stored { sequence: seq, duplicate },
        _ => Put::Unclear("the answer is not an acknowledgement".into()),
    }
}

/// One node and three answer the same conflict with different codes.
fn refused(trouble: Trouble) -> Put {
    match (trouble.err_code, trouble.code) {
        (10071 | 10164 | 10201, _) => Put::Conflict,
        (10158, _) => Put::InProcess,
        // the stream's limit is reached, or the disk is full
        (10077 | 10023 | 10047, _) => Put::Full,
        // too many batches at once, or one that another answer has outrun
        (10210 | 10176, _) | (_, 429 | 503 | 408) => Put::Unclear(trouble.description),
        _ => Put::Refused(format!("{} ({})", trouble.description, trouble.err_code)),
    }
}
