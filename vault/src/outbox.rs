//! What the vault says to the log: written in the transaction that makes it true, sent afterwards. The command's id is
//! fixed when it is written, so sending it twice is harmless; a crash in between loses nothing.

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::{AuthType, Command, Message, Source, Spec};
use futures::future::join_all;
use nats::{Bus, SendError};
use sqlx::{PgConnection, PgPool};
use std::time::Duration;
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

/// Writes what is to be said. `None` says nothing and takes as long.
pub(crate) async fn write(db: &mut PgConnection, messages: &[Option<Vec<u8>>]) -> sqlx::Result<()> {
    let statement = "insert into vault.outbox (message) select * from unnest($1::bytea[])";
    sqlx::query(statement).bind(messages).execute(db).await.map(drop)
}

impl Vault {
    /// Something was written and committed: it can be sent.
    pub fn written(&self) {
        nats::crash::point("vault.written");
        self.said.notify_one();
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
        while !stop.is_cancelled() {
            match relay_some(&self.pool, bus).await {
                Ok(sent) if sent == AT_ONCE => {}
                // looks again now and then: another vault may have written and died
                Ok(_) => self.nap(Duration::from_secs(1), stop).await,
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the outbox waits");
                    tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(Duration::from_secs(1)) => {} }
                }
            }
        }
        let rest = tokio::time::timeout(Duration::from_secs(5), relay_some(&self.pool, bus)).await;
        if !matches!(rest, Ok(Ok(_))) {
            tracing::info!("the outbox is sent at the next start");
        }
    }

    async fn nap(&self, time: Duration, stop: &CancellationToken) {
        tokio::select! {
            () = self.said.notified() => {}
            () = stop.cancelled() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

/// Messages sent in one transaction.
const AT_ONCE: usize = 64;

/// Sends some of what is written; several vaults share the work.
async fn relay_some(pool: &PgPool, bus: &Bus) -> anyhow::Result<usize> {
    let mut tx = pool.begin().await?;
    let statement = "select id, message from vault.outbox order by id limit $1 for update skip locked";
    let rows: Vec<(i64, Option<Vec<u8>>)> =
        sqlx::query_as(statement).bind(AT_ONCE as i64).fetch_all(&mut *tx).await.context("reading the outbox")?;
    if rows.is_empty() {
        return Ok(0);
    }
    let results = join_all(rows.iter().map(|(_, message)| send(bus, message.as_deref()))).await;
    nats::crash::point("vault.relayed");
    let sent: Vec<i64> = rows.iter().zip(&results).filter(|(_, sent)| sent.is_ok()).map(|((id, _), _)| *id).collect();
    sqlx::query("delete from vault.outbox where id = any($1)").bind(&sent).execute(&mut *tx).await?;
    tx.commit().await?;
    results.into_iter().collect::<anyhow::Result<Vec<()>>>()?;
    Ok(rows.len())
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
