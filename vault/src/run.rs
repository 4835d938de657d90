//! The vault at work: answers, says, follows, keeps house, until told to stop. Several may run side by side.

use anyhow::Context;
use chrono::{DateTime, TimeDelta};
use nats::Bus;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;

use crate::sessions::ABSOLUTE;
use crate::vault::Vault;
use crate::{Config, follow, server};

/// A registration that nothing came of is forgotten after that long.
const PENDING: TimeDelta = TimeDelta::hours(1);

/// Runs a vault until `stop`. The schema must be there, see [`migrate`](crate::migrate).
///
/// # Errors
/// It cannot start (database, schema, master key), or the bus refuses it.
pub async fn run(pool: PgPool, bus: Bus, config: Config, stop: CancellationToken) -> anyhow::Result<()> {
    let vault = Vault::open(durable(pool).await?, bus.keyring().clone(), config).await.context("opening the vault")?;
    let stop = stop.child_token();
    let said = CancellationToken::new();
    let relay = vault.relay(&bus, &said);
    let work = async {
        let result = tokio::try_join!(
            server::serve(vault.clone(), &bus, &stop),
            nats::run_service(bus.clone(), follow::service(vault.clone(), bus.clone()), stop.clone()),
            vault.keep_house(&bus, &stop),
        );
        said.cancel();
        result.map(drop)
    };
    tokio::join!(work, relay).0
}

/// Whatever else the database forgoes, the vault waits for its commits: a revoked token must stay revoked.
async fn durable(pool: PgPool) -> anyhow::Result<PgPool> {
    let setting: String = sqlx::query_scalar("show synchronous_commit").fetch_one(&pool).await?;
    if setting != "off" {
        return Ok(pool);
    }
    let options = pool.connect_options().as_ref().clone().options([("synchronous_commit", "on")]);
    let connections = pool.options().get_max_connections();
    Ok(PgPoolOptions::new().max_connections(connections).connect_with(options).await?)
}

impl Vault {
    async fn keep_house(self: &Arc<Self>, bus: &Bus, stop: &CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            if let Err(error) = self.keep_house_once(bus).await {
                tracing::warn!(error = format!("{error:#}"), "housekeeping waits");
            }
            tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(self.config.housekeeping) => {} }
        }
        Ok(())
    }

    async fn keep_house_once(&self, bus: &Bus) -> anyhow::Result<()> {
        self.signer.rotate(&self.pool, &self.keys.kek, &self.config).await?;
        let now = self.config.now();
        // a registration counts as come to nothing only when the log has been followed past it
        let followed = DateTime::from_timestamp_micros(self.followed.load(Ordering::Relaxed)).unwrap_or_default();
        self.drop_pending(bus, followed.min(now) - PENDING).await?;
        sqlx::query("delete from vault.session where started_at < $1").bind(now - ABSOLUTE).execute(&self.db).await?;
        sqlx::query("delete from vault.mail_token where expires_at < $1").bind(now).execute(&self.db).await?;
        Ok(())
    }
}
