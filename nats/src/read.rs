//! Reading a stream without a consumer: batches by direct get, which any replica may answer and may answer late, and
//! single messages from the leader, which are true at the moment of the answer.

use anyhow::{Context, Result, anyhow, bail};
use async_nats::header::{NATS_LAST_SEQUENCE, NATS_SEQUENCE, NATS_SUBJECT, NATS_TIME_STAMP};
use async_nats::{HeaderMap, HeaderName, Message};
use base64::prelude::{BASE64_STANDARD, Engine};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout};

use crate::calls::{Calls, Unanswered};
use crate::put::Trouble;

/// A page that stands still for so long is asked for again.
const STALLED: Duration = Duration::from_secs(3);
/// How long a leader may be missing: an election takes a second or two.
const ELECTION: Duration = Duration::from_secs(10);

/// A stored message.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) subject: String,
    pub(crate) time: DateTime<Utc>,
    pub(crate) payload: Bytes,
}

/// Some messages in a row.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Stored>,
    /// The replica that answered has no more of them.
    pub(crate) ended: bool,
}

/// Up to `size` messages of `subject` (`>`: all), beginning with `start`: `{"seq": n}` or `{"start_time": t}`.
pub(crate) async fn page(calls: &Calls, stream: &str, start: Value, subject: &str, size: usize) -> Result<Page> {
    let mut question = start;
    question["batch"] = json!(size);
    question["next_by_subj"] = json!(subject);
    let mut inbox = calls.many();
    let ask = format!("$JS.API.DIRECT.GET.{stream}");
    calls.publish(&ask, &inbox.subject, None, question.to_string().into()).await?;
    let mut page = Page { messages: Vec::with_capacity(size.min(1024)), ended: true };
    loop {
        let next = timeout(STALLED, inbox.answers.recv()).await;
        let message = next.with_context(|| format!("reading {stream}"))?.context("the connection is closed")?;
        match message.status.map(|status| status.as_u16()) {
            None => take(&mut page, message)?,
            Some(204) => break,
            Some(404) => return Ok(page),
            status => bail!("reading {stream}: {status:?} {}", message.description.unwrap_or_default()),
        }
    }
    page.ended = page.messages.len() < size;
    Ok(page)
}

/// Each message of a page names the one before it: one that got lost on the way is noticed.
fn take(page: &mut Page, message: Message) -> Result<()> {
    let headers = message.headers.as_ref().context("a stored message without headers")?;
    let before: u64 = number(headers, NATS_LAST_SEQUENCE)?;
    if page.messages.last().is_some_and(|last| last.sequence != before) {
        bail!("a message was lost on the way");
    }
    page.messages.push(Stored {
        sequence: number(headers, NATS_SEQUENCE)?,
        subject: text(headers, NATS_SUBJECT)?.to_owned(),
        time: text(headers, NATS_TIME_STAMP)?.parse()?,
        payload: message.payload,
    });
    Ok(())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Result<&str> {
    headers.get_last(name.clone()).map(|value| value.as_str()).with_context(|| format!("no header {name}"))
}

fn number(headers: &HeaderMap, name: HeaderName) -> Result<u64> {
    Ok(text(headers, name)?.parse()?)
}

/// The last message on `subject` as any replica knows it.
pub(crate) async fn last(calls: &Calls, stream: &str, subject: &str) -> Result<Option<Stored>> {
    let ask = format!("$JS.API.DIRECT.GET.{stream}.{subject}");
    let message = calls.ask(&ask, None, Bytes::new(), STALLED).await?;
    match message.status.map(|status| status.as_u16()) {
        None => {
            let headers = message.headers.as_ref().context("a stored message without headers")?;
            Ok(Some(Stored {
                sequence: number(headers, NATS_SEQUENCE)?,
                subject: text(headers, NATS_SUBJECT)?.to_owned(),
                time: text(headers, NATS_TIME_STAMP)?.parse()?,
                payload: message.payload,
            }))
        }
        Some(404) => Ok(None),
        status => Err(anyhow!("reading {subject}: {status:?} {}", message.description.unwrap_or_default())),
    }
}

/// The last message on `subject`, asked from the leader.
pub(crate) async fn leader_last(calls: &Calls, stream: &str, subject: &str) -> Result<Option<Stored>> {
    leader(calls, stream, json!({ "last_by_subj": subject })).await
}

/// The first message on `subject` at or after `from`, asked from the leader.
pub(crate) async fn leader_next(calls: &Calls, stream: &str, subject: &str, from: u64) -> Result<Option<Stored>> {
    leader(calls, stream, json!({ "seq": from, "next_by_subj": subject })).await
}

#[derive(Deserialize)]
struct Got {
    message: Option<Raw>,
    error: Option<Trouble>,
}

#[derive(Deserialize)]
struct Raw {
    seq: u64,
    subject: String,
    #[serde(default)]
    data: String,
    time: DateTime<Utc>,
}

async fn leader(calls: &Calls, stream: &str, question: Value) -> Result<Option<Stored>> {
    let got: Got = api(calls, &format!("STREAM.MSG.GET.{stream}"), question).await?;
    match (got.message, got.error) {
        (Some(raw), _) => Ok(Some(Stored {
            sequence: raw.seq,
            subject: raw.subject,
            time: raw.time,
            payload: BASE64_STANDARD.decode(raw.data)?.into(),
        })),
        (None, Some(Trouble { err_code: 10037, .. })) => Ok(None),
        (None, trouble) => Err(anyhow!("reading {stream} from its leader: {trouble:?}")),
    }
}

/// Asks the server's API, through an election if need be.
pub(crate) async fn api<A: serde::de::DeserializeOwned>(calls: &Calls, verb: &str, question: Value) -> Result<A> {
    let (subject, question) = (format!("$JS.API.{verb}"), Bytes::from(question.to_string()));
    let deadline = Instant::now() + ELECTION;
    loop {
        let answer = calls.ask(&subject, None, question.clone(), Duration::from_secs(2)).await;
        match answer {
            Ok(message) if !is_passing(&message.payload) => {
                return serde_json::from_slice(&message.payload).with_context(|| format!("the answer to {verb}"));
            }
            Err(Unanswered::NotSent(error)) => bail!("{verb}: {error}"),
            Err(error) if Instant::now() > deadline => return Err(error).with_context(|| verb.to_owned()),
            Ok(_) if Instant::now() > deadline => bail!("{verb}: the stream has no leader"),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// «No leader», «not available now»: 10008 and 10009.
fn is_passing(answer: &[u8]) -> bool {
    memchr::memmem::find(answer, br#""err_code":10008"#).is_some()
        || memchr::memmem::find(answer, br#""err_code":10009"#).is_some()
}
