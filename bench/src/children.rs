//! Child processes, stopped and reaped whatever happens to the one that started them.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::http::{Connection, request};

/// A running child. Dropping it asks it to stop, waits, and kills it if it does not.
pub struct Running {
    child: Child,
    what: String,
}

impl Running {
    /// Starts a child that writes what it says to the file `log`.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let what = command.get_program().to_string_lossy().into_owned();
        let out = File::create(log).with_context(|| format!("create {}", log.display()))?;
        command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out);
        let child = command.spawn().with_context(|| format!("start {what}"))?;
        Ok(Running { child, what })
    }

    /// Waits until `/readyz` answers 200.
    pub async fn ready(&mut self, address: SocketAddr, log: &Path, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        while !is_ready(address).await {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}: {}", self.what, tail(log));
            }
            if Instant::now() > deadline {
                bail!("{} is not ready after {} s: {}", self.what, within.as_secs(), tail(log));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Resident memory of this process alone, in MB (10^6 bytes).
    pub fn megabytes(&self) -> Result<f64> {
        let pid = self.child.id();
        if let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
            let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
            return Ok(kib * 1024.0 / 1e6);
        }
        let out = Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output()?;
        Ok(String::from_utf8(out.stdout)?.trim().parse::<f64>()? * 1024.0 / 1e6)
    }

    /// Seconds of processor time so far; `None` where `/proc` does not tell.
    pub fn processor_seconds(&self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let after_name = stat.rsplit_once(')')?.1;
        let ticks: Vec<f64> = after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
        // a hundred a second on every Linux
        Some(ticks.iter().sum::<f64>() / 100.0)
    }

    fn stop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // fails only when it has ended already
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + Duration::from_secs(40);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            eprintln!("{} did not stop when asked to and is killed", self.what);
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An address on which nothing listens now.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A folder that is removed when dropped.
pub struct Scratch(pub std::path::PathBuf);

impl Scratch {
    /// Makes the folder, empty.
    pub fn new(path: std::path::PathBuf) -> Result<Self> {
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut connection) = Connection::open(address).await else { return false };
    let question = request("GET", "/readyz", "", "");
    let asked = connection.exchange(&question);
    matches!(tokio::time::timeout(Duration::from_secs(2), asked).await, Ok(Ok(answer)) if answer.status == 200)
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(15).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
