//! The demo: registers somebody over HTTP and uploads a film as them, and shows what follows as an auditor sees it: from
//! the log, with keys that can read and nothing else. Personal fields stay sealed.

mod film;
mod registration;
mod saga;
mod scratch;
mod watch;

use anyhow::{Context, Result};
use nats::{Bus, Keyring, Options};
use projections::{READER, pool};
use std::process::ExitCode;
use std::time::Duration;

use crate::cli;
use crate::data::Folder;
use watch::Watch;

/// Longer than any of it takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Shows both sagas, on a running platform or on one that is gone afterwards.
///
/// # Errors
/// No platform is there, it refuses, or what should follow does not.
pub async fn run(args: cli::Demo) -> Result<ExitCode> {
    if args.scratch {
        let platform = scratch::Platform::start().await?;
        let shown = show(&Seen::of(&cli::Demo {
            data: platform.data(),
            url: None,
            nats_url: None,
            nats_nkey: None,
            database_url: None,
            scratch: false,
        })?)
        .await;
        platform.stop().await?;
        shown?;
    } else {
        show(&Seen::of(&args)?).await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A platform from outside.
struct Seen {
    url: String,
    nats: Options,
    database_url: String,
}

impl Seen {
    fn of(args: &cli::Demo) -> Result<Self> {
        let all_said = args.url.is_some() && args.nats_url.is_some() && args.database_url.is_some();
        let known = if all_said { None } else { Some(Folder::at(&args.data.data).running()?) };
        let of = |said: &Option<String>, known: Option<String>, name: &str| {
            said.clone().or(known).with_context(|| format!("{name} is not given"))
        };
        let url = of(&args.url, known.as_ref().map(|known| known.url.clone()), "REPRISE_URL")?;
        let nats = of(&args.nats_url, known.as_ref().map(|known| known.nats_url.clone()), "NATS_URL")?;
        let reader = known.as_ref().and_then(|known| known.databases.get(READER).cloned());
        let database_url = of(&args.database_url, reader, "DATABASE_URL")?;
        let seed = args.nats_nkey.clone().or(known.and_then(|known| known.auditor));
        let nats = Options { url: nats, role: "auditor".into(), seed, sync: nats::Sync::Interval };
        Ok(Seen { url, nats, database_url })
    }
}

async fn show(seen: &Seen) -> Result<()> {
    // an auditor has no keys: whatever is sealed stays so
    let no_keys = Keyring::local(|_| Box::pin(async { Ok(std::collections::HashMap::new()) }));
    let bus = tokio::time::timeout(PATIENCE, Bus::connect_with(&seen.nats, no_keys))
        .await
        .context("NATS does not answer")??;
    let rows = pool(&seen.database_url, None, 1).await?;
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    println!("\n  A registration, as the log tells it ({} by an auditor, personal fields sealed)\n", seen.url);
    let mut watch = Watch::begin(&bus, rows.clone()).await?;
    let token = registration::register(&client, &seen.url, &mut watch).await?;
    println!("\n  Its causation: ? is asked, ! has happened\n\n{}", watch.tree());
    match film::generate().await? {
        Some(film) => {
            println!("\n  A film is uploaded and becomes one that everybody can play\n");
            let mut watch = Watch::begin(&bus, rows).await?;
            let address = film::upload(&client, &seen.url, &mut watch, &token, film).await?;
            println!("\n  Its causation\n\n{}\n  It plays at {address}\n", watch.tree());
        }
        None => println!("\n  The second saga needs ffmpeg, which is not here; scripts/fetch gets it\n"),
    }
    bus.flushed_close().await;
    Ok(())
}
