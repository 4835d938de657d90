//! A nats-server of our own. Where it listens and stores is said on its command line; everything else is in the
//! configuration it is given.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

use crate::guard::{Guarded, Spec, absolute, end_leftover, wait_ready};
use crate::{find, free_port, is_free};

/// A running nats-server. Dropped: stopped; a scratch one is removed too.
pub struct Nats {
    /// `nats://127.0.0.1:<port>`.
    pub url: String,
    /// The server's own process id.
    pub pid: u32,
    /// The port of [`Nats::url`].
    pub port: u16,
    dir: PathBuf,
    monitor: Option<u16>,
    child: Option<Guarded>,
    scratch: Option<TempDir>,
}

impl Nats {
    /// Starts a server that keeps its configuration, log and streams in `dir`, on a free port.
    ///
    /// # Errors
    /// There is no nats-server on this machine, or it does not start: with the end of its log.
    pub fn start(dir: &Path, config: &str) -> Result<Self> {
        Self::start_on(dir, free_port(), config)
    }

    /// The same on a given port.
    ///
    /// # Errors
    /// As [`Nats::start`].
    pub fn start_on(dir: &Path, port: u16, config: &str) -> Result<Self> {
        let mut server = Self::prepare(dir, port, config)?;
        server.spawn()?;
        server.wait()?;
        Ok(server)
    }

    /// A server for one test: no users, no fsync, gone when dropped.
    ///
    /// # Panics
    /// It does not start.
    pub fn scratch() -> Self {
        Self::scratch_with("max_payload: 8MB\n")
    }

    /// A server for one test with a configuration of its own.
    ///
    /// # Panics
    /// It does not start.
    pub fn scratch_with(config: &str) -> Self {
        let dir = scratch_dir();
        let mut server = Self::prepare(dir.path(), free_port(), config).expect("a scratch nats-server");
        server.scratch = Some(dir);
        server.spawn().expect("a scratch nats-server");
        server.wait().expect("a scratch nats-server");
        server
    }

    /// A cluster of `nodes` servers for one test, ready for streams with as many replicas.
    ///
    /// # Panics
    /// It does not come together within half a minute.
    pub fn cluster(nodes: usize) -> Cluster {
        let routes: Vec<u16> = (0..nodes).map(|_| free_port()).collect();
        let all = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect::<Vec<_>>().join(", ");
        let mut servers: Vec<Nats> = routes
            .iter()
            .enumerate()
            .map(|(n, route)| {
                let dir = scratch_dir();
                let monitor = free_port();
                let config = format!(
                    "server_name: n{n}\nhttp: \"127.0.0.1:{monitor}\"\nmax_payload: 8MB\n\
                     cluster {{ name: scratch, listen: \"127.0.0.1:{route}\", routes: [{all}] }}\n"
                );
                let mut server = Self::prepare(dir.path(), free_port(), &config).expect("a scratch nats-server");
                server.monitor = Some(monitor);
                server.scratch = Some(dir);
                server.spawn().expect("a scratch nats-server");
                server
            })
            .collect();
        for server in &mut servers {
            server.wait().expect("a scratch cluster");
        }
        Cluster { nodes: servers }
    }

    fn prepare(dir: &Path, port: u16, config: &str) -> Result<Self> {
        fs::create_dir_all(dir.join("jetstream")).with_context(|| format!("cannot make {}", dir.display()))?;
        let dir = absolute(dir)?;
        // the block lets `--store_dir` decide where, and keeps whatever the configuration says about streams
        // plans are larger than the disks that are tried on; nothing is taken before there is something to keep
        let block = if config.contains("jetstream") { "" } else { "jetstream { max_file_store: 64GB }\n" };
        fs::write(dir.join("nats-server.conf"), format!("{config}{block}"))
            .with_context(|| format!("cannot write into {}", dir.display()))?;
        let url = format!("nats://127.0.0.1:{port}");
        Ok(Nats { url, pid: 0, port, dir, monitor: None, child: None, scratch: None })
    }

    fn spawn(&mut self) -> Result<()> {
        end_leftover(&self.dir.join("pid"), &self.dir);
        // somebody else's server must not be taken for ours
        ensure!(is_free(self.port), "port {} is in use by another program", self.port);
        let flag = |name: &str| name.into();
        let args = vec![
            flag("--config"),
            self.dir.join("nats-server.conf").into(),
            flag("--addr"),
            flag("127.0.0.1"),
            flag("--port"),
            self.port.to_string().into(),
            flag("--store_dir"),
            self.dir.join("jetstream").into(),
        ];
        // beside us on the same machine: with a thread for each core it spends more time looking for work than working
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)).to_string();
        let spec = Spec {
            program: &find::nats_server()?,
            args,
            // a quarter of the server's time goes into collecting garbage otherwise; the limit keeps the memory bounded
            env: &[("GOGC", "400"), ("GOMEMLIMIT", "1GiB"), ("GOMAXPROCS", &threads)],
            log: &self.log(),
            signal: "TERM",
            user: None,
            scratch: self.scratch.as_ref().map(TempDir::path),
        };
        let child = Guarded::spawn(&spec)?;
        self.pid = child.pid();
        self.child = Some(child);
        fs::write(self.dir.join("pid"), self.pid.to_string())?;
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        let (port, monitor, log) = (self.port, self.monitor, self.log());
        let child = self.child.as_mut().context("it was never started")?;
        let ready = move || match monitor {
            Some(monitor) => healthy(monitor),
            None => greets(port),
        };
        wait_ready(child, &log, Duration::from_secs(30), ready).context("nats-server does not start")
    }

    /// Where it writes its log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("nats-server.log")
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether its process is there.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(Guarded::is_running)
    }

    /// Ends it as `kill -9` does; [`Nats::restart`] brings it back with what it had written.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill();
        }
    }

    /// Stops it in order.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.stop();
        }
    }

    /// Starts it again on the same port and data; one that still runs is stopped first.
    ///
    /// # Errors
    /// It does not start: with the end of its log.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        self.spawn()?;
        self.wait()
    }

    /// Stops its process in its tracks (`true`) or lets it go on (`false`): a server that hangs.
    pub fn freeze(&mut self, still: bool) {
        let signal = if still { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        if let Some(child) = &mut self.child {
            child.signal(signal);
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        match self.scratch {
            Some(_) => self.kill(),
            None => self.stop(),
        }
    }
}

/// Servers that replicate for each other.
pub struct Cluster {
    /// Each of them.
    pub nodes: Vec<Nats>,
}

impl Cluster {
    /// The addresses of all, separated by commas.
    pub fn url(&self) -> String {
        self.nodes.iter().map(|node| node.url.as_str()).collect::<Vec<_>>().join(",")
    }
}

fn scratch_dir() -> TempDir {
    tempfile::Builder::new().prefix("reprise-nats-").tempdir().expect("a folder for temporary files")
}

/// A nats-server speaks first, and only when its streams are there.
fn greets(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut word = [0; 5];
    stream.set_read_timeout(Some(Duration::from_millis(500))).is_ok()
        && stream.read_exact(&mut word).is_ok()
        && &word == b"INFO "
}

/// A member of a cluster is healthy when there is a leader and it has caught up.
fn healthy(monitor: u16) -> bool {
    let ask = || -> Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", monitor))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.contains(" 200 "));
        Ok(())
    };
    ask().is_ok()
}
