//! Questions and their answers on one connection: one wildcard inbox and a map of who waits for what.
//! Nothing subscribes for a single question, so a question costs one message out and one in.

use anyhow::Result;
use async_nats::{Client, HeaderMap, Message, StatusCode};
use bytes::Bytes;
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

use crate::outcome::Outcome;

/// The inboxes of this process. What is told in the process where it is waited for needs no server in between
/// (`docs/decisions/0019-what-is-told-at-home-stays-there.md`).
static HERE: RwLock<Vec<(String, Weak<Map>)>> = RwLock::new(Vec::new());

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("nobody is there to answer")]
    NoResponders,
    #[error("no answer in time")]
    TimedOut,
    #[error("could not be sent: {0}")]
    NotSent(String),
}

enum Waiter {
    One(oneshot::Sender<Message>),
    Many(mpsc::UnboundedSender<Message>),
    Outcome(oneshot::Sender<Outcome>),
}

type Map = Mutex<HashMap<u64, Waiter>>;
type Waiting = Arc<Map>;

/// Asks over one connection.
pub(crate) struct Calls {
    pub(crate) client: Client,
    inbox: String,
    next: AtomicU64,
    waiting: Waiting,
}

/// A place where answers arrive; gone when dropped.
pub(crate) struct Inbox<T> {
    pub(crate) subject: String,
    pub(crate) answers: T,
    token: u64,
    waiting: Waiting,
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
    }
}

impl Calls {
    pub(crate) async fn new(client: Client) -> Result<Self> {
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(format!("{inbox}.*")).await?;
        let waiting = Waiting::default();
        let (map, prefix) = (waiting.clone(), format!("{inbox}."));
        let mut here = HERE.write().unwrap_or_else(PoisonError::into_inner);
        here.retain(|(_, inboxes)| inboxes.strong_count() > 0);
        here.push((prefix.clone(), Arc::downgrade(&waiting)));
        drop(here);
        tokio::spawn(async move {
            while let Some(message) = answers.next().await {
                deliver(&map, &prefix, message);
            }
        });
        Ok(Calls { client, inbox, next: AtomicU64::new(1), waiting })
    }

    /// A place for one answer.
    pub(crate) fn one(&self) -> Inbox<oneshot::Receiver<Message>> {
        let (sender, answers) = oneshot::channel();
        self.place(Waiter::One(sender), answers)
    }

    /// A place for many answers.
    pub(crate) fn many(&self) -> Inbox<mpsc::UnboundedReceiver<Message>> {
        let (sender, answers) = mpsc::unbounded_channel();
        self.place(Waiter::Many(sender), answers)
    }

    /// A place for what came of a command; closed when what is told is no outcome.
    pub(crate) fn outcome(&self) -> Inbox<oneshot::Receiver<Outcome>> {
        let (sender, answers) = oneshot::channel();
        self.place(Waiter::Outcome(sender), answers)
    }

    fn place<T>(&self, waiter: Waiter, answers: T) -> Inbox<T> {
        let token = self.next.fetch_add(1, Ordering::Relaxed);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(token, waiter);
        Inbox { subject: format!("{}.{token:x}", self.inbox), answers, token, waiting: self.waiting.clone() }
    }

    /// Publishes, with the answer to arrive at `reply`.
    pub(crate) async fn publish(
        &self,
        subject: &str,
        reply: &str,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<(), Unanswered> {
        let (subject, reply) = (subject.to_owned(), reply.to_owned());
        let sent = match headers {
            Some(headers) => self.client.publish_with_reply_and_headers(subject, reply, headers, payload).await,
            None => self.client.publish_with_reply(subject, reply, payload).await,
        };
        sent.map_err(|error| Unanswered::NotSent(error.to_string()))
    }

    /// One question, one answer.
    pub(crate) async fn ask(
        &self,
        subject: &str,
        headers: Option<HeaderMap>,
        payload: Bytes,
        wait: Duration,
    ) -> Result<Message, Unanswered> {
        let mut inbox = self.one();
        self.publish(subject, &inbox.subject, headers, payload).await?;
        match tokio::time::timeout(wait, &mut inbox.answers).await {
            Ok(Ok(message)) if message.status == Some(StatusCode::NO_RESPONDERS) => Err(Unanswered::NoResponders),
            Ok(Ok(message)) => Ok(message),
            Ok(Err(_)) => Err(Unanswered::NotSent("the connection is closed".into())),
            Err(_) => Err(Unanswered::TimedOut),
        }
    }
}

/// Tells whoever waits at `inbox` in this process. Gives whether somebody did, and `None` when it is not here.
pub(crate) fn tell_here(inbox: &str, outcome: &Outcome) -> Option<bool> {
    let here = HERE.read().unwrap_or_else(PoisonError::into_inner);
    let (prefix, waiting) = here.iter().find(|(prefix, _)| inbox.starts_with(prefix.as_str()))?;
    let (token, waiting) = (token(inbox, prefix)?, waiting.upgrade()?);
    let waiter = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&token);
    let Some(Waiter::Outcome(sender)) = waiter else { return Some(false) };
    Some(sender.send(outcome.clone()).is_ok())
}

fn token(inbox: &str, prefix: &str) -> Option<u64> {
    inbox.strip_prefix(prefix).and_then(|token| u64::from_str_radix(token, 16).ok())
}

fn deliver(waiting: &Waiting, prefix: &str, message: Message) {
    let Some(token) = token(&message.subject, prefix) else { return };
    let mut map = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    match map.remove(&token) {
        Some(Waiter::One(sender)) => drop(sender.send(message)),
        Some(Waiter::Outcome(sender)) => {
            if let Ok(told) = serde_json::from_slice(&message.payload) {
                sender.send(told).ok();
            }
        }
        Some(Waiter::Many(sender)) => {
            let listening = sender.send(message).is_ok();
            if listening {
                map.insert(token, Waiter::Many(sender));
            }
        }
        // whoever asked has given up
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Status;
    use uuid::Uuid;

    fn outcome() -> Outcome {
        Outcome {
            id: Uuid::from_u128(1),
            kind: "a.b.c.v1".into(),
            subject: Uuid::from_u128(2),
            status: Status::Accepted,
            version: 3,
            position: 4,
            refusal: None,
            fingerprint: None,
            authid: None,
            time: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn who_waits_in_this_process_is_told_there() {
        let (waiting, (sender, mut told)) = (Waiting::default(), oneshot::channel());
        waiting.lock().expect("nobody panics here").insert(0x1f, Waiter::Outcome(sender));
        HERE.write().expect("nobody panics here").push(("_INBOX_a.1.".into(), Arc::downgrade(&waiting)));
        assert_eq!(tell_here("_INBOX_a.2.1f", &outcome()), None, "another process");
        assert_eq!(tell_here("_INBOX_a.1.1f", &outcome()), Some(true));
        assert_eq!(told.try_recv().expect("it is told"), outcome());
        assert_eq!(tell_here("_INBOX_a.1.1f", &outcome()), Some(false), "nobody waits any more");
        let (sender, gone) = oneshot::channel();
        waiting.lock().expect("nobody panics here").insert(2, Waiter::Outcome(sender));
        drop(gone);
        assert_eq!(tell_here("_INBOX_a.1.2", &outcome()), Some(false), "whoever waited has left");
        drop(waiting);
        assert_eq!(tell_here("_INBOX_a.1.1f", &outcome()), None, "the connection is gone");
    }
}
