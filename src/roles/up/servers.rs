//! The NATS and the Postgres that `up` uses: those it is given, or its own, supervised children on ports of their own.

use anyhow::Result;
use nkeys::KeyPair;
use projections::{GATEWAY, PROJECTOR, READER, VAULT};
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cli;
use crate::connect::{Databases, OWNER, Place, Seeds};
use crate::data::{Folder, word};
use crate::supervise::Kept;

/// The servers of its own, and what is to be said about them.
pub(super) struct Servers {
    _nats: Option<Kept>,
    _postgres: Option<Kept>,
    /// Where a Postgres lies that is not in the data folder.
    pub(super) postgres_home: Option<PathBuf>,
    /// The secret with which the log is read.
    pub(super) auditor: Option<String>,
    /// Addresses of Postgres by role.
    pub(super) databases: BTreeMap<String, String>,
}

/// Starts what is not given.
pub(super) async fn start(args: &cli::Up, folder: &Folder) -> Result<(Servers, Place)> {
    // both to their end, also when one fails: the other is then stopped in order before we say so
    let (nats, postgres) = tokio::join!(start_nats(args, folder), start_postgres(args, folder));
    let ((nats_url, seeds, nats), (databases, postgres)) = (nats?, postgres?);
    let elsewhere =
        |server: &embedded::Postgres| (!server.home().starts_with(folder.path(""))).then(|| server.home().to_owned());
    let auditor = match &seeds {
        Seeds::Folder(seeds) => {
            std::fs::read_to_string(seeds.join("auditor.seed")).ok().map(|seed| seed.trim().to_owned())
        }
        _ => None,
    };
    let servers = Servers {
        postgres_home: postgres.as_ref().and_then(elsewhere),
        _nats: nats.map(Kept::new),
        _postgres: postgres.map(Kept::new),
        auditor,
        databases: databases.clone(),
    };
    Ok((servers, Place::new(nats_url, args.servers.sync.into(), seeds, Databases::Each(databases))))
}

/// The NATS that is given, or one of its own with a user for each role.
async fn start_nats(args: &cli::Up, folder: &Folder) -> Result<(String, Seeds, Option<embedded::Nats>)> {
    if let Some(url) = &args.servers.nats_url {
        let seeds = match (&args.servers.keys_dir, &args.servers.nkey) {
            (Some(folder), _) => Seeds::Folder(folder.clone()),
            (None, Some(seed)) => Seeds::One(seed.clone()),
            (None, None) => Seeds::None,
        };
        return Ok((url.clone(), seeds, None));
    }
    let keys = folder.nkeys(nats::accounts::roles())?;
    let public = |(role, pair): (String, KeyPair)| (role, pair.public_key());
    let settings = nats::accounts::ServerSettings {
        listen: None,
        name: "reprise".into(),
        store_dir: None,
        monitor: None,
        sync: args.servers.sync.into(),
        max_file_store: 64 << 30,
        cluster: None,
    };
    let config = nats::accounts::server_config(&keys.into_iter().map(public).collect(), &settings);
    let (folder, seeds) = (folder.clone(), Seeds::Folder(folder.path("keys/nats")));
    let server = tokio::task::spawn_blocking(move || {
        on_a_free_port(folder.ports().nats, |port| {
            let server = embedded::Nats::start_on(&folder.make("nats")?, port, &config)?;
            folder.remember_ports(|ports| ports.nats = Some(port))?;
            Ok(server)
        })
    })
    .await??;
    Ok((server.url.clone(), seeds, Some(server)))
}

/// The addresses of Postgres by role, and the server if it is our own.
async fn start_postgres(
    args: &cli::Up,
    folder: &Folder,
) -> Result<(BTreeMap<String, String>, Option<embedded::Postgres>)> {
    if let Some(url) = &args.servers.database_url {
        // whoever comes there takes on each role; only for looking there is an address of its own
        let reader = format!("{url}{}options=-c%20role%3D{READER}", if url.contains('?') { "&" } else { "?" });
        let mut urls: BTreeMap<String, String> =
            [OWNER, GATEWAY, PROJECTOR, VAULT].map(|role| (role.to_owned(), url.clone())).into();
        urls.insert(READER.into(), reader);
        return Ok((urls, None));
    }
    let password = folder.secret("postgres.password", word)?;
    let owner = password.clone();
    let at = folder.clone();
    let server = tokio::task::spawn_blocking(move || {
        on_a_free_port(at.ports().postgres, |port| {
            let settings = embedded::Settings {
                port: Some(port),
                password: Some(password.clone()),
                durability: embedded::Durability::Safe,
                // what a statement was about must not end in the server's log
                extra: [
                    "max_connections=200",
                    "log_error_verbosity=terse",
                    "log_min_error_statement=panic",
                    "max_wal_size=2GB",
                ]
                .map(str::to_owned)
                .to_vec(),
            };
            let server = embedded::Postgres::start(&at.path("postgres"), settings)?;
            at.remember_ports(|ports| ports.postgres = Some(port))?;
            Ok(server)
        })
    })
    .await??;
    let address =
        |user: &str, password: &str| format!("postgres://{user}:{password}@127.0.0.1:{}/postgres", server.port);
    let mut urls = BTreeMap::from([(OWNER.to_owned(), address("postgres", &owner))]);
    for role in [GATEWAY, PROJECTOR, VAULT, READER] {
        let password = folder.secret(&format!("{role}.password"), word)?;
        urls.insert(role.to_owned(), address(role, &password));
    }
    folder.write_secret("keys/postgres", &urls[OWNER])?;
    Ok((urls, Some(server)))
}

/// Starts on the port of last time, or on another when somebody else took that one meanwhile.
fn on_a_free_port<T>(last: Option<u16>, start: impl Fn(u16) -> Result<T>) -> Result<T> {
    let mut port = last.unwrap_or_else(embedded::free_port);
    for _ in 0..5 {
        match start(port) {
            Err(error) if !embedded::is_free(port) => {
                tracing::warn!(port, error = format!("{error:#}"), "the port is taken, another one is used");
                port = embedded::free_port();
            }
            other => return other,
        }
    }
    start(port)
}
