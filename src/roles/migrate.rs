//! Migrating: schemas, tables and roles in Postgres. May be repeated at any time, also while everything runs.

use anyhow::{Context, Result, ensure};
use projections::{RolePasswords, VAULT, pool};

use crate::cli;
use crate::connect::{OWNER, Place, shown};

/// The oldest Postgres that will do.
const OLDEST: i32 = 150_000;

/// Makes or upgrades everything in the database.
///
/// # Errors
/// Postgres is too old, does not answer, or the user there lacks a right.
pub async fn run(args: cli::Migrate) -> Result<()> {
    let passwords = RolePasswords {
        gateway: args.gateway_password,
        projector: args.projector_password,
        vault: args.vault_password,
        reader: args.reader_password,
    };
    make(&Place::of(&args.servers).database(OWNER)?, &passwords).await?;
    println!("the database is ready");
    Ok(())
}

/// Makes or upgrades everything in the database at `url`, as its owner.
///
/// # Errors
/// Postgres is too old, does not answer, or the user there lacks a right.
pub async fn make(url: &str, passwords: &RolePasswords) -> Result<()> {
    let owner = pool(url, None, 2).await?;
    let version: String = sqlx::query_scalar("show server_version_num")
        .fetch_one(&owner)
        .await
        .with_context(|| format!("Postgres at {} does not let us in", shown(url)))?;
    let version: i32 = version.parse().unwrap_or(0);
    ensure!(
        version >= OLDEST,
        "Postgres at {} is version {}, older than {}\n  upgrade it, or give another with DATABASE_URL",
        shown(url),
        version / 10_000,
        OLDEST / 10_000
    );
    projections::migrate(&owner, passwords).await?;
    // the vault owns its schema but may not make another one; for a moment it must be allowed to
    let grant = |verb: &str, to: &str| {
        format!("do $$ begin execute format('{verb} create on database %I {to} {VAULT}', current_database()); end $$")
    };
    sqlx::raw_sql(sqlx::AssertSqlSafe(grant("grant", "to"))).execute(&owner).await?;
    let vault = pool(url, Some(VAULT), 2).await?;
    let migrated = ::vault::migrate(&vault).await.context("the schema of the vault");
    vault.close().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(grant("revoke", "from"))).execute(&owner).await?;
    owner.close().await;
    migrated
}
