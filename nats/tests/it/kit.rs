//! What the tests share: a server, a key for everybody, and a counter whose names are unique.

use anyhow::Result;
use bytes::Bytes;
use chrono::Utc;
use events::profile::{Command, Event, Visibility};
use events::{AuthType, Message, Personal, Source, Spec};
use futures::FutureExt;
use kernel::{Claim, Decider, Kind, Meta, Service};
use nats::provision::{Plan, provision};
use nats::{Bus, Keyring, Options, Outcome, Reply, Start, Sync, streams};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Keys of persons, made when they are first asked for.
#[derive(Clone, Default)]
pub struct Keys(Arc<Mutex<HashMap<Uuid, Option<[u8; 32]>>>>);

impl Keys {
    pub fn ring(&self) -> Keyring {
        let keys = self.clone();
        let lookup = move |persons: Vec<Uuid>| {
            let keys = keys.clone();
            async move {
                let mut known = keys.0.lock().expect("no test panics while it holds this");
                let of = |person: Uuid| (person, *known.entry(person).or_insert_with(|| Some(key_of(person))));
                Ok(persons.into_iter().map(of).collect())
            }
            .boxed()
        };
        Keyring::local(lookup).with_claim_key([7; 32])
    }

    pub fn erase(&self, person: Uuid) {
        self.0.lock().expect("no test panics while it holds this").insert(person, None);
    }
}

fn key_of(person: Uuid) -> [u8; 32] {
    let mut key = [1; 32];
    key[..16].copy_from_slice(person.as_bytes());
    key
}

/// A platform without people: a server, streams, and who connects to them.
pub struct World {
    pub url: String,
    pub keys: Keys,
    pub sync: Sync,
    pub stop: CancellationToken,
    pub bus: Bus,
}

impl World {
    pub async fn new(url: &str, sync: Sync, replicas: usize) -> World {
        let keys = Keys::default();
        let bus = bus(url, sync, &keys).await;
        let plan = Plan { replicas, log_bytes: 1 << 30 };
        provision(&bus, &plan).await.expect("streams");
        World { url: url.to_owned(), keys, sync, stop: CancellationToken::new(), bus }
    }

    /// Another connection, as another process would have.
    pub async fn another(&self) -> Bus {
        bus(&self.url, self.sync, &self.keys).await
    }

    /// Runs a service until the world ends.
    pub async fn run(&self, service: Service) -> tokio::task::JoinHandle<Result<()>> {
        tokio::spawn(nats::run_service(self.another().await, service, self.stop.clone()))
    }

    pub async fn settled(&self) {
        eventually("everything to be done", async || nats::drained(&self.bus).await.unwrap_or(false)).await;
    }

    /// Everything in a stream.
    pub async fn all(&self, stream: &'static str) -> Vec<nats::Delivered> {
        let mut feed = self.bus.feed(stream, vec![], Start::Sequence(0));
        let mut all = vec![];
        loop {
            let some = feed.next(5000, Duration::from_millis(100)).await.expect("the log answers");
            if some.is_empty() {
                return all;
            }
            all.extend(some);
        }
    }

    /// Everything in `OUTCOMES`, one by one.
    pub async fn outcomes(&self) -> Vec<nats::Outcome> {
        let read = |message: nats::Delivered| match message.raw.first() {
            Some(b'[') => serde_json::from_slice::<Vec<nats::Outcome>>(&message.raw).expect("a list"),
            _ => vec![serde_json::from_slice(&message.raw).expect("an outcome")],
        };
        self.all(streams::OUTCOMES).await.into_iter().flat_map(read).collect()
    }

    /// The events of one aggregate.
    pub async fn events_of(&self, subject: Uuid) -> Vec<serde_json::Value> {
        let all = self.all(streams::EVENTS).await;
        let of = all.iter().filter(|event| event.subject == format!("evt.profile.profile.{subject}"));
        of.map(|event| serde_json::from_slice(&event.opened).expect("an event is JSON")).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub async fn bus(url: &str, sync: Sync, keys: &Keys) -> Bus {
    connected(url, "test", sync, keys).await
}

/// The name decides how a stream is read.
pub async fn connected(url: &str, role: &str, sync: Sync, keys: &Keys) -> Bus {
    let options = Options { url: url.to_owned(), role: role.into(), seed: None, sync };
    Bus::connect_with(&options, keys.ring()).await.expect("a connection")
}

pub async fn raw(url: &str) -> async_nats::Client {
    let addresses: Vec<&str> = url.split(',').collect();
    async_nats::connect(addresses.as_slice()).await.expect("a connection")
}

/// Waits until something is so.
pub async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !so().await {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn command(subject: Uuid, body: Command) -> Message<events::Command> {
    with_id(Uuid::now_v7(), subject, body)
}

pub fn with_id(id: Uuid, subject: Uuid, body: Command) -> Message<events::Command> {
    Message {
        specversion: Spec::V1,
        id,
        source: Source::new("/tests"),
        subject,
        time: Utc::now(),
        correlationid: id,
        causationid: None,
        authtype: AuthType::System,
        authid: None,
        authclaims: None,
        sequence: None,
        traceparent: None,
        replyto: None,
        ifmatch: None,
        fingerprint: None,
        body: body.into(),
    }
}

/// Counts one up.
pub fn count() -> Command {
    Command::SetVisibility { visibility: Visibility::Public }
}

/// Does nothing when the counter has begun, and is refused before.
pub fn nothing() -> Command {
    Command::Erase {}
}

/// Begins, with a name.
pub fn begin(name: &str) -> Command {
    Command::Create { handle: name.into(), display_name: Some(Personal::new(format!("{name} in words"))) }
}

pub fn rename(name: &str) -> Command {
    Command::ChangeHandle { handle: name.into() }
}

/// Nobody can handle this.
pub fn poison() -> Command {
    Command::UpdatePreferences { preferences: Default::default() }
}

pub async fn told(bus: &Bus, command: &Message<events::Command>) -> Outcome {
    match bus.ask(command, Duration::from_secs(30)).await.expect("the log takes it") {
        Reply::Told(outcome) => outcome,
        Reply::Later => panic!("not told in time"),
    }
}

pub fn json(bytes: &Bytes) -> serde_json::Value {
    serde_json::from_slice(bytes).expect("JSON")
}

/// Counts; its name is nobody else's. `L` is the version of its logic.
#[derive(Default, Serialize, Deserialize)]
pub struct Counter<const L: u32> {
    count: u64,
    name: String,
    words: Option<Personal<String>>,
}

#[derive(Debug, thiserror::Error)]
pub enum No {
    #[error("it has not begun")]
    NotBegun,
}

impl kernel::Rejection for No {
    fn code(&self) -> &'static str {
        "not_begun"
    }

    fn kind(&self) -> Kind {
        Kind::Missing
    }
}

impl<const L: u32> Decider for Counter<L> {
    const LOGIC: u32 = L;
    type Command = Command;
    type Event = Event;
    type Rejection = No;

    fn decide(&self, command: Command, _: &Meta) -> Result<Vec<Event>, No> {
        match command {
            Command::SetVisibility { visibility } => Ok(vec![Event::VisibilitySet { visibility }]),
            Command::Create { handle, display_name } => Ok(vec![Event::Created { handle, display_name }]),
            Command::ChangeHandle { handle } => Ok(vec![
                Event::HandleChanged { from: self.name.clone(), to: handle },
                Event::VisibilitySet { visibility: Visibility::Public },
            ]),
            Command::UpdatePreferences { .. } => panic!("poison"),
            _ if self.count == 0 => Err(No::NotBegun),
            _ => Ok(vec![]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.count += 1;
        match event {
            Event::Created { handle, display_name } => {
                self.name.clone_from(handle);
                self.words.clone_from(display_name);
            }
            Event::HandleChanged { to, .. } => self.name.clone_from(to),
            _ => {}
        }
    }

    fn claims(&self, event: &Event) -> Vec<Claim> {
        match event {
            Event::Created { handle, .. } => vec![Claim::take("name", handle)],
            Event::HandleChanged { from, to } => vec![Claim::release("name", from), Claim::take("name", to)],
            _ => vec![],
        }
    }
}

pub fn counter() -> Service {
    Service::new("profile").decides::<Counter<1>>("profile")
}
