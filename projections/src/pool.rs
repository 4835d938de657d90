//! Connections to Postgres, each with the least role that its work needs.

use anyhow::Context;
use postgres::RESTED;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::str::FromStr;
use std::time::Duration;

/// The role that owns the read models and writes them.
pub const PROJECTOR: &str = "reprise_projector";
/// The role that gateways read with.
pub const GATEWAY: &str = "reprise_gateway";
/// The role that owns the vault's schema.
pub const VAULT: &str = "reprise_vault";
/// The role for people who want to look.
pub const READER: &str = "reprise_reader";

/// A pool of at most `size` connections that act as `role`; connections are made when they are needed, so a database
/// that is down is an error of the first query and not of this call.
///
/// Rows of the projector can be made again from the log, so its commits do not wait for the disk. A projector that
/// stands still in the middle of a transaction loses it, so that another can go on.
///
/// # Errors
/// The address is none.
pub async fn pool(url: &str, role: Option<&str>, size: u32) -> anyhow::Result<PgPool> {
    let name = role.unwrap_or("reprise");
    let options = PgConnectOptions::from_str(url).context("the database address")?.application_name(name);
    let mut setup = role.map(|role| format!("set role {role};")).unwrap_or_default();
    match role {
        // rows are looked up by key, by the same few statements: the statistics of a table that has just been made would
        // rather read it all, and there is nothing to plan anew
        Some(PROJECTOR) => {
            setup += "set synchronous_commit = off; set enable_seqscan = off; set plan_cache_mode = force_generic_plan;
                      set idle_in_transaction_session_timeout = '15s';";
        }
        Some(GATEWAY | READER) => setup += "set default_transaction_read_only = on;",
        _ => {}
    }
    let pool = PgPoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(5));
    // a connection that was at work a moment ago is there; asking it each time would be a round trip for nothing
    let pool = pool.test_before_acquire(false).before_acquire(|connection, meta| {
        Box::pin(async move {
            if meta.idle_for > RESTED {
                connection.ping().await?;
            }
            Ok(true)
        })
    });
    let pool = pool.after_connect(move |connection, _| {
        let setup = setup.clone();
        Box::pin(async move {
            // the role is one of the names above, never something from outside
            if !setup.is_empty() {
                connection.execute(AssertSqlSafe(setup)).await?;
            }
            Ok(())
        })
    });
    Ok(pool.connect_lazy_with(options))
}
