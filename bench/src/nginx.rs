//! An nginx that serves a folder as the one of a distribution does: `sendfile`, a worker for each core, no log.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::children::{Running, Scratch, free_address};

/// A running nginx.
pub struct Nginx {
    /// Where it answers.
    pub address: SocketAddr,
    /// What it says it is.
    pub version: String,
    _running: Running,
    // removed after the process has stopped: fields are dropped in order
    _folder: Scratch,
}

impl Nginx {
    /// Starts it on the files in `root`.
    ///
    /// # Errors
    /// It is not on this machine, or does not start.
    pub async fn start(root: &Path, folder: Scratch) -> Result<Self> {
        let program = find()?;
        let said = Command::new(&program).arg("-v").output().context("nginx -v")?;
        let version = String::from_utf8_lossy(&said.stderr).trim().replace("nginx version: ", "");
        let (address, place) = (free_address()?, folder.0.canonicalize()?);
        let file = place.join("nginx.conf");
        std::fs::write(&file, setting(address, &root.canonicalize()?, &place))?;
        let log = place.join("nginx.log");
        let mut command = Command::new(program);
        command.arg("-p").arg(&place).arg("-c").arg(&file).arg("-e").arg(&log);
        let mut running = Running::start(&mut command, &place.join("nginx.out"))?;
        running.ready(address, &log, Duration::from_secs(10)).await?;
        Ok(Nginx { address, version, _running: running, _folder: folder })
    }
}

/// In `.tools`, where `scripts/fetch --for-bench` puts it, or in the path.
fn find() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let folders = [PathBuf::from(".tools")].into_iter().chain(std::env::split_paths(&path)).chain(system);
    let mut places = folders.map(|folder| folder.join("nginx"));
    match places.find(|place| place.is_file()) {
        Some(place) => Ok(std::path::absolute(place)?),
        None => bail!("there is no nginx to compare with: run scripts/fetch --for-bench, or install it"),
    }
}

fn setting(address: SocketAddr, root: &Path, place: &Path) -> String {
    let (root, place) = (root.display(), place.display());
    // workers of a root's nginx would be somebody else, who may not read what only we may
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary.iter().map(|name| format!("{name}_temp_path {place}/{name};\n")).collect();
    format!(
        "daemon off;
{user}
worker_processes auto;
pid {place}/nginx.pid;
events {{ worker_connections 768; }}
http {{
{temporary}
access_log off;
sendfile on;
tcp_nopush on;
keepalive_requests 1000000000;
keepalive_timeout 600s;
types {{ video/iso.segment m4s; }}
server {{
listen {address};
root {root};
location = /readyz {{ return 200; }}
}}
}}
"
    )
}
