//! What the vault says to the log: written in the transaction that makes it true, sent afterwards from memory. The
//! command's id is fixed when it is written, so sending it twice is harmless; after a crash in between it is found in the
//! table.

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::{AuthType, Command, Message, Source, Spec};
use futures::future::join_all;
use nats::{Bus, SendError};
use sqlx::PgExecutor;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::crypto;
use crate::vault::Vault;

/// Why something is said.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cause {
    /// The message that led to it, and the command that began it all.
    pub message: Option<(Uuid, Uuid)>,
    /// Who wanted it.
    pub by: Option<Uuid>,
}

impl Cause {
    /// A person wanted it.
    pub fn by(person: Uuid) -> Self {
        Cause { message: None, by: Some(person) }
    }
}

/// The id of a command that a session is the subject of: each is said once in a session's life.
pub(crate) fn session_command(session: Uuid, what: &str) -> Uuid {
    Uuid::new_v5(&session, what.as_bytes())
}

/// The id of a command that may be said often. Version 5 tells the runtime that it may come twice.
pub(crate) fn any_command() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, &crypto::random::<16>())
}

/// A command of the vault.
pub(crate) fn message(
    id: Uuid,
    subject: Uuid,
    time: DateTime<Utc>,
    cause: Cause,
    command: impl Into<Command>,
) -> Message<Command> {
    Message {
        specversion: Spec::V1,
        id,
        source: Source::new("/vault"),
        subject,
        time,
        correlationid: cause.message.map_or(id, |(_, correlation)| correlation),
        causationid: cause.message.map(|(message, _)| message),
        authtype: AuthType::System,
        authid: cause.by,
        authclaims: None,
        sequence: None,
        traceparent: None,
        replyto: None,
        ifmatch: None,
        fingerprint: None,
        body: command.into(),
    }
}

/// What is in the outbox and may be sent as soon as its transaction is over: give it to [`Vault::written`] then.
#[must_use = "it is sent when its transaction is over"]
#[derive(Default)]
pub(crate) struct Said(Vec<(i64, Option<Vec<u8>>)>);

impl Said {
    /// What a statement of its own wrote.
    pub fn one(id: i64, message: Vec<u8>) -> Self {
        Said(vec![(id, Some(message))])
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Both.
    pub fn and(mut self, other: Said) -> Said {
        self.0.extend(other.0);
        self
    }
}

/// Writes what is to be said. `None` says nothing and takes as long.
pub(crate) async fn write(db: impl PgExecutor<'_>, messages: Vec<Option<Vec<u8>>>) -> sqlx::Result<Said> {
    let statement = "insert into vault.outbox (message) select * from unnest($1::bytea[]) returning id";
    let ids: Vec<i64> = sqlx::query_scalar(statement).bind(&messages).fetch_all(db).await?;
    Ok(Said(ids.into_iter().zip(messages).collect()))
}

impl Vault {
    /// This was written and committed: it can be sent.
    pub fn written(&self, said: Said) {
        nats::crash::point("vault.written");
        if !said.0.is_empty() {
            // what finds no room is found in the table
            self.said.put.try_send(said).ok();
        }
    }

    /// The command as it is written: personal fields sealed. `None` when its person is erased.
    ///
    /// # Errors
    /// The database, where the key is.
    pub async fn sealed(&self, message: &Message<Command>) -> anyhow::Result<Option<Vec<u8>>> {
        match self.keyring.seal(serde_json::to_vec(message)?).await {
            Ok(sealed) => Ok(Some(sealed)),
            Err(SendError::Erased) => Ok(None),
            Err(error) => Err(anyhow::Error::new(error).context("sealing for the outbox")),
        }
    }

    /// Sends what is written until told to stop, and then what is left.
    pub async fn relay(&self, bus: &Bus, stop: &CancellationToken) {
        let mut queue = self.said.take.lock().await;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut said = vec![];
            let sent = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = look.tick() => self.send_left(bus).await,
                _ = queue.recv_many(&mut said, AT_ONCE) => self.send_said(bus, said).await,
            };
            if let Err(error) = sent {
                tracing::warn!(error = format!("{error:#}"), "the outbox waits");
                tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(LOOK) => {} }
            }
        }
        let rest = tokio::time::timeout(Duration::from_secs(5), self.send_left(bus)).await;
        if !matches!(rest, Ok(Ok(()))) {
            tracing::info!("the outbox is sent at the next start");
        }
    }

    /// Sends what was just written here. What cannot be sent stays in the table.
    async fn send_said(&self, bus: &Bus, said: Vec<Said>) -> anyhow::Result<()> {
        let said: Vec<_> = said.into_iter().flat_map(|said| said.0).collect();
        send_all(&self.db, bus, &said).await
    }

    /// Sends what the table still holds: what a vault wrote that died since, and what could not be sent before.
    async fn send_left(&self, bus: &Bus) -> anyhow::Result<()> {
        loop {
            let mut tx = self.pool.begin().await?;
            let statement = "select id, message from vault.outbox order by id limit $1 for update skip locked";
            let left: Vec<(i64, Option<Vec<u8>>)> = sqlx::query_as(statement)
                .bind(AT_ONCE as i64)
                .fetch_all(&mut *tx)
                .await
                .context("reading the outbox")?;
            if left.is_empty() {
                return Ok(());
            }
            let sent = send_all(&mut *tx, bus, &left).await;
            tx.commit().await?;
            sent?;
        }
    }
}

/// What was written and is to be sent, on its way to the relay.
pub(crate) struct Queue {
    put: mpsc::Sender<Said>,
    take: tokio::sync::Mutex<mpsc::Receiver<Said>>,
}

impl Default for Queue {
    fn default() -> Self {
        let (put, take) = mpsc::channel(1024);
        Queue { put, take: take.into() }
    }
}

/// Messages that are sent together.
const AT_ONCE: usize = 64;
/// How often the table is looked at: another vault may have written and died.
const LOOK: Duration = Duration::from_secs(1);

/// Sends messages and removes from the table those that were sent.
async fn send_all(db: impl PgExecutor<'_>, bus: &Bus, messages: &[(i64, Option<Vec<u8>>)]) -> anyhow::Result<()> {
    let results = join_all(messages.iter().map(|(_, message)| send(bus, message.as_deref()))).await;
    nats::crash::point("vault.relayed");
    let sent: Vec<i64> =
        messages.iter().zip(&results).filter(|(_, sent)| sent.is_ok()).map(|((id, _), _)| *id).collect();
    sqlx::query("delete from vault.outbox where id = any($1)").bind(&sent).execute(db).await?;
    results.into_iter().collect()
}

async fn send(bus: &Bus, message: Option<&[u8]>) -> anyhow::Result<()> {
    let Some(message) = message else { return Ok(()) };
    let command = Message::<Command>::command(message).context("a command in the outbox")?;
    match bus.send(&command).await {
        Ok(_) => Ok(()),
        // what it would say about an erased person nobody may know any more
        Err(SendError::Erased) => Ok(()),
        Err(error) => Err(anyhow::Error::new(error).context("sending from the outbox")),
    }
}
