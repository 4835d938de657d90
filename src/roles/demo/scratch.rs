//! A platform for one demo: another process of this program on an empty folder and free ports, gone afterwards.

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

use crate::cli::Data;
use crate::data::Folder;
use crate::roles::probe;

/// Stopped and removed when dropped.
pub struct Platform {
    child: Child,
    folder: TempDir,
}

impl Platform {
    /// Starts one and waits until it is ready.
    pub async fn start() -> Result<Self> {
        // the user of Postgres must be able to pass
        let passable = Permissions::from_mode(0o711);
        let folder = tempfile::Builder::new().prefix("reprise-demo-").permissions(passable).tempdir()?;
        let log = File::create(folder.path().join("log"))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("up").arg("--data").arg(folder.path().join("data"));
        command.args(["--listen", &format!("127.0.0.1:{}", embedded::free_port())]);
        for name in [
            "NATS_URL",
            "DATABASE_URL",
            "REPRISE_PUBLIC_URL",
            "REPRISE_SMTP_URL",
            "REPRISE_TWILIO_SID",
            "REPRISE_TWILIO_TOKEN",
            "REPRISE_TWILIO_FROM",
            "REPRISE_NKEY",
            "REPRISE_KEYS_DIR",
        ] {
            command.env_remove(name);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        let mut platform = Platform { child, folder };
        platform.ready().await?;
        Ok(platform)
    }

    async fn ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !self.is_ready().await {
            if self.child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!(
                    "the platform of the demo does not start:\n{}",
                    std::fs::read_to_string(self.folder.path().join("log"))?
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn is_ready(&self) -> bool {
        let Ok(running) = Folder::at(&self.data().data).running() else { return false };
        probe::run(format!("{}/readyz", running.url)).await.is_ok()
    }

    /// Its data folder.
    pub fn data(&self) -> Data {
        Data { data: self.folder.path().join("data") }
    }

    /// Stops it in order.
    pub async fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process has an id")?;
        kill_process(pid, Signal::TERM)?;
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "the platform of the demo does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // its children end by themselves once it is gone
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
