//! Where NATS and Postgres are, and as whom to come there: said on the command line, or known from the running `up`.

use anyhow::{Context, Result, bail};
use nats::{Bus, Options};
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cli::{Servers, Sync};
use crate::data::{Folder, Running};

/// The owner of the database, among the names of database roles.
pub const OWNER: &str = "owner";

/// Where the servers are.
#[derive(Clone, Debug)]
pub struct Place {
    /// NATS.
    pub nats_url: String,
    /// What NATS does before it acknowledges.
    pub sync: nats::Sync,
    seeds: Seeds,
    databases: Databases,
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

impl Place {
    /// A place that is known.
    pub fn new(nats_url: String, sync: nats::Sync, seeds: Seeds, databases: Databases) -> Self {
        Place { nats_url, sync, seeds, databases }
    }

    /// What the command line says, and for the rest the `up` that runs on its data folder.
    ///
    /// # Errors
    /// Something is not said and no `up` is running.
    pub fn of(servers: &Servers) -> Result<Self> {
        let folder = Folder::at(&servers.data.data);
        let running = || -> Result<Running> {
            folder.running().context("give NATS_URL and DATABASE_URL, or the data folder of a running `reprise up`")
        };
        let known = match (&servers.nats_url, &servers.database_url) {
            (Some(_), Some(_)) => None,
            _ => Some(running()?),
        };
        let sync = match &known {
            Some(known) if servers.nats_url.is_none() && known.sync == "interval" => nats::Sync::Interval,
            _ => servers.sync.into(),
        };
        let seeds = match (&servers.nkey, &servers.keys_dir, &servers.nats_url) {
            (Some(seed), _, _) => Seeds::One(seed.clone()),
            (None, Some(folder), _) => Seeds::Folder(folder.clone()),
            (None, None, Some(_)) => Seeds::None,
            (None, None, None) if folder.path("keys/nats").is_dir() => Seeds::Folder(folder.path("keys/nats")),
            (None, None, None) => Seeds::None,
        };
        let databases = match (&servers.database_url, &known) {
            (Some(url), _) => Databases::One(url.clone()),
            (None, Some(known)) => Databases::Each(known.databases.clone()),
            (None, None) => bail!("DATABASE_URL is not given"),
        };
        let nats_url = servers.nats_url.clone().or(known.map(|known| known.nats_url));
        Ok(Place { nats_url: nats_url.context("NATS_URL is not given")?, sync, seeds, databases })
    }

    /// How `role` reaches NATS.
    ///
    /// # Errors
    /// Its seed cannot be read.
    pub fn options(&self, role: &str) -> Result<Options> {
        let seed = match &self.seeds {
            Seeds::None => None,
            Seeds::One(seed) => Some(seed.trim().to_owned()),
            Seeds::Folder(folder) => {
                let file = folder.join(format!("{role}.seed"));
                let text = std::fs::read_to_string(&file);
                Some(text.with_context(|| format!("cannot read the nkey seed of {role}, {}", file.display()))?.trim().to_owned())
            }
        };
        Ok(Options { url: self.nats_url.clone(), role: role.to_owned(), seed, sync: self.sync })
    }

    /// Connects `role` to NATS.
    ///
    /// # Errors
    /// NATS does not know it.
    pub async fn bus(&self, role: &str) -> Result<Bus> {
        Bus::connect(&self.options(role)?).await.with_context(|| format!("{role} cannot come to NATS at {}", shown(&self.nats_url)))
    }

    /// The address of Postgres for a database role; it may still have to be taken on there.
    ///
    /// # Errors
    /// No address is known for it.
    pub fn database(&self, role: &str) -> Result<String> {
        match &self.databases {
            Databases::One(url) => Ok(url.clone()),
            Databases::Each(urls) => urls.get(role).cloned().with_context(|| format!("no address of Postgres for {role}")),
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
