//! Generations: the rows of a projection live in a schema of their own, `<name>_g<n>`, and views in the schema `read`
//! show one of them. Going over to the next is one transaction, so no reader sees half of each.

use anyhow::Context;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, PgPool};

use crate::projection::{Projection, definition};

/// How long a change of views waits for readers before it lets new ones through and tries again.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '500ms'";

/// The schema of a generation.
pub(crate) fn schema(projection: &str, generation: i32) -> String {
    format!("{projection}_g{generation}")
}

/// Of each projection the generation that readers see, if its tables are there, have today's definition, and are what
/// the views show.
pub(crate) async fn live(pool: &PgPool, projections: &mut [Box<dyn Projection>]) -> sqlx::Result<Vec<Option<i32>>> {
    let sql = "select projection, generation, definition from projection.generation where state = 'live'";
    let found: Vec<(String, i32, String)> = sqlx::query_as(sql).fetch_all(pool).await?;
    let mut live = vec![None; projections.len()];
    let (mut owners, mut places) = (vec![], vec![]);
    for (n, projection) in projections.iter_mut().enumerate() {
        let name = projection.name();
        let Some((_, generation, made_with)) = found.iter().find(|(found, ..)| found == name) else { continue };
        if *made_with != definition(&mut **projection) {
            continue;
        }
        live[n] = Some(*generation);
        let schema = schema(name, *generation);
        for table in projection.tables() {
            places.extend([format!("{schema}.{}", table.name()), format!("read.{}", table.name())]);
            owners.extend([n as i32; 2]);
        }
    }
    let sql = "select distinct owner from unnest($1::integer[], $2::text[]) as wanted(owner, place)
               where to_regclass(place) is null";
    let broken: Vec<i32> = sqlx::query_scalar(sql).bind(&owners).bind(&places).fetch_all(pool).await?;
    for owner in broken {
        live[owner as usize] = None;
    }
    Ok(live)
}

/// Begins a generation: empty tables without indexes, position 0. What an earlier attempt left behind is dropped.
pub(crate) async fn begin(pool: &PgPool, projection: &mut dyn Projection) -> anyhow::Result<i32> {
    let name = projection.name();
    let mut tx = pool.begin().await?;
    drop_generations(&mut tx, name, "building").await?;
    // schemas are counted too: the table of generations may have been dropped while they were not
    let sql = "select coalesce(max(n), 0) + 1 from (
                   select generation as n from projection.generation where projection = $1
                   union all
                   select substring(nspname from length($1) + 3)::integer from pg_namespace
                   where nspname ~ ('^' || $1 || '_g[0-9]{1,9}$')) as used";
    let generation: i32 = sqlx::query_scalar(sql).bind(name).fetch_one(&mut *tx).await?;
    let schema = schema(name, generation);
    // names of schemas are made of constants and numbers
    tx.execute(AssertSqlSafe(format!("create schema {schema}"))).await?;
    for table in projection.tables() {
        tx.execute(AssertSqlSafe(table.create(&schema))).await?;
    }
    let sql =
        "insert into projection.generation (projection, generation, state, definition) values ($1, $2, 'building', $3)";
    sqlx::query(sql).bind(name).bind(generation).bind(definition(projection)).execute(&mut *tx).await?;
    let sql = "insert into projection.checkpoint (projection, generation) values ($1, $2)";
    sqlx::query(sql).bind(name).bind(generation).execute(&mut *tx).await?;
    tx.commit().await.context("a new generation")?;
    Ok(generation)
}

/// Makes the indexes of a generation that has been filled, and tells the planner what is in it.
pub(crate) async fn finish(pool: &PgPool, projection: &mut dyn Projection, generation: i32) -> sqlx::Result<()> {
    let schema = schema(projection.name(), generation);
    for table in projection.tables() {
        pool.execute(AssertSqlSafe(format!("{} analyze {schema}.{}", table.index(&schema), table.name()))).await?;
    }
    Ok(())
}

/// Lets readers see a generation from now on; the one before is kept for a way back, older ones go.
/// The caller holds the lock of the live checkpoint in this transaction.
pub(crate) async fn swap(tx: &mut PgConnection, projection: &mut dyn Projection, generation: i32) -> sqlx::Result<()> {
    let name = projection.name();
    tx.execute(LOCK_TIMEOUT).await?;
    drop_generations(tx, name, "kept").await?;
    let sql = "update projection.generation set state = 'kept' where projection = $1 and state = 'live'";
    sqlx::query(sql).bind(name).execute(&mut *tx).await?;
    let sql = "update projection.generation set state = 'live' where projection = $1 and generation = $2";
    sqlx::query(sql).bind(name).bind(generation).execute(&mut *tx).await?;
    let schema = schema(name, generation);
    for table in projection.tables() {
        let (table, columns) = (table.name(), table.columns());
        let view = format!("create or replace view read.{table} as select {columns} from {schema}.{table}");
        let mut attempt = tx.begin().await?;
        match attempt.execute(AssertSqlSafe(view.as_str())).await {
            Ok(_) => attempt.commit().await?,
            // 42P16: the columns are others than before
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P16") => {
                attempt.rollback().await?;
                tx.execute(AssertSqlSafe(format!("drop view read.{table}; {view}"))).await?;
            }
            Err(error) => return Err(error),
        }
    }
    drop_orphans(tx, name).await
}

/// Drops schemas of this projection that nobody knows any more: the table of generations was dropped without them.
async fn drop_orphans(tx: &mut PgConnection, projection: &str) -> sqlx::Result<()> {
    let sql = "select nspname::text from pg_namespace
               where nspname ~ ('^' || $1 || '_g[0-9]+$') and nspname not in
                   (select projection || '_g' || generation from projection.generation where projection = $1)";
    let orphans: Vec<String> = sqlx::query_scalar(sql).bind(projection).fetch_all(&mut *tx).await?;
    for schema in orphans {
        tx.execute(AssertSqlSafe(format!("drop schema if exists {schema} cascade"))).await?;
    }
    Ok(())
}

/// Drops the generations that were kept: their rows say what has been forgotten since.
pub(crate) async fn drop_kept(pool: &PgPool, projection: &str) -> sqlx::Result<()> {
    let mut tx = pool.begin().await?;
    tx.execute(LOCK_TIMEOUT).await?;
    drop_generations(&mut tx, projection, "kept").await?;
    tx.commit().await
}

async fn drop_generations(tx: &mut PgConnection, projection: &str, state: &str) -> sqlx::Result<()> {
    let sql = "delete from projection.generation where projection = $1 and state = $2 returning generation";
    let old: Vec<i32> = sqlx::query_scalar(sql).bind(projection).bind(state).fetch_all(&mut *tx).await?;
    for generation in old {
        let schema = schema(projection, generation);
        tx.execute(AssertSqlSafe(format!("drop schema if exists {schema} cascade"))).await?;
    }
    Ok(())
}
