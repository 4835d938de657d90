//! The two that are measured, each a process of its own: the platform as `reprise up` starts it, and the baseline beside
//! it on the platform's own Postgres.

use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::children::{self, Scratch, free_address};
use crate::fill::Running;

/// How the platform makes things durable, and how Postgres does for the same promise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Every acknowledged message is on disk.
    Always,
    /// The disk follows within the server's interval.
    Interval,
}

impl Sync {
    /// The word for `--sync`.
    pub fn word(self) -> &'static str {
        if self == Sync::Always { "always" } else { "interval" }
    }

    /// The word for Postgres' `synchronous_commit`.
    pub fn commit(self) -> &'static str {
        if self == Sync::Always { "on" } else { "off" }
    }
}

/// A running platform with a data folder of its own.
pub struct Platform {
    running: Option<children::Running>,
    /// Where it answers.
    pub address: SocketAddr,
    /// From the start of the process to the first 200 of `/readyz`.
    pub start: Duration,
    sync: Sync,
    reprise: PathBuf,
    data: PathBuf,
    /// Where its mails go; to files without one.
    mails: Option<SocketAddr>,
    // removed after the process has stopped: fields are dropped in order
    _scratch: Scratch,
}

impl Platform {
    /// Starts a platform on an empty folder.
    pub async fn start(reprise: &Path, folder: PathBuf, sync: Sync, mails: Option<SocketAddr>) -> Result<Self> {
        let scratch = Scratch::new(folder)?;
        let data = scratch.0.join("data");
        let address = free_address()?;
        let (reprise, start) = (reprise.to_owned(), Duration::ZERO);
        let mut platform = Platform { running: None, address, start, sync, reprise, data, mails, _scratch: scratch };
        platform.restart().await?;
        Ok(platform)
    }

    /// Stops it, and starts it again on the same data.
    pub async fn restart(&mut self) -> Result<()> {
        self.running = None;
        let log = self.data.with_file_name("reprise.log");
        let mut command = Command::new(&self.reprise);
        command.arg("up").arg("--data").arg(&self.data).args(["--listen", &self.address.to_string()]);
        command.args(["--sync", self.sync.word()]);
        command.env("REPRISE_RATE_LIMITS", "off").env("REPRISE_PASSWORD_POLICY", "basic");
        command.envs(self.mails.map(|server| ("REPRISE_SMTP_URL", format!("smtp://{server}"))));
        let begin = Instant::now();
        let mut running = children::Running::start(&mut command, &log)?;
        running.ready(self.address, &log, Duration::from_secs(120)).await?;
        self.start = begin.elapsed();
        self.running = Some(running);
        Ok(())
    }

    /// Resident memory of the platform's process, without its nats-server and Postgres, in MB.
    pub fn megabytes(&self) -> Result<f64> {
        self.running.as_ref().context("not running")?.megabytes()
    }

    /// Waits until it has nothing left to do, and says how many seconds that took: projections and reactions go on
    /// after the last outcome, and must not be paid for by whoever is measured next.
    pub async fn quiet(&self) -> Result<f64> {
        let running = self.running.as_ref().context("not running")?;
        let (begin, pause) = (Instant::now(), Duration::from_millis(200));
        let mut idle = 0;
        while idle < 2 {
            let before = running.processor_seconds();
            tokio::time::sleep(pause).await;
            let Some(spent) = running.processor_seconds().zip(before).map(|(after, before)| after - before) else {
                tokio::time::sleep(Duration::from_secs(3)).await;
                return Ok(begin.elapsed().as_secs_f64());
            };
            idle = if spent <= 0.1 * pause.as_secs_f64() { idle + 1 } else { 0 };
            ensure!(begin.elapsed() < Duration::from_secs(120), "still busy two minutes after the last command");
        }
        // the quiet that it takes to notice is not part of it
        Ok((begin.elapsed() - 2 * pause).as_secs_f64())
    }

    /// Runs another role of the binary against it, and gives what it printed.
    pub async fn ask(&self, arguments: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::new(&self.reprise);
        let out = command.args(arguments).arg("--data").arg(&self.data).kill_on_drop(true).output().await?;
        let (said, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        ensure!(out.status.success(), "reprise {} ended with {}: {said}{errors}", arguments.join(" "), out.status);
        Ok(said.into_owned())
    }

    /// The address of its Postgres for the owner, who may write.
    pub fn owner_url(&self) -> Result<String> {
        Running::read(&self.data)?.databases.remove("owner").context("the owner's database address")
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A hasher with the parameters that the platform hashes passwords with.
    pub async fn hasher(&self) -> Result<argon2::Argon2<'static>> {
        let owner = sqlx::PgPool::connect(&self.owner_url()?).await?;
        let sql = "select hash from vault.account limit 1";
        let stored: String = sqlx::query_scalar(sql).fetch_one(&owner).await?;
        crate::figures::registration::hasher(&stored)
    }

    /// How durable it is.
    pub fn sync(&self) -> Sync {
        self.sync
    }
}

/// A running baseline.
pub struct Baseline {
    /// Where it answers.
    pub address: SocketAddr,
    /// Its connections to Postgres.
    pub pool: u32,
    _running: children::Running,
}

impl Baseline {
    /// Starts it on the platform's Postgres, as durable as the platform is.
    pub async fn start(platform: &Platform, database_url: &str, pool: u32) -> Result<Self> {
        let address = free_address()?;
        let log = platform.data.with_file_name("baseline.log");
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("baseline").args(["--listen", &address.to_string(), "--pool", &pool.to_string()]);
        command.args(["--platform", &platform.address.to_string()]);
        command.args(["--synchronous-commit", platform.sync.commit()]);
        command.env("BENCH_DATABASE_URL", database_url);
        let mut running = children::Running::start(&mut command, &log)?;
        running.ready(address, &log, Duration::from_secs(30)).await?;
        Ok(Baseline { address, pool, _running: running })
    }
}
