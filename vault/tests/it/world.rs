//! Everything a test needs: servers of its own, a running vault, a running identity context, a clock that can be set.

use chrono::{DateTime, TimeDelta, Utc};
use embedded::{Nats, Postgres};
use events::identity::user::{Command as UserCommand, Role};
use events::{AuthType, Command, Message, Personal, Source, Spec};
use nats::{Bus, Options, Start, Sync};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use vault::api::*;
use vault::{Argon, Client, Config, MasterKey, Secret};

pub const PASSWORD: &str = "correct horse battery";
pub const CHEAP: Argon = Argon { memory: 64, passes: 1, lanes: 1 };

static AHEAD: AtomicI64 = AtomicI64::new(0);

/// The clock of this test: each runs in a process of its own.
pub fn clock() -> DateTime<Utc> {
    Utc::now() + TimeDelta::seconds(AHEAD.load(Ordering::SeqCst))
}

/// Lets time pass.
pub fn pass(time: TimeDelta) {
    AHEAD.fetch_add(time.num_seconds(), Ordering::SeqCst);
}

pub fn config() -> Config {
    let master = MasterKey::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("32 bytes");
    let mut config = Config::new(master);
    config.argon = CHEAP;
    config.clock = clock;
    config.housekeeping = Duration::from_millis(100);
    config.bootstrap = Some("the one-time secret".into());
    config
}

pub struct World {
    pub client: Client,
    pub bus: Bus,
    pub pool: PgPool,
    pub nats: Nats,
    pub postgres: Postgres,
    config: Config,
    vault: Option<(CancellationToken, JoinHandle<anyhow::Result<()>>)>,
    identity: CancellationToken,
}

/// Somebody who registered.
pub struct Person {
    pub id: Uuid,
    pub credential: Uuid,
    pub command: Uuid,
    pub name: String,
}

impl World {
    pub async fn start() -> World {
        Self::with(config()).await
    }

    pub async fn with(config: Config) -> World {
        Self::with_connections(config, 8).await
    }

    /// A vault with so many connections to its database.
    pub async fn with_connections(config: Config, connections: u32) -> World {
        let nats = Nats::scratch();
        let postgres = Postgres::scratch();
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .connect(&postgres.database("vault"))
            .await
            .expect("postgres");
        vault::migrate(&pool).await.expect("migrations");
        let operator = connect(&nats, "provisioner", &pool, &config).await;
        nats::provision::provision(&operator, &Default::default()).await.expect("streams");
        let bus = connect(&nats, "vault", &pool, &config).await;
        let client = Client::new(bus.clone());
        let identity = CancellationToken::new();
        let mut world = World { client, bus, pool, nats, postgres, config, vault: None, identity };
        world.start_vault().await;
        world
    }

    /// Starts the vault, as the only one.
    pub async fn start_vault(&mut self) {
        let stop = CancellationToken::new();
        let bus = connect(&self.nats, "vault", &self.pool, &self.config).await;
        let run = tokio::spawn(vault::run(self.pool.clone(), bus, self.config.clone(), stop.clone()));
        self.vault = Some((stop, run));
        let client = self.client.clone();
        until("the vault answers", async || client.claim_key().await.is_ok()).await;
    }

    /// What the next vault is started with.
    pub fn set_argon(&mut self, argon: Argon) {
        self.config.argon = argon;
    }

    /// Stops the vault in order.
    pub async fn stop_vault(&mut self) {
        let (stop, run) = self.vault.take().expect("a running vault");
        stop.cancel();
        run.await.expect("no panic").expect("an orderly end");
    }

    /// Ends the vault without giving it time for anything.
    pub async fn kill_vault(&mut self) {
        let (_, run) = self.vault.take().expect("a running vault");
        run.abort();
        run.await.expect_err("ended");
    }

    /// Writes what a stream has under a subject back into the outbox: as if the vault had died before deleting it.
    pub async fn outbox_from_log(&self, subject: &str) {
        let mut feed = self.bus.feed("COMMANDS", vec![subject.to_owned()], Start::Sequence(0));
        for one in feed.next(100, Duration::from_secs(5)).await.expect("the stream") {
            let statement = "insert into vault.outbox (message) values ($1)";
            sqlx::query(statement).bind(&one.raw[..]).execute(&self.pool).await.expect("a row");
        }
    }

    /// Starts the context that decides what the vault says.
    pub async fn start_identity(&self) {
        let bus = connect(&self.nats, "identity", &self.pool, &self.config).await;
        tokio::spawn(nats::run_service(bus, identity::service(), self.identity.clone()));
    }

    /// Somebody whose credential is made and who has a session, as after a registration.
    pub async fn person(&self, name: &str) -> (Person, Tokens) {
        let person = self.registered(name).await;
        let tokens = tokens(self.client.start_session(&person.start()).await.expect("an answer"));
        (person, tokens)
    }

    /// Somebody whose credential is made, and nothing else.
    pub async fn registered(&self, name: &str) -> Person {
        let person = Person::new(name);
        let answer = self.client.register(&person.register(PASSWORD)).await.expect("an answer");
        assert_eq!(answer, Registering::Registered);
        person
    }

    pub async fn login(&self, name: &str, password: &str) -> SigningIn {
        self.login_from(name, password, "192.0.2.7").await
    }

    pub async fn login_from(&self, name: &str, password: &str, address: &str) -> SigningIn {
        let (identifier, password) = (name.into(), password.into());
        let question = Login { identifier, password, agent: Some("Browser/1".into()), address: Some(address.into()) };
        self.client.login(&question).await.expect("an answer")
    }

    pub async fn refresh(&self, token: &Secret) -> SigningIn {
        let question = Refresh { refresh_token: token.clone(), agent: None, address: None };
        self.client.refresh(&question).await.expect("an answer")
    }

    pub async fn sessions(&self, person: &Person) -> Vec<Session> {
        self.client.sessions(&Sessions { user: person.id, current: None }).await.expect("an answer")
    }

    /// Sends a command as Reprise itself.
    pub async fn command(&self, id: Uuid, subject: Uuid, command: impl Into<Command>) {
        let message = Message {
            specversion: Spec::V1,
            id,
            source: Source::new("/test"),
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
            body: command.into(),
        };
        self.bus.send(&message).await.expect("sent");
    }

    /// The command that opens the account.
    pub async fn open_account(&self, person: &Person, roles: Vec<Role>) {
        let open = UserCommand::Register {
            username: Some(Personal::new(person.name.clone())),
            email: Some(Personal::new(format!("{}@example.org", person.name))),
            name: None,
            credential: person.credential,
            roles,
            bootstrap: None,
            locale: None,
        };
        self.command(person.command, person.id, open).await;
    }

    /// The bodies (`type` and `data`) of everything in a stream under a subject.
    pub async fn said(&self, stream: &'static str, subject: &str) -> Vec<serde_json::Value> {
        let mut feed = self.bus.feed(stream, vec![subject.to_owned()], Start::Sequence(0));
        let mut all = vec![];
        loop {
            let some = feed.next(100, Duration::from_millis(300)).await.expect("the stream");
            if some.is_empty() {
                return all;
            }
            all.extend(some.iter().map(|one| serde_json::from_slice::<serde_json::Value>(&one.opened).expect("JSON")));
        }
    }

    /// Waits until messages of these types, and only these, are under a subject.
    pub async fn until_said(&self, stream: &'static str, subject: &str, types: &[&str]) -> Vec<serde_json::Value> {
        let started = Instant::now();
        loop {
            let said = self.said(stream, subject).await;
            let mut found: Vec<_> = said.iter().map(|one| one["type"].as_str().unwrap_or_default()).collect();
            let mut wanted = types.to_vec();
            found.sort_unstable();
            wanted.sort_unstable();
            if found == wanted {
                return said;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "{subject}: {found:?} instead of {wanted:?}");
        }
    }

    pub async fn sql(&self, statement: &str) {
        sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&self.pool).await.expect("a statement");
    }

    pub async fn count(&self, statement: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(&self.pool).await.expect("a count")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.identity.cancel();
        if let Some((stop, _)) = &self.vault {
            stop.cancel();
        }
    }
}

impl Person {
    pub fn new(name: &str) -> Self {
        let (id, credential, command) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::now_v7());
        Person { id, credential, command, name: name.to_owned() }
    }

    pub fn register(&self, password: &str) -> Register {
        let logins = vec![self.name.as_str().into(), format!("{}@example.org", self.name).into()];
        let Person { id: user, credential, command, .. } = *self;
        Register { command, user, credential, password: password.into(), logins }
    }

    pub fn start(&self) -> StartSession {
        let Person { id: user, credential, command, .. } = *self;
        let (agent, address) = (Some("Browser/1".into()), Some("192.0.2.7".into()));
        StartSession { user, credential, roles: vec![], agent, address, command }
    }
}

async fn connect(nats: &Nats, role: &str, pool: &PgPool, config: &Config) -> Bus {
    let options = Options { url: nats.url.clone(), role: role.to_owned(), seed: None, sync: Sync::Interval };
    let keyring = vault::keyring(pool.clone(), &config.master).with_claim_key([9; 32]);
    Bus::connect_with(&options, keyring).await.expect("nats")
}

/// The tokens of an answer that has some.
#[track_caller]
pub fn tokens(answer: SigningIn) -> Tokens {
    match answer {
        SigningIn::SignedIn { tokens, .. } => tokens,
        other => panic!("not signed in: {other:?}"),
    }
}

/// Waits for a condition, at most 20 seconds.
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
