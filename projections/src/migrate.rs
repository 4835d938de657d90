//! Roles, schemas and grants. Everything here may be repeated, and by several processes at once. Whatever the projector
//! owns it can also make again by itself, when someone dropped it.

use anyhow::Context;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, PgPool};

use crate::pool::{GATEWAY, PROJECTOR, READER, VAULT};

/// Held while schemas change, so that processes that start together do it one after the other.
const LOCK: i64 = 0x0072_6570_7269_7365;

/// Passwords with which the database roles may sign in; a role without one can only be taken on by the owner.
#[derive(Clone, Default)]
pub struct RolePasswords {
    /// Writes the read models.
    pub projector: Option<String>,
    /// Reads them for clients.
    pub gateway: Option<String>,
    /// Owns the vault's schema and sees nothing else.
    pub vault: Option<String>,
    /// Reads them for people.
    pub reader: Option<String>,
}

/// Makes the database ready: the four roles, their rights, the schemas `projection`, `read` and `vault`.
/// The pool is the owner's: a superuser, or the owner of the database with the right to create roles.
///
/// # Errors
/// Postgres does not answer, or the owner lacks a right.
pub async fn migrate(owner: &PgPool, passwords: &RolePasswords) -> anyhow::Result<()> {
    // a connection of its own, closed at the end: the lock and the role go with it whatever happens
    let mut connection = owner.acquire().await.context("the database does not answer")?.detach();
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await?;
    for (role, password) in [
        (PROJECTOR, &passwords.projector),
        (GATEWAY, &passwords.gateway),
        (VAULT, &passwords.vault),
        (READER, &passwords.reader),
    ] {
        make_role(&mut connection, role, password.as_deref()).await.with_context(|| format!("the role {role}"))?;
    }
    connection.execute(OWNED).await.context("the rights of the roles")?;
    connection.execute("set role reprise_projector").await?;
    make_schemas(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Makes what the projector keeps about itself, and the schema that readers see, where they are missing.
///
/// # Errors
/// Postgres does not answer, or the role lacks the right to create schemas.
pub(crate) async fn heal(pool: &PgPool) -> anyhow::Result<()> {
    let there = "select to_regclass('projection.quarantine') is not null and to_regclass('read.position') is not null";
    if sqlx::query_scalar(there).fetch_one(pool).await? {
        return Ok(());
    }
    let mut connection = pool.acquire().await?.detach();
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await?;
    make_schemas(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// As the projector's role, with the lock held.
async fn make_schemas(connection: &mut PgConnection) -> anyhow::Result<()> {
    connection.execute("create schema if not exists projection").await?;
    let mut migrator = sqlx::migrate!("../migrations/projection");
    migrator.dangerous_set_table_name("projection.migration");
    // the lock above is enough
    migrator.set_locking(false);
    migrator.run_direct(None, connection, false).await.context("the migrations of the schema projection")?;
    connection.execute(READ).await.context("the schema read")?;
    Ok(())
}

/// Roles belong to the whole cluster: another database may be making the same one at this moment.
async fn make_role(connection: &mut PgConnection, role: &str, password: Option<&str>) -> anyhow::Result<()> {
    let make = format!(
        "do $$ begin
             if not exists (select from pg_roles where rolname = '{role}') then create role {role} nologin; end if;
         exception when duplicate_object or unique_violation then null;
         end $$;
         do $$ begin
             if not pg_has_role(current_user, '{role}', 'member') then execute format('grant {role} to %I', current_user); end if;
         exception when duplicate_object or unique_violation then null;
         end $$"
    );
    // the role is one of our constants
    connection.execute(AssertSqlSafe(make)).await?;
    if let Some(password) = password {
        let sql = "select format('alter role %I login password %L', $1::text, $2::text)";
        let alter: String = sqlx::query_scalar(sql).bind(role).bind(password).fetch_one(&mut *connection).await?;
        // quoted by Postgres itself
        retry_while_others_write(connection, &alter).await?;
    }
    Ok(())
}

/// Two databases of one cluster may change the same role at once; Postgres then refuses one of them.
async fn retry_while_others_write(connection: &mut PgConnection, statement: &str) -> anyhow::Result<()> {
    for _ in 0..20 {
        match connection.execute(AssertSqlSafe(statement)).await {
            Err(sqlx::Error::Database(error)) if error.message().contains("concurrently updated") => continue,
            other => return other.map(drop).map_err(|_| anyhow::anyhow!("the password could not be set")),
        }
    }
    anyhow::bail!("others keep changing the role")
}

/// What only the owner can give.
const OWNED: &str = "
do $$ begin
    execute format('grant create, connect on database %I to reprise_projector', current_database());
    execute format('grant connect on database %I to reprise_gateway, reprise_vault, reprise_reader', current_database());
end $$;
create schema if not exists vault authorization reprise_vault;
alter default privileges in schema vault grant all on tables to reprise_vault;
alter default privileges in schema vault grant all on sequences to reprise_vault;
grant all on all tables in schema vault to reprise_vault;
grant all on all sequences in schema vault to reprise_vault;
";

/// What readers see. Views run with their owner's rights, so readers need none on the tables behind them.
const READ: &str = "
create schema if not exists read;
grant usage on schema read, projection to reprise_gateway, reprise_reader;
grant select on all tables in schema projection to reprise_gateway, reprise_reader;
alter default privileges in schema projection grant select on tables to reprise_gateway, reprise_reader;
alter default privileges in schema read grant select on tables to reprise_gateway, reprise_reader;
create or replace view read.position as
    select checkpoint.projection, checkpoint.position, checkpoint.generation, checkpoint.recorded_at
    from projection.checkpoint join projection.generation using (projection, generation)
    where generation.state = 'live';
grant select on all tables in schema read to reprise_gateway, reprise_reader;
";
