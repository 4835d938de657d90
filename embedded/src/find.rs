//! Where the two servers are on this machine, and the scripts of pages. Nothing is downloaded here: that is `scripts/fetch`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that is not on this machine: what, where it was looked for, what to do.
#[derive(Debug)]
pub struct Missing {
    what: &'static str,
    places: Vec<PathBuf>,
    hint: &'static str,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} is not here", self.what)?;
        for place in &self.places {
            writeln!(f, "  looked for {}", place.display())?;
        }
        write!(f, "  {}", self.hint)
    }
}

impl std::error::Error for Missing {}

/// `nats-server`: `REPRISE_NATS_SERVER`, else `.tools/` beside the workspace, the program or here, else `PATH`.
///
/// # Errors
/// It is in none of these places.
pub fn nats_server() -> Result<PathBuf, Missing> {
    let hint = "run scripts/fetch, or install nats-server 2.15.1 or newer and set REPRISE_NATS_SERVER to it";
    let mut places: Vec<PathBuf> = vec![];
    match env::var_os("REPRISE_NATS_SERVER") {
        Some(given) => places.push(given.into()),
        None => {
            places.extend(homes().into_iter().map(|home| home.join(".tools/nats-server")));
            places.extend(path().into_iter().map(|folder| folder.join("nats-server")));
        }
    }
    match places.iter().find(|place| place.is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(Missing { what: "nats-server", places, hint }),
    }
}

/// The folder with `initdb` and `postgres`: `REPRISE_PG_BIN`, else the newest of the system's packages, else `PATH`.
///
/// # Errors
/// It is in none of these places.
pub fn postgres_bin() -> Result<PathBuf, Missing> {
    let hint = "run scripts/fetch, or install Postgres 15 or newer and set REPRISE_PG_BIN to its bin folder; \
                or give a running one with DATABASE_URL";
    let mut places: Vec<PathBuf> = vec![];
    match env::var_os("REPRISE_PG_BIN") {
        Some(given) => places.push(given.into()),
        None => {
            for (folder, prefix) in [
                ("/usr/lib/postgresql", ""),
                ("/opt/homebrew/opt", "postgresql@"),
                ("/usr/local/opt", "postgresql@"),
                ("/usr", "pgsql-"),
            ] {
                places.extend(newest_first(Path::new(folder), prefix));
            }
            places.extend(path());
        }
    }
    match places.iter().find(|place| place.join("initdb").is_file() && place.join("postgres").is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(Missing { what: "Postgres", places, hint }),
    }
}

/// The folder with the scripts of pages that are not ours: `.tools/web` beside the workspace, the program or here, or where
/// the image has them. Nothing when they were not fetched: pages then do what a browser can do alone.
pub fn web() -> Option<PathBuf> {
    let places = homes().into_iter().map(|home| home.join(".tools/web"));
    places.chain([PathBuf::from("/usr/local/share/reprise/web")]).find(|place| place.join("hls.js").is_file())
}

/// The major version of the Postgres in `bin`; `None` when it does not say.
pub fn postgres_major(bin: &Path) -> Option<u32> {
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().nth(2)?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Folders whose `.tools` may hold the server: the workspace this was built in, and around where the program lies.
fn homes() -> Vec<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf);
    let program = env::current_exe().ok();
    let around = program.iter().flat_map(|at| at.ancestors().skip(1).take(4)).map(Path::to_path_buf);
    workspace.into_iter().chain(env::current_dir().ok()).chain(around).collect()
}

fn path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|all| env::split_paths(&all).collect()).unwrap_or_default()
}

/// `bin` of every `<prefix><number>` in `folder`, the greatest number first.
fn newest_first(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    versions.into_iter().map(|(_, bin)| bin).collect()
}
