//! How Postgres is: its version and settings, the projections in it, the vault's keys.

use anyhow::Result;
use projections::{READER, VAULT, pool};
use sqlx::PgPool;

use super::Finding;
use crate::connect::{Place, shown};

/// Events that a projection may be behind before it is worth a word.
const LAG: u64 = 1000;

/// Looks as the reader, and at the vault's keys as the vault.
pub(super) async fn look(place: &Place) -> Vec<Finding> {
    match all(place).await {
        Ok(findings) => findings,
        Err(error) => {
            let at = place.database(READER).map_or("?".into(), |url| shown(&url));
            vec![Finding::wrong(
                "postgres",
                format!("{at}: {error:#}"),
                "start it, give the right DATABASE_URL, or run `reprise migrate`",
            )]
        }
    }
}

async fn all(place: &Place) -> Result<Vec<Finding>> {
    let reader = pool(&place.database(READER)?, Some(READER), 1).await?;
    let mut findings = vec![version(&reader).await?, clock(&reader).await?];
    for (name, wanted, why) in [
        ("fsync", "on", "a crash of the machine destroys the vault, which cannot be rebuilt"),
        ("full_page_writes", "on", "a crash of the machine can destroy pages"),
        ("synchronous_commit", "on", "commits can be lost in a crash; the vault asks for its own all the same"),
    ] {
        findings.push(setting(&reader, name, wanted, why).await?);
    }
    findings.extend(projections(place, &reader).await?);
    findings.push(keys(place).await);
    Ok(findings)
}

async fn show(pool: &PgPool, name: &str) -> Result<String> {
    Ok(sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(pool).await?)
}

async fn version(reader: &PgPool) -> Result<Finding> {
    let number: u32 = show(reader, "server_version_num").await?.parse()?;
    let found = show(reader, "server_version").await?;
    Ok(match number {
        150_000.. => Finding::well("postgres version", found),
        _ => Finding::wrong("postgres version", found, "upgrade to Postgres 15 or newer"),
    })
}

async fn clock(reader: &PgPool) -> Result<Finding> {
    let before = chrono::Utc::now();
    let there: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("select clock_timestamp()").fetch_one(reader).await?;
    let here = before + (chrono::Utc::now() - before) / 2;
    let offset = (there - here).num_milliseconds();
    let found = format!("Postgres is {offset} ms ahead of this machine");
    Ok(match offset.abs() {
        0..1000 => Finding::well("clock of postgres", found),
        _ => Finding::wrong("clock of postgres", found, "let NTP set the clocks: sessions end by them"),
    })
}

async fn setting(reader: &PgPool, name: &str, wanted: &str, why: &str) -> Result<Finding> {
    let found = show(reader, name).await?;
    let what = format!("postgres {name}");
    Ok(if found == wanted {
        Finding::well(what, found)
    } else {
        Finding::wrong(what, format!("{found}: {why}"), format!("alter system set {name} = {wanted}, then reload"))
    })
}

async fn projections(place: &Place, reader: &PgPool) -> Result<Vec<Finding>> {
    let bus = place.bus("operator").await?;
    let live = projections::ls(reader, bus).await?.into_iter().filter(|one| one.state == "live");
    let findings: Vec<Finding> = live
        .map(|one| {
            let what = format!("projection {}", one.name);
            let found = format!(
                "position {}, {} behind ({:.0} s), {} keys stand still",
                one.position, one.lag_events, one.lag_seconds, one.quarantined
            );
            if one.quarantined > 0 {
                Finding::wrong(
                    what,
                    found,
                    format!(
                        "see projection.quarantine for the reason; after mending it: reprise projection rebuild {}",
                        one.name
                    ),
                )
            } else if one.lag_events > LAG {
                Finding::warn(what, found, "see whether `reprise projector` runs, and its log")
            } else {
                Finding::well(what, found)
            }
        })
        .collect();
    let none = findings.is_empty();
    Ok(if none { vec![Finding::wrong("projections", "none is live", "start `reprise projector`")] } else { findings })
}

/// Every account that is not erased needs the key of its person, and tokens need a key to be signed with.
async fn keys(place: &Place) -> Finding {
    let what = "keys";
    let count = async {
        let vault = pool(&place.database(VAULT)?, Some(VAULT), 1).await?;
        let sql = "select (select count(*) from vault.account join vault.person on person.id = account.person where wrapped is null),
                          (select count(*) from vault.person where wrapped is not null)";
        let counts: (i64, i64) = sqlx::query_as(sql).fetch_one(&vault).await?;
        anyhow::Ok(counts)
    };
    match count.await {
        Ok((0, there)) => Finding::well(what, format!("{there} persons have theirs, nobody's is missing")),
        Ok((missing, _)) => Finding::wrong(
            what,
            format!("{missing} accounts without the key of their person"),
            "restore the schema vault from its backup: what is sealed with these keys cannot be read",
        ),
        Err(error) => Finding::warn(
            what,
            format!("could not be looked at: {error:#}"),
            "run the doctor with a DATABASE_URL that may become reprise_vault",
        ),
    }
}
