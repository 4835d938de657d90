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

/// Connects to both servers.
///
/// # Errors
/// NATS or Postgres refuse it.
pub async fn connect(place: &Place, config: &Config) -> Result<(PgPool, Bus)> {
    let place = with_keys(place.clone(), &config.master).await?;
    Ok((pool(&place.database(VAULT)?, Some(VAULT), 12).await?, place.bus("vault").await?))
}

/// The same place with the keys of persons read where they are: for the vault, which may not ask itself, and for whoever
/// shares its process (`docs/decisions/0019-what-is-told-at-home-stays-there.md`).
///
/// # Errors
/// Postgres refuses it.
pub async fn with_keys(place: Place, master: &MasterKey) -> Result<Place> {
    if place.has_keyring() {
        return Ok(place);
    }
    let pool = pool(&place.database(VAULT)?, Some(VAULT), 4).await?;
    Ok(place.with_keyring(::vault::keyring(pool, master)))
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
