//! The platform as it is deployed: every role a process of its own, two of each, on servers that can be killed.

use super::load::Load;
use super::person::{registration, unused_name};
use super::platform::{client, folder, reprise};
use super::process::{Running, free_port};
use super::system::System;
use super::{Answer, Person, Request, eventually, patiently};
use embedded::{Cluster, Nats, Postgres};
use reqwest::Method;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// Every role that registrations and profiles need, in the words of the command line.
pub const ROLES: [&str; 6] =
    ["vault", "service identity", "service profile", "service notification", "projector", "gateway"];

/// Services that follow events without being what a journey is about: one of each is enough.
const BESIDE: [&str; 3] = ["service storage", "service video", "service processing"];

/// What films pass on their way, besides workers.
const FILMING: [&str; 9] = [
    "vault",
    "service identity",
    "service profile",
    "service storage",
    "service video",
    "service processing",
    "service notification",
    "projector",
    "gateway",
];

/// One server, or three that replicate.
pub enum Log {
    /// One.
    One(Box<Nats>),
    /// Three.
    Three(Cluster),
}

impl Log {
    /// Where to connect.
    pub fn url(&self) -> String {
        match self {
            Log::One(server) => server.url.clone(),
            Log::Three(cluster) => cluster.url(),
        }
    }

    /// A server that is up, for those who can only speak with one.
    pub fn one_url(&mut self) -> String {
        match self {
            Log::One(server) => server.url.clone(),
            Log::Three(cluster) => {
                let mut up = cluster.nodes.iter_mut().filter_map(|node| node.is_running().then(|| node.url.clone()));
                up.next().expect("one of three is up")
            }
        }
    }
}

/// A platform in parts.
pub struct Roles {
    /// The processes by name: `gateway.0`, `service profile.1`.
    pub running: BTreeMap<String, Running>,
    /// The log.
    pub log: Log,
    /// The rows.
    pub postgres: Postgres,
    /// Where the gateways answer.
    pub gateways: Vec<String>,
    client: reqwest::Client,
    database: String,
    folder: TempDir,
    variables: BTreeMap<&'static str, &'static str>,
}

impl Roles {
    /// On one nats-server: two of each role.
    pub async fn start() -> Roles {
        let mut roles = Roles::servers(Log::One(Box::new(Nats::scratch())), 1);
        roles.all(2).await;
        roles
    }

    /// On three nats-servers: two of each role.
    pub async fn on_three() -> Roles {
        let mut roles = Roles::servers(Log::Three(Nats::cluster(3)), 3);
        roles.all(2).await;
        roles
    }

    /// On one nats-server: one of each role, so that nobody else does the work of one that died.
    pub async fn alone() -> Roles {
        let mut roles = Roles::servers(Log::One(Box::new(Nats::scratch())), 1);
        roles.all(1).await;
        roles
    }

    /// On one nats-server: one of each role that films pass, and no worker yet. What nobody knows of in the blob store goes
    /// within seconds, and pushes may go to the test.
    pub async fn filming() -> Roles {
        let mut roles = Roles::servers(Log::One(Box::new(Nats::scratch())), 1);
        roles.variables = [("REPRISE_ORPHAN_AGE", "5"), ("REPRISE_PUSH_SERVICES", "127.0.0.1")].into();
        for role in FILMING {
            roles.spawn(role, 0, None);
        }
        roles.ready().await;
        roles
    }

    fn servers(log: Log, replicas: usize) -> Roles {
        let postgres = Postgres::scratch();
        let (database, folder) = (postgres.database("reprise"), folder());
        let key = folder.path().join("master.key");
        std::fs::write(&key, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n").expect("a key can be written");
        let (running, gateways, client) = (BTreeMap::new(), vec![], client());
        let variables = BTreeMap::new();
        let roles = Roles { running, log, postgres, gateways, client, database, folder, variables };
        roles.once(&["provision", "--replicas", &replicas.to_string()]);
        roles.once(&["migrate"]);
        roles
    }

    /// Runs what ends by itself.
    pub fn once(&self, words: &[&str]) -> String {
        let output = self.command(words).output().expect("the program can be started");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{words:?}: {text}");
        text
    }

    async fn all(&mut self, of_each: usize) {
        for role in ROLES {
            for n in 0..of_each {
                self.spawn(role, n, None);
            }
        }
        for role in BESIDE {
            self.spawn(role, 0, None);
        }
        self.ready().await;
    }

    /// The program with what every role is told.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = reprise();
        command.args(words);
        command.env("NATS_URL", self.log.url()).env("DATABASE_URL", &self.database);
        command
            .env("REPRISE_SYNC", "interval")
            .env("REPRISE_RATE_LIMITS", "off")
            .env("REPRISE_PASSWORD_POLICY", "basic")
            .env("REPRISE_ARGON2", "m=19456,t=2,p=1");
        command
            .env("REPRISE_DATA", self.folder.path())
            .env("REPRISE_MASTER_KEY_FILE", self.folder.path().join("master.key"));
        command.env("REPRISE_BOOTSTRAP_SECRET", "open sesame for the tests");
        command.envs(&self.variables);
        command
    }

    /// What all of them share on the disk: the blob store, the mails.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the `n`-th of a role, to die at a crash point when one is given. A gateway that is started again keeps
    /// its address.
    pub fn spawn(&mut self, role: &str, n: usize, crash: Option<&str>) {
        let words: Vec<_> = role.split(' ').collect();
        let mut command = self.command(&words);
        if let Some(point) = crash {
            command.env("REPRISE_CRASH_AT", point);
        }
        if role == "gateway" {
            while self.gateways.len() <= n {
                self.gateways.push(format!("http://127.0.0.1:{}", free_port()));
            }
            command.env("REPRISE_LISTEN", self.gateways[n].trim_start_matches("http://"));
        }
        let name = format!("{role}.{n}");
        let output = self.folder.path().join(format!("{}.log", name.replace(' ', "-")));
        self.running.insert(name, Running::start(&mut command, output));
    }

    /// kill -9 of the `n`-th of a role.
    pub fn kill(&mut self, role: &str, n: usize) {
        self.running.get_mut(&format!("{role}.{n}")).expect("it was started").kill();
    }

    /// Waits until every gateway takes commands.
    pub async fn ready(&mut self) {
        for n in 0..self.gateways.len() {
            let name = format!("gateway.{n}");
            let url = format!("{}/readyz", self.gateways[n]);
            patiently("a gateway is ready", Duration::from_secs(60), async || {
                let one = self.running.get_mut(&name).expect("it was started");
                assert!(one.is_running(), "{name} ended by itself:\n{}", one.tail());
                let answer = Request::new(&self.client, Method::GET, &url).try_send().await;
                answer.ok().filter(|answer| answer.status == 200)
            })
            .await;
        }
    }

    /// Waits until a process has died by itself: proof that its crash point was passed.
    pub async fn died(&mut self, role: &str, n: usize) {
        let name = format!("{role}.{n}");
        let one = self.running.get_mut(&name).expect("it was started");
        // everybody may be waiting for what the one before had taken and not acknowledged
        let patience = Duration::from_secs(90);
        patiently(&format!("{name} dies at its crash point"), patience, async || (!one.is_running()).then_some(()))
            .await;
    }

    /// A request to the first gateway.
    pub fn request(&self, method: Method, path: &str) -> Request {
        Request::new(&self.client, method, &format!("{}{path}", self.gateways[0]))
    }

    /// Registers somebody, as a client does who asks again until there is an answer.
    pub async fn somebody(&self) -> Person {
        let name = unused_name("eve");
        let answer: Answer = eventually("a registration is answered", async || {
            let request = self.request(Method::POST, "/api/auth/register").header("idempotency-key", &name);
            let answer = request.json(registration(&name)).try_send().await.ok()?;
            (answer.status == 201).then_some(answer)
        })
        .await;
        Person::signed_in(&answer)
    }

    /// People begin to work at all gateways.
    pub fn load(&self, people: usize) -> Load {
        Load::start(people, &self.gateways)
    }

    /// The servers behind it.
    pub fn system(&mut self) -> System {
        System { nats: self.log.one_url(), seeds: None, database: self.database.clone() }
    }

    /// Settles, and demands every invariant.
    pub async fn check(&mut self) {
        let system = self.system();
        system.settle().await;
        super::check::check(&system).await;
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (name, one) in &self.running {
                eprintln!("--- the end of what {name} wrote ---\n{}", super::process::tail(&one.output, 12));
            }
        }
        self.running.clear();
    }
}
