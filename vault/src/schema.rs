//! The schema of the vault: made and upgraded from the files in `migrations/vault`, which are never edited once released.

use sqlx::PgPool;
use sqlx::migrate::Migrator;

/// Makes or upgrades the schema `vault`. Needs the right to create in the database; the vault itself does not.
///
/// # Errors
/// The database cannot be reached, or its schema was made by a newer version.
pub async fn migrate(owner: &PgPool) -> anyhow::Result<()> {
    let mut migrator: Migrator = sqlx::migrate!("../migrations/vault");
    migrator.create_schema("vault");
    migrator.dangerous_set_table_name("vault._sqlx_migrations");
    migrator.run(owner).await?;
    Ok(())
}
