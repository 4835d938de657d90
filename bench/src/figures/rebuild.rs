//! Rebuilding both pages from the log, personal fields opened, against `COPY` of the rows that come of it.

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use sqlx::postgres::PgPoolCopyExt;
use sqlx::{AssertSqlSafe, PgPool};
use std::time::Instant;

use crate::fill;
use crate::platform::Platform;
use crate::results::{Better, Row, short};
use crate::rounds::Rounds;
use crate::run::{Bench, say};

/// The pages.
const PAGES: [&str; 2] = ["user_page", "profile_page"];

/// Puts the events into the log.
pub async fn fill(bench: &Bench, platform: &Platform) -> Result<()> {
    let begin = Instant::now();
    say(format!("filling the log with {} events", bench.settings.events));
    fill::fill(platform.data(), bench.settings.events).await?;
    say(format!("filled in {} s", short(begin.elapsed().as_secs_f64())));
    say(format!("quiet {} s later", short(platform.quiet().await?)));
    Ok(())
}

/// Measures both in turns.
pub async fn measure(bench: &mut Bench, platform: &Platform) -> Result<()> {
    let pool = PgPool::connect(&platform.owner_url()?).await?;
    let [mut events, mut rows, mut whole] = [Rounds::default(), Rounds::default(), Rounds::default()];
    let rounds = bench.settings.rounds.min(3);
    let mut counted = (0, 0);
    for _ in 0..rounds {
        let (messages, seconds) = rebuild(platform).await?;
        platform.quiet().await?;
        let (copied, took) = copy(&pool).await?;
        counted = (messages, copied);
        events.push(messages as f64 / seconds);
        whole.push(seconds);
        rows.push(copied as f64 / took);
    }
    pool.close().await;
    let conditions = format!(
        "{} events of {} people, personal fields opened, {} rows; sync interval, {rounds} rounds: {} events/s in {} s, COPY {} rows/s",
        counted.0,
        bench.settings.events / fill::EACH,
        counted.1,
        events.spread(),
        whole.spread(),
        rows.spread()
    );
    let figure = "rebuild of both pages";
    let rate = Row::value(figure, events.median(), "events/s", Better::Higher, 50_000.0, 100_000.0);
    bench.report(rate.under(conditions.clone()));
    let against = ("COPY of the same rows, rows/s", rows.median());
    let ratio = Row::ratio(figure, events.median(), "events/s", against, Better::Higher, [0.2, 0.2]);
    bench.report(ratio.under(conditions));
    Ok(())
}

/// Events and seconds, as the rebuild itself reports them.
async fn rebuild(platform: &Platform) -> Result<(u64, f64)> {
    let said = platform.ask(&["projection", "rebuild", &PAGES.join(",")]).await?;
    let line = said.lines().find(|line| line.contains(" messages in ")).context("no report of the rebuild")?;
    let (messages, seconds) =
        line.rsplit_once("; ").and_then(|(_, end)| end.split_once(" messages in ")).context("report")?;
    let messages: u64 = messages.trim().parse().context("messages")?;
    ensure!(messages > 0, "the rebuild saw no events");
    Ok((messages, seconds.trim_end_matches('s').trim().parse().context("seconds")?))
}

/// Copies the rows of both pages into tables of the same columns and indexes: rows, and seconds for writing them.
async fn copy(pool: &PgPool) -> Result<(u64, f64)> {
    let (mut rows, mut seconds) = (0, 0.0);
    for page in PAGES {
        let sql = "select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.view_table_usage
            where view_schema = 'read' and view_name = $1";
        let table: String = sqlx::query_scalar(sql).bind(page).fetch_one(pool).await.context("the live table")?;
        let sql = format!(
            "drop table if exists bench_copy; create table bench_copy (like {table} including all) with (fillfactor = 85)"
        );
        // names of the platform's own tables, quoted by Postgres
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await?;
        let mut out = pool.copy_out_raw(&format!("copy {table} to stdout")).await?;
        let mut text = Vec::new();
        while let Some(some) = out.next().await {
            text.extend_from_slice(&some?);
        }
        drop(out);
        let begin = Instant::now();
        let mut into = pool.copy_in_raw("copy bench_copy from stdin").await?;
        for some in text.chunks(1 << 16) {
            into.send(some).await?;
        }
        rows += into.finish().await?;
        seconds += begin.elapsed().as_secs_f64();
        sqlx::raw_sql("drop table bench_copy").execute(pool).await?;
    }
    Ok((rows, seconds))
}
