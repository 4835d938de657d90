//! A Postgres for one test, and a log in memory that is told as a story.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use events::identity::user;
use events::{AuthType, Event, Message, Personal, Sequence, Source, Spec, profile};
use projections::{Held, Log, PROJECTOR, Reads, Recorded, RolePasswords, Stream, Writer, migrate, pool, rebuild};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The projections over events.
pub const PAGES: [&str; 2] = ["user_page", "profile_page"];
/// All of them.
pub const ALL: [&str; 3] = ["user_page", "profile_page", "operations"];

/// A database that is ready, with every projection built from an empty log.
pub struct World {
    pub postgres: Arc<embedded::Postgres>,
    pub url: String,
    pub owner: PgPool,
    pub pool: PgPool,
    pub reads: Reads,
    pub held: Held,
}

impl World {
    pub async fn new() -> World {
        World::built(Arc::new(embedded::Postgres::scratch()), "rows").await
    }

    /// Another database beside this one.
    pub async fn beside(&self, name: &str) -> World {
        World::built(self.postgres.clone(), name).await
    }

    async fn built(postgres: Arc<embedded::Postgres>, name: &str) -> World {
        let world = World::open(postgres, name).await;
        rebuild(&world.pool, world.log(), &ALL).await.expect("building from nothing");
        world
    }

    /// Migrated, nothing built.
    pub async fn bare() -> World {
        World::open(Arc::new(embedded::Postgres::scratch()), "rows").await
    }

    async fn open(postgres: Arc<embedded::Postgres>, name: &str) -> World {
        let url = postgres.database(name);
        let owner = pool(&url, None, 4).await.expect("an address");
        migrate(&owner, &RolePasswords::default()).await.expect("migrating");
        let projector = pool(&url, Some(PROJECTOR), 6).await.expect("an address");
        let reads = Reads::connect(&url).await.expect("an address");
        World { postgres, url, owner, pool: projector, reads, held: Held::default() }
    }

    pub fn log(&self) -> Log {
        Log::Held(self.held.clone())
    }

    pub async fn writer(&self) -> Writer {
        Writer::live(&self.pool, &PAGES).await.expect("both pages are built")
    }

    /// Adds the story to the log and applies it to the pages that readers see.
    pub async fn tell(&self, story: &Story) {
        self.held.add(Stream::Events, story.messages.clone());
        self.writer().await.write(&story.messages.clone().into()).await.expect("a good story");
    }

    /// Every row of every page, as text.
    pub async fn rows(&self) -> Vec<String> {
        let mut rows = vec![];
        for table in ["user_page", "profile_page", "handle_history", "operations"] {
            let sql = format!("select '{table} ' || t::text from read.{table} t order by 1");
            let some: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await.expect("rows");
            rows.extend(some);
        }
        rows
    }
}

/// What happened, in order: makes the messages that the log would hold.
#[derive(Clone, Default)]
pub struct Story {
    pub messages: Vec<Recorded>,
    versions: HashMap<(String, Uuid), u64>,
    next: u64,
}

pub fn person(n: u128) -> Uuid {
    Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_0000_0000_0000 + n)
}

pub fn time(sequence: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("in range") + TimeDelta::seconds(sequence as i64)
}

impl Story {
    /// Something happened to an account.
    pub fn user(&mut self, id: Uuid, what: user::Event) -> &mut Self {
        self.event("identity.user", id, what.into())
    }

    /// Something happened to a profile.
    pub fn profile(&mut self, id: Uuid, what: profile::Event) -> &mut Self {
        self.event("profile.profile", id, what.into())
    }

    /// Something happened to something.
    pub fn event(&mut self, family: &str, id: Uuid, body: Event) -> &mut Self {
        let version = self.versions.entry((family.to_owned(), id)).or_default();
        *version += 1;
        let message = message(id, *version, self.next + 1, body);
        let opened = serde_json::to_value(&message).expect("an event has a JSON form");
        self.raw(&format!("evt.{family}.{id}"), opened)
    }

    /// Any bytes under any subject; what is personal in them is sealed in the stored form.
    pub fn raw(&mut self, subject: &str, opened: Value) -> &mut Self {
        let mut raw = opened.clone();
        seal(&mut raw, &subject[subject.rfind('.').map_or(0, |dot| dot + 1)..]);
        self.bytes(subject, raw.to_string(), opened.to_string())
    }

    pub fn bytes(&mut self, subject: &str, raw: String, opened: String) -> &mut Self {
        self.next += 1;
        let (raw, time) = (Bytes::from(raw), time(self.next));
        self.messages.push(Recorded::new(self.next, subject.to_owned(), time, raw, opened.as_bytes()));
        self
    }

    pub fn register(&mut self, id: Uuid, username: &str, email: &str) -> &mut Self {
        self.user(id, registered(username, email))
    }

    pub fn create(&mut self, id: Uuid, handle: &str) -> &mut Self {
        let display_name = Some(Personal::new(format!("The {handle}")));
        self.profile(id, profile::Event::Created { handle: handle.to_owned(), display_name })
    }

    pub fn rename(&mut self, id: Uuid, from: &str, to: &str) -> &mut Self {
        self.profile(id, profile::Event::HandleChanged { from: from.to_owned(), to: to.to_owned() })
    }
}

pub fn registered(username: &str, email: &str) -> user::Event {
    user::Event::Registered {
        username: Some(Personal::new(username.to_owned())),
        email: Some(Personal::new(email.to_owned())),
        name: None,
        credential: Uuid::from_u128(7),
        roles: vec![],
        bootstrap: None,
        locale: Some("en".to_owned()),
    }
}

/// An event as its service would write it, personal fields in the clear.
pub fn message(subject: Uuid, version: u64, sequence: u64, body: Event) -> Message<Event> {
    Message {
        specversion: Spec::V1,
        id: Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_0000_0000 + u128::from(sequence)),
        source: Source::new("/tests"),
        subject,
        time: time(sequence),
        correlationid: Uuid::from_u128(1),
        causationid: None,
        authtype: AuthType::System,
        authid: None,
        authclaims: None,
        sequence: Some(Sequence(version)),
        traceparent: None,
        replyto: None,
        ifmatch: None,
        fingerprint: None,
        body,
    }
}

/// Puts a stand-in for the sealed text where something personal is.
fn seal(value: &mut Value, person: &str) {
    match value {
        Value::Object(fields) if fields.contains_key("$personal") => {
            *value = json!({ "$sealed": format!("{person}.c2VhbGVk") })
        }
        Value::Object(fields) => fields.values_mut().for_each(|field| seal(field, person)),
        Value::Array(items) => items.iter_mut().for_each(|item| seal(item, person)),
        _ => {}
    }
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
