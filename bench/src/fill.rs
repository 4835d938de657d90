//! A long log in a short time: events of people who never were, sealed with keys that the vault has for them, published as
//! the services would. Nobody decides them, so nothing but rebuilding and the length of the log may be measured on them.

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use events::{AuthType, Event, Message, Personal, Sequence, Source, Spec, identity::user, profile};
use futures::FutureExt;
use nats::{Bus, Keyring, Options, Sync};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Events of one person: the account, the profile, and changes of it.
pub const EACH: u64 = 10;

/// People who come at the same time; each is done with all but the last changes before the next lot comes.
const LOT: usize = 1_000;

/// Messages that may be on their way: the server drops what it cannot take in.
const AHEAD: u64 = 4_000;

/// What `running.json` in the data folder says.
#[derive(Deserialize)]
pub struct Running {
    /// NATS.
    pub nats_url: String,
    /// Postgres by role.
    pub databases: BTreeMap<String, String>,
}

impl Running {
    /// How the platform on this folder is reached.
    pub fn read(data: &Path) -> Result<Self> {
        let file = data.join("running.json");
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// A connection with the rights of this role to the platform on `data`.
pub async fn role(data: &Path, role: &str) -> Result<Bus> {
    let file = data.join(format!("keys/nats/{role}.seed"));
    let seed = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let (url, role, seed) = (Running::read(data)?.nats_url, role.to_owned(), Some(seed.trim().to_owned()));
    Bus::connect(&Options { url, role, seed, sync: Sync::Interval }).await
}

/// Connections as the roles that may write these events.
struct Roles {
    identity: Bus,
    profile: Bus,
    /// May ask how far the log is.
    projector: Bus,
    /// May say where consumers go on.
    provisioner: Bus,
}

impl Roles {
    async fn connect(data: &Path) -> Result<Self> {
        Ok(Roles {
            identity: role(data, "identity").await?,
            profile: role(data, "profile").await?,
            projector: role(data, "projector").await?,
            provisioner: role(data, "provisioner").await?,
        })
    }

    /// Leads everybody who reacts to events past those that are there and so many more: a hundred thousand people who
    /// register at once would keep the services busy for as long as anything is measured.
    async fn pass_by(&self, more: u64) -> Result<()> {
        let next = self.projector.last_sequence("EVENTS").await? + more + 1;
        for name in ["profile", "notification", "vault"] {
            let subject = format!("$JS.API.CONSUMER.RESET.EVENTS.{name}");
            let question = serde_json::json!({ "seq": next });
            let answer: serde_json::Value =
                self.provisioner.request(&subject, &question, Duration::from_secs(10)).await?;
            ensure!(answer["error"].is_null(), "{subject}: {}", answer["error"]);
        }
        Ok(())
    }

    /// Publishes, and waits until the log has it all.
    async fn publish(&self, events: Vec<(String, Vec<u8>)>) -> Result<()> {
        for some in events.chunks(AHEAD as usize) {
            let before = self.projector.last_sequence("EVENTS").await?;
            for (subject, payload) in some {
                let bus = if subject.starts_with("evt.identity.") { &self.identity } else { &self.profile };
                bus.say(subject, payload.clone());
            }
            let (wanted, deadline) = (before + some.len() as u64, Instant::now() + Duration::from_secs(60));
            // a busy server may be late with its answer; only that nothing arrives any more is an error
            while !self.projector.last_sequence("EVENTS").await.is_ok_and(|last| last >= wanted) {
                ensure!(Instant::now() < deadline, "events got lost on the way into the log");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(())
    }
}

/// Puts about `count` events into the log of the platform on `data`.
pub async fn fill(data: &Path, count: u64) -> Result<()> {
    let roles = Roles::connect(data).await?;
    let people = usize::try_from(count / EACH)?;
    let keys = Arc::new(give_keys(data, people).await?);
    let ids: Arc<Vec<Uuid>> = Arc::new(keys.keys().copied().collect());
    let keyring = local(keys);
    roles.pass_by(2 * count).await?;
    for first in (0..people).step_by(LOT) {
        let (ids, keyring) = (ids.clone(), keyring.clone());
        let lot = tokio::spawn(async move { lot(&keyring, &ids, first).await });
        roles.publish(lot.await??).await?;
    }
    roles.pass_by(0).await?;
    for bus in [&roles.identity, &roles.profile, &roles.projector, &roles.provisioner] {
        bus.flushed_close().await;
    }
    Ok(())
}

/// Makes people with keys, as the vault does when somebody registers.
async fn give_keys(data: &Path, people: usize) -> Result<BTreeMap<Uuid, [u8; 32]>> {
    let master = vault::MasterKey::from_file(&data.join("keys/master.key"))?;
    let wrap = vault::wrapping(&master);
    let made: Vec<_> = (0..people).map(|_| Uuid::now_v7()).map(|id| (id, wrap(id))).collect();
    let (ids, wrapped): (Vec<_>, Vec<_>) = made.iter().map(|(id, (_, wrapped))| (*id, wrapped.clone())).unzip();
    let owner = Running::read(data)?.databases.remove("owner").context("the owner's database address")?;
    let pool = sqlx::PgPool::connect(&owner).await?;
    let sql = "insert into vault.person (id, wrapped) select * from unnest($1::uuid[], $2::bytea[])";
    sqlx::query(sql).bind(ids).bind(wrapped).execute(&pool).await?;
    pool.close().await;
    Ok(made.into_iter().map(|(id, (key, _))| (id, key)).collect())
}

fn local(keys: Arc<BTreeMap<Uuid, [u8; 32]>>) -> Keyring {
    Keyring::local(move |persons| {
        let found: HashMap<_, _> = persons.into_iter().map(|person| (person, keys.get(&person).copied())).collect();
        async move { Ok(found) }.boxed()
    })
}

/// The events of one lot: everybody's beginning, then changes, one of each in turn; each eighth change is that of
/// somebody of an earlier lot.
async fn lot(keyring: &Keyring, ids: &[Uuid], first: usize) -> Result<Vec<(String, Vec<u8>)>> {
    let people = &ids[first..(first + LOT).min(ids.len())];
    let mut events = Vec::with_capacity(people.len() * EACH as usize);
    for (n, id) in people.iter().enumerate() {
        let name = format!("person{}", first + n);
        events.push(sealed(keyring, *id, 1, registered(&name)).await?);
        let created = profile::Event::Created { handle: name.clone(), display_name: Some(Personal::new(name)) };
        events.push(sealed(keyring, *id, 1, created.into()).await?);
    }
    for change in 0..EACH - 2 {
        for (n, id) in people.iter().enumerate() {
            // a step that is coprime to any number of people here goes round all of them
            let earlier = (first + n) * 7_919 % (first + 1);
            let (id, version) = if change == EACH - 3 { (ids[earlier], EACH) } else { (*id, change + 2) };
            events.push(sealed(keyring, id, version, updated(change, n)).await?);
        }
    }
    Ok(events)
}

fn registered(name: &str) -> Event {
    let username = Some(Personal::new(name.to_owned()));
    let (name, credential) = (Some(Personal::new(format!("{name} of the benchmark"))), Uuid::new_v4());
    // no address, so that nobody is written to
    user::Event::Registered { username, email: None, name, credential, roles: vec![], bootstrap: None, locale: None }
        .into()
}

fn updated(change: u64, n: usize) -> Event {
    let text = |what: &str| Some(Personal::new(format!("{what} {change} of {n}")));
    let (mut bio, mut location) = (None, None);
    match change % 4 {
        0 => bio = text("a life in a sentence or two, as people write it,"),
        1 => location = text("place"),
        _ => {}
    }
    profile::Event::Updated { display_name: text("name"), bio, location, website: None }.into()
}

/// Subject and wire form of an event.
pub async fn sealed(keyring: &Keyring, subject: Uuid, version: u64, body: Event) -> Result<(String, Vec<u8>)> {
    let (aggregate, source) = match body {
        Event::User(_) => ("identity.user", Source::new("/services/identity")),
        Event::Video(_) => ("video.video", Source::new("/services/video")),
        _ => ("profile.profile", Source::new("/services/profile")),
    };
    let (id, command, time) = (Uuid::now_v7(), Uuid::now_v7(), Utc::now());
    let message = Message {
        specversion: Spec::V1,
        id,
        source,
        subject,
        time,
        correlationid: command,
        causationid: Some(command),
        authtype: AuthType::AppUser,
        authid: Some(subject),
        authclaims: None,
        sequence: Some(Sequence(version)),
        traceparent: None,
        replyto: None,
        ifmatch: None,
        fingerprint: None,
        body,
    };
    let wire = keyring.seal(serde_json::to_vec(&message)?).await.context("seal an event")?;
    Ok((format!("evt.{aggregate}.{subject}"), wire))
}
