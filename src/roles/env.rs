//! What tools need to reach a running platform: addresses, and keys that can read and nothing else.

use anyhow::Result;
use projections::READER;

use crate::cli::Data;
use crate::data::Folder;

/// Prints `KEY=value` lines.
///
/// # Errors
/// No platform is running on the folder.
pub fn run(args: Data) -> Result<()> {
    let running = Folder::at(&args.data).running()?;
    println!("REPRISE_URL={}", running.url);
    if let Some(url) = running.databases.get(READER) {
        println!("DATABASE_URL={url}");
    }
    println!("NATS_URL={}", running.nats_url);
    if let Some(seed) = running.auditor {
        println!("NATS_NKEY={seed}");
    }
    println!("NATS_INBOX_PREFIX=_INBOX_auditor");
    Ok(())
}
