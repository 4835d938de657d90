//! The vault: what must never be in the log.

use ::vault::{Config, MasterKey, Policy};
use anyhow::{Result, bail};
use nats::Bus;
use projections::{VAULT, pool};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::cli::{self, PasswordPolicy, Secrets, Switch};
use crate::connect::Place;
use crate::roles::own::Process;

/// Runs a vault until told to stop.
///
/// # Errors
/// There is no master key, or NATS or Postgres refuse it.
pub async fn run(args: cli::Vault) -> Result<()> {
    let process = Process::begin("vault", &args.own)?;
    let Some(master) = master(&args.secrets)? else {
        bail!(
            "the vault needs its master key: REPRISE_MASTER_KEY_FILE names a file with 32 bytes in base64\n  \
               make one with: head -c 32 /dev/urandom | base64 > master.key"
        )
    };
    let config = config(master, &args.secrets, args.rate_limits);
    let (pool, bus) = tokio::select! {
        both = connect(&process.place, &config) => both?,
        () = process.stop.cancelled() => return Ok(()),
    };
    process.probes(&args.own, &bus, Some(pool.clone())).await?;
    work(pool, bus, config, process.stop).await
}

/// Connects to both servers. The vault reads keys of persons where they are, because it may not ask itself.
///
/// # Errors
/// NATS or Postgres refuse it.
pub async fn connect(place: &Place, config: &Config) -> Result<(PgPool, Bus)> {
    let pool = pool(&place.database(VAULT)?, Some(VAULT), 12).await?;
    let keyring = ::vault::keyring(pool.clone(), &config.master);
    let bus = Bus::connect_with(&place.options("vault")?, keyring).await?;
    Ok((pool, bus))
}

/// Keeps secrets until `stop`.
///
/// # Errors
/// NATS or Postgres refuse it, or the database was made with another master key.
pub async fn work(pool: PgPool, bus: Bus, config: Config, stop: CancellationToken) -> Result<()> {
    let worked = ::vault::run(pool, bus.clone(), config, stop).await;
    bus.flushed_close().await;
    worked
}

/// The master key that the command line names.
///
/// # Errors
/// It is none.
pub fn master(secrets: &Secrets) -> Result<Option<MasterKey>> {
    match (&secrets.master_key_file, &secrets.master_key) {
        (Some(file), _) => MasterKey::from_file(file).map(Some),
        (None, Some(text)) => MasterKey::from_base64(text).map(Some),
        (None, None) => Ok(None),
    }
}

/// What the vault is told.
pub fn config(master: MasterKey, secrets: &Secrets, limits: Switch) -> Config {
    let policy = match secrets.password_policy {
        PasswordPolicy::Strict => Policy::Strict,
        PasswordPolicy::Basic => Policy::Basic,
    };
    let bootstrap = secrets.bootstrap_secret.clone().filter(|secret| !secret.is_empty()).map(Into::into);
    Config { policy, bootstrap, argon: secrets.argon2, throttle: limits == Switch::On, ..Config::new(master) }
}
