//! The doctor: looks at everything, changes nothing, and says of each thing that is wrong how to mend it.

mod log;
mod rows;

use anyhow::Result;
use serde::Serialize;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use crate::cli;
use crate::connect::Place;
use crate::data::Folder;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Well,
    /// It works, and something about it is to be known.
    Warn,
    /// Something does not work, or is not safe.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What.
    pub what: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// What to do about it, when it is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn well(what: impl Into<String>, found: impl Into<String>) -> Self {
        Finding { what: what.into(), verdict: Verdict::Well, found: found.into(), fix: None }
    }

    /// To be known.
    pub fn warn(what: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding { what: what.into(), verdict: Verdict::Warn, found: found.into(), fix: Some(fix.into()) }
    }

    /// Not working, or not safe.
    pub fn wrong(what: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Finding { verdict: Verdict::Wrong, ..Finding::warn(what, found, fix) }
    }
}

/// Looks at everything. The exit code is 1 when something is wrong, 0 otherwise.
///
/// # Errors
/// Nobody says where the platform is.
pub async fn run(args: cli::Doctor) -> Result<ExitCode> {
    let place = Place::of(&args.servers);
    let folder = Folder::at(&args.servers.data.data);
    let own = args.servers.beyond_env().nats_url.is_none();
    let mut findings = log::look(&place, &args, own.then_some(&folder)).await;
    findings.extend(rows::look(&place).await);
    if own {
        findings.extend(on_this_machine(&folder).await);
    }
    print(&findings, args.json)?;
    let worst = findings.iter().map(|finding| finding.verdict).max();
    Ok(if worst == Some(Verdict::Wrong) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(findings: &[Finding], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(findings)?);
        return Ok(());
    }
    for Finding { what, verdict, found, fix } in findings {
        let mark = match verdict {
            Verdict::Well => "ok   ",
            Verdict::Warn => "warn ",
            Verdict::Wrong => "WRONG",
        };
        println!("{mark}  {what:<28}  {found}");
        if let Some(fix) = fix {
            println!("       {:<28}  → {fix}", "");
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    println!("\n{} looked at, {} wrong, {} to be known", findings.len(), count(Verdict::Wrong), count(Verdict::Warn));
    Ok(())
}

/// What only the `up` of this folder has: a gateway, keys in files, a disk.
async fn on_this_machine(folder: &Folder) -> Vec<Finding> {
    let mut findings = vec![master_key(&folder.path("keys/master.key"))];
    findings.extend(disk(&folder.path("")));
    if let Ok(running) = folder.running() {
        findings.push(gateway(&running.url).await);
    }
    findings
}

async fn gateway(url: &str) -> Finding {
    let what = "gateway";
    let fix = "look at the log of `reprise up`; /readyz names the part that is not well";
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap_or_default();
    match client.get(format!("{url}/readyz")).send().await {
        Ok(answer) if answer.status().is_success() => Finding::well(what, format!("{url} is ready")),
        Ok(answer) => Finding::wrong(what, format!("{url}/readyz answers {}", answer.status()), fix),
        Err(_) => Finding::wrong(what, format!("{url} does not answer"), fix),
    }
}

fn master_key(file: &Path) -> Finding {
    use std::os::unix::fs::PermissionsExt;
    let what = "master key";
    let name = file.display();
    match std::fs::metadata(file) {
        Ok(found) if found.permissions().mode() & 0o077 == 0 => {
            Finding::well(what, format!("{name}, for its owner only; keep a copy elsewhere"))
        }
        Ok(_) => Finding::wrong(what, format!("others can read {name}"), format!("chmod 600 {name}")),
        Err(_) => Finding::warn(
            what,
            format!("{name} is not there"),
            "fine when REPRISE_MASTER_KEY_FILE names another; otherwise restore it from its copy: without it nobody's data can be read",
        ),
    }
}

/// Free space where the log grows.
fn disk(folder: &Path) -> Option<Finding> {
    let output = Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let free: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    let found = format!("{:.1} GB free for {}", free as f64 / 1e6, folder.display());
    let fix = "make room: a log that cannot grow refuses commands with 503";
    Some(match free {
        0..1_000_000 => Finding::wrong("disk", found, fix),
        1_000_000..5_000_000 => Finding::warn("disk", found, fix),
        _ => Finding::well("disk", found),
    })
}
