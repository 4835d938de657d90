//! Where NATS and Postgres are, and as whom to come there: said on the command line, or known from the running `up`.

use anyhow::{Context, Result, bail, ensure};
use nats::{Bus, Keyring, Options};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{Servers, Sync};
use crate::data::{Folder, Running};

/// The owner of the database, among the names of database roles.
pub const OWNER: &str = "owner";

/// Longer than a server that is starting takes.
const SOON: Duration = Duration::from_secs(30);
const NOTHING_RUNS: &str = "no `reprise up` is running on this data folder (--data)";

/// Where the servers are.
#[derive(Clone, Debug)]
pub struct Place {
    /// NATS; empty when nobody says where it is.
    pub nats_url: String,
    /// What NATS does before it acknowledges.
    pub sync: nats::Sync,
    seeds: Seeds,
    databases: Databases,
    /// The keys of persons, where the vault is in this process.
    keyring: Option<Keyring>,
}

/// As whom to come to NATS.
#[derive(Clone)]
pub enum Seeds {
    /// The server knows no users, or the address has a password.
    None,
    /// This one, whatever the role.
    One(String),
    /// One for each role, in a folder.
    Folder(PathBuf),
}

impl std::fmt::Debug for Seeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seeds(..)")
    }
}

/// As whom to come to Postgres.
#[derive(Clone)]
pub enum Databases {
    /// One address; whoever comes there may take on every role.
    One(String),
    /// An address for each role.
    Each(BTreeMap<String, String>),
}

impl std::fmt::Debug for Databases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Databases(..)")
    }
}

impl From<Sync> for nats::Sync {
    fn from(sync: Sync) -> Self {
        match sync {
            Sync::Always => nats::Sync::Always,
            Sync::Interval => nats::Sync::Interval,
        }
    }
}

impl Servers {
    /// What is said beyond that which `reprise env` says of the platform on the data folder: a shell that has it for its
    /// tools means this platform, as whoever works on it, and not as those who may only read.
    #[must_use]
    pub fn beyond_env(&self) -> Servers {
        let mut said = self.clone();
        let Ok(known) = Folder::at(&self.data.data).running() else { return said };
        let keyless = self.nkey.is_none() && self.keys_dir.is_none();
        said.nats_url = said.nats_url.filter(|url| !(keyless && *url == known.nats_url));
        said.database_url = said.database_url.filter(|url| !known.databases.values().any(|known| known == url));
        said
    }
}

impl Place {
    /// A place that is known.
    pub fn new(nats_url: String, sync: nats::Sync, seeds: Seeds, databases: Databases) -> Self {
        Place { nats_url, sync, seeds, databases, keyring: None }
    }

    /// The same with the keys of persons at hand: who connects need not ask the vault for them.
    #[must_use]
    pub fn with_keyring(self, keyring: Keyring) -> Self {
        Place { keyring: Some(keyring), ..self }
    }

    /// Whether they are at hand.
    pub fn has_keyring(&self) -> bool {
        self.keyring.is_some()
    }

    /// What the command line says, and for the rest the `up` that runs on its data folder. What nobody says is missed
    /// only when it is needed.
    pub fn of(servers: &Servers) -> Self {
        let servers = &servers.beyond_env();
        let folder = Folder::at(&servers.data.data);
        let all_said = servers.nats_url.is_some() && servers.database_url.is_some();
        let known: Option<Running> = if all_said { None } else { folder.running().ok() };
        let sync = match &known {
            Some(known) if servers.nats_url.is_none() && known.sync == "interval" => nats::Sync::Interval,
            _ => servers.sync.into(),
        };
        let seeds = match (&servers.nkey, &servers.keys_dir) {
            (Some(seed), _) => Seeds::One(seed.clone()),
            (None, Some(folder)) => Seeds::Folder(folder.clone()),
            (None, None) if servers.nats_url.is_none() && folder.path("keys/nats").is_dir() => {
                Seeds::Folder(folder.path("keys/nats"))
            }
            (None, None) => Seeds::None,
        };
        let databases = match (&servers.database_url, &known) {
            (Some(url), _) => Databases::One(url.clone()),
            (None, Some(known)) => Databases::Each(known.databases.clone()),
            (None, None) => Databases::Each(BTreeMap::new()),
        };
        let nats_url = servers.nats_url.clone().or(known.map(|known| known.nats_url)).unwrap_or_default();
        Place { nats_url, sync, seeds, databases, keyring: None }
    }

    /// How `role` reaches NATS.
    ///
    /// # Errors
    /// Nobody says where NATS is, or the role's seed cannot be read.
    pub fn options(&self, role: &str) -> Result<Options> {
        ensure!(!self.nats_url.is_empty(), "NATS_URL is not given, and {NOTHING_RUNS}");
        let seed = match &self.seeds {
            Seeds::None => None,
            Seeds::One(seed) => Some(seed.trim().to_owned()),
            Seeds::Folder(folder) => {
                let file = folder.join(format!("{role}.seed"));
                let text = std::fs::read_to_string(&file);
                Some(
                    text.with_context(|| format!("cannot read the nkey seed of {role}, {}", file.display()))?
                        .trim()
                        .to_owned(),
                )
            }
        };
        Ok(Options { url: self.nats_url.clone(), role: role.to_owned(), seed, sync: self.sync })
    }

    /// Connects `role` to NATS.
    ///
    /// # Errors
    /// NATS does not know it.
    pub async fn bus(&self, role: &str) -> Result<Bus> {
        let options = self.options(role)?;
        let bus = match self.keyring.clone() {
            Some(keyring) => Bus::connect_with(&options, keyring).await,
            None => Bus::connect(&options).await,
        };
        bus.with_context(|| format!("{role} cannot come to NATS at {}", shown(&self.nats_url)))
    }

    /// The same for what somebody waits for: a server that is not there is an error soon.
    ///
    /// # Errors
    /// NATS does not know the role, or does not answer.
    pub async fn bus_soon(&self, role: &str) -> Result<Bus> {
        let connected = tokio::time::timeout(SOON, self.bus(role)).await;
        connected.unwrap_or_else(|_| {
            let (at, seconds) = (shown(&self.nats_url), SOON.as_secs());
            bail!("NATS at {at} did not answer for {seconds} s\n  start it, or give another with NATS_URL")
        })
    }

    /// The address of Postgres for a database role; it may still have to be taken on there.
    ///
    /// # Errors
    /// No address is known for it.
    pub fn database(&self, role: &str) -> Result<String> {
        match &self.databases {
            Databases::One(url) => Ok(url.clone()),
            Databases::Each(urls) => {
                urls.get(role).cloned().with_context(|| format!("DATABASE_URL is not given, and {NOTHING_RUNS}"))
            }
        }
    }
}

/// An address without its password, for messages.
pub fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}
