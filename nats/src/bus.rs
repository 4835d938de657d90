//! The connection to the log and to everybody else. One per role and process; all its questions share one inbox.

use anyhow::{Context, Result};
use async_nats::{ConnectErrorKind, ConnectOptions, Event};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};

use crate::calls::Calls;
use crate::keyring::Keyring;
use crate::lane::Writer;
use crate::streams;
use crate::wake::{WAITING, Wakes};

/// When what is stored reaches the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before it is acknowledged; many waiting appends then share one flush.
    Always,
    /// Now and then: an acknowledged message can be lost when the machine stops.
    Interval,
}

/// How to reach the log.
#[derive(Clone, Debug)]
pub struct Options {
    /// `nats://host:port`, several separated by commas.
    pub url: String,
    /// Who connects: one of the names in [`accounts::roles`](crate::accounts::roles).
    pub role: String,
    /// The nkey seed of the role's user; `None` when the server has no users.
    pub seed: Option<String>,
    /// What the server was told.
    pub sync: Sync,
}

/// Why a command was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// A person in it was erased: it cannot be sealed, now or ever.
    #[error("a person in it has no key any more")]
    Erased,
    /// Too much is waiting, or the log is full.
    #[error("too much is waiting")]
    Overloaded,
    /// The log or the vault does not answer, or nobody knows whether it was stored: send it again under the same id.
    #[error("{0:#}")]
    Unavailable(anyhow::Error),
}

/// The connection. Cheap to clone.
#[derive(Clone)]
pub struct Bus(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) role: String,
    pub(crate) calls: Arc<Calls>,
    pub(crate) keyring: Keyring,
    pub(crate) commands: Writer,
    pub(crate) asked: Writer,
    pub(crate) events: Writer,
    pub(crate) outcomes: Writer,
    pub(crate) wakes: Wakes,
    /// Commands on their way into the log; more than this at once are turned away.
    pub(crate) sending: Semaphore,
    said: mpsc::UnboundedSender<(String, Vec<u8>)>,
}

impl Bus {
    /// Connects as a role; the first connection is tried until it succeeds, later ones for ever.
    ///
    /// # Errors
    /// The address is none, or the server does not know this role or key.
    pub async fn connect(options: &Options) -> Result<Bus> {
        Self::open(options, None).await
    }

    /// The same with a keyring of its own: for the vault, and for tests without one.
    ///
    /// # Errors
    /// As [`Bus::connect`].
    pub async fn connect_with(options: &Options, keyring: Keyring) -> Result<Bus> {
        Self::open(options, Some(keyring)).await
    }

    async fn open(options: &Options, keyring: Option<Keyring>) -> Result<Bus> {
        let client = connected(options).await?;
        let calls = Arc::new(Calls::new(client.clone()).await?);
        let keyring = keyring.unwrap_or_else(|| Keyring::vault(calls.clone()));
        let writer = |stream| Writer::new(calls.clone(), stream, options.sync);
        let (said, saying) = mpsc::unbounded_channel();
        tokio::spawn(say_all(client.clone(), saying));
        let bus = Bus(Arc::new(Inner {
            role: options.role.clone(),
            commands: writer(streams::COMMANDS),
            // nothing there waits for the disk
            asked: Writer::new(calls.clone(), streams::ASKED, Sync::Interval),
            events: writer(streams::EVENTS),
            outcomes: writer(streams::OUTCOMES),
            wakes: Wakes::new(client.clone()),
            sending: Semaphore::new(16_384),
            keyring,
            calls,
            said,
        }));
        if !matches!(options.role.as_str(), "auditor" | "operator" | "provisioner") {
            tokio::spawn(forget_erased(client, bus.keyring().clone()));
        }
        Ok(bus)
    }

    /// The keys of persons.
    pub fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    /// The name this process connected under.
    pub fn role(&self) -> &str {
        &self.0.role
    }

    /// Whether there is a connection at this moment.
    pub fn is_connected(&self) -> bool {
        self.0.calls.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Says something to whoever listens now; at most once, never an error.
    pub fn say(&self, subject: &str, payload: Vec<u8>) {
        self.0.said.send((subject.to_owned(), payload)).ok();
    }

    /// Says that somebody waits for what projections gather ([`crate::Feed::hurried`]); a hint like those of the log.
    pub fn hurry(&self) {
        self.0.wakes.give(WAITING);
    }

    /// What is said on `subject` from now on. After a lost connection it goes on, with what was said meanwhile missing.
    ///
    /// # Errors
    /// The subject is none, or the connection is closed.
    pub async fn listen(&self, subject: &str) -> Result<impl Stream<Item = (String, Bytes)> + Send + use<>> {
        let subscriber = self.0.calls.client.subscribe(subject.to_owned()).await?;
        self.0.calls.client.flush().await?;
        Ok(subscriber.map(|message| (message.subject.to_string(), message.payload)))
    }

    /// Waits until everything said and sent has left, then closes the connection.
    pub async fn flushed_close(&self) {
        let client = &self.0.calls.client;
        client.flush().await.ok();
        client.drain().await.ok();
    }
}

async fn connected(options: &Options) -> Result<async_nats::Client> {
    let addresses: Vec<&str> = options.url.split(',').map(str::trim).collect();
    let mut tries = 0u32;
    loop {
        let error = match connect_options(options).connect(addresses.as_slice()).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        match error.kind() {
            ConnectErrorKind::ServerParse
            | ConnectErrorKind::Authentication
            | ConnectErrorKind::AuthorizationViolation => {
                return Err(error).with_context(|| format!("cannot connect to {} as {}", options.url, options.role));
            }
            _ if tries.is_multiple_of(50) => tracing::warn!(nats.url = options.url, %error, "waiting for NATS"),
            _ => {}
        }
        tries += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn connect_options(options: &Options) -> ConnectOptions {
    let base = match &options.seed {
        Some(seed) => ConnectOptions::with_nkey(seed.clone()),
        None => ConnectOptions::new(),
    };
    let role = options.role.clone();
    base.name(format!("reprise {}", options.role))
        .custom_inbox_prefix(format!("_INBOX_{}", options.role))
        .client_capacity(16_384)
        // the C allocator tidies up all its memory whenever a piece of 64 kB or more is given back
        .read_buffer_capacity(32_768)
        .subscription_capacity(1 << 18)
        .max_reconnects(None)
        .reconnect_delay_callback(|tries| Duration::from_millis((tries as u64 * 50).min(1000)))
        .event_callback(move |event| {
            let role = role.clone();
            async move {
                match event {
                    Event::Connected => tracing::debug!(nats.role = role, "connected to NATS"),
                    Event::Disconnected => tracing::warn!(nats.role = role, "the connection to NATS is lost"),
                    Event::ServerError(error) => tracing::error!(nats.role = role, %error, "NATS refuses something"),
                    Event::SlowConsumer(_) => tracing::error!(nats.role = role, "messages were dropped: too slow"),
                    other => tracing::debug!(nats.role = role, event = %other, "NATS"),
                }
            }
        })
}

async fn say_all(client: async_nats::Client, mut said: mpsc::UnboundedReceiver<(String, Vec<u8>)>) {
    while let Some((subject, payload)) = said.recv().await {
        if let Err(error) = client.publish(subject, payload.into()).await {
            tracing::warn!(%error, "could not say something");
        }
    }
}

/// Drops keys as soon as the vault says that they are gone.
async fn forget_erased(client: async_nats::Client, keyring: Keyring) {
    let Ok(mut erased) = client.subscribe("vault.erased").await else { return };
    while let Some(message) = erased.next().await {
        let text = String::from_utf8_lossy(&message.payload);
        if let Ok(person) = text.trim_matches('"').parse() {
            keyring.forget(person);
        }
    }
}
