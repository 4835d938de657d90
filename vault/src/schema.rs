//! The schema of the vault: made and upgraded from the files in `migrations/vault`, which are never edited once released.

use sqlx::PgPool;
use sqlx::migrate::Migrator;

/// Makes or upgrades the schema `vault`. Whoever does it needs the right to create in the database, or owns a schema of
/// this name already.
///
/// # Errors
/// The database cannot be reached, or its schema was made by a newer version.
pub async fn migrate(owner: &PgPool) -> anyhow::Result<()> {
    let mut migrator: Migrator = sqlx::migrate!("../migrations/vault");
    migrator.dangerous_set_table_name("vault._sqlx_migrations");
    // Postgres asks for the right to make a schema even when it is there
    let missing = sqlx::query_scalar("select to_regnamespace('vault') is null").fetch_one(owner).await?;
    if missing {
        migrator.create_schema("vault");
    }
    migrator.run(owner).await?;
    Ok(())
}
