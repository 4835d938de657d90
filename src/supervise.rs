//! Running until told to stop: signals, roles that are started again when they fail, servers that are when they die.

use anyhow::{Result, anyhow};
use embedded::{Nats, Postgres};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A log that has taken nothing for this long does not get better by itself.
const REFUSING: Duration = Duration::from_secs(8);
/// With less room than this, starting anew would not help, in bytes.
const ROOM: usize = 8 << 20;
/// What ran this long was well: the next failure is a first one.
const WELL: Duration = Duration::from_secs(60);

/// A token that is cancelled by the first SIGINT or SIGTERM. The second ends the process where it is.
///
/// # Errors
/// The system gives no signals.
pub fn stop_on_signal() -> Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stop = token.clone();
    tokio::spawn(async move {
        for patience in [true, false] {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            if patience {
                tracing::info!("stopping");
                stop.cancel();
            }
        }
        std::process::exit(130);
    });
    Ok(token)
}

/// Lets this process have as many files open as the system allows: every socket is one.
pub fn allow_many_files() {
    let most = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Runs a role until `stop`, again and again when it fails, each time after a longer pause.
pub async fn keep<F, R>(role: &'static str, stop: CancellationToken, run: F)
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = Result<()>> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let began = Instant::now();
        let ended = tokio::spawn(run()).await.unwrap_or_else(|panic| Err(anyhow!("{panic}")));
        if stop.is_cancelled() {
            if let Err(error) = ended {
                tracing::warn!(role, error = format!("{error:#}"), "did not stop in order");
            }
            return;
        }
        let why = ended.err().map_or("it ended by itself".into(), |error| format!("{error:#}"));
        pause = if began.elapsed() > WELL { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        tracing::error!(role, error = why, pause_ms = pause.as_millis() as u64, "a role failed and starts again");
        metrics::counter!("reprise_role_restarts_total", "role" => role).increment(1);
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(pause) => {} }
    }
}

/// A server of our own that can die and be brought back.
pub trait Server: Send + 'static {
    /// What it is called in messages.
    const NAME: &'static str;
    /// Whether its process is there.
    fn is_running(&mut self) -> bool;
    /// Whether it is of any use: some go on refusing what they could do again, until they are started anew.
    fn is_well(&self) -> bool {
        true
    }
    /// Brings it back on the same port and data.
    ///
    /// # Errors
    /// It does not start.
    fn restart(&mut self) -> Result<()>;
    /// Stops it in order.
    fn stop(&mut self);
}

impl Server for Nats {
    const NAME: &'static str = "nats-server";
    fn is_running(&mut self) -> bool {
        Nats::is_running(self)
    }
    fn is_well(&self) -> bool {
        let refusing = nats::refusing().is_some_and(|time| time > REFUSING);
        !refusing || !has_room(self.dir())
    }
    fn restart(&mut self) -> Result<()> {
        nats::forget_refusals();
        Nats::restart(self)
    }
    fn stop(&mut self) {
        Nats::stop(self);
    }
}

impl Server for Postgres {
    const NAME: &'static str = "postgres";
    fn is_running(&mut self) -> bool {
        Postgres::is_running(self)
    }
    fn restart(&mut self) -> Result<()> {
        Postgres::restart(self)
    }
    fn stop(&mut self) {
        Postgres::stop(self);
    }
}

/// Whether a file of some size fits into the folder.
fn has_room(folder: &Path) -> bool {
    let file = folder.join("room");
    let fits = std::fs::write(&file, vec![0; ROOM]).is_ok();
    let _ = std::fs::remove_file(&file);
    fits
}

/// A server that is looked after by a thread of its own; dropped, it is stopped.
pub struct Kept {
    // never used: that it goes away is the message
    until: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Kept {
    /// Looks after `server` from now on.
    pub fn new<S: Server>(mut server: S) -> Self {
        let (until, gone) = channel();
        let thread = std::thread::spawn(move || {
            let mut pause = FIRST_PAUSE;
            while gone.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                if server.is_running() && server.is_well() {
                    pause = FIRST_PAUSE;
                    continue;
                }
                tracing::error!(server = S::NAME, "a server died, or refuses everything, and starts again");
                metrics::counter!("reprise_server_restarts_total", "server" => S::NAME).increment(1);
                if let Err(error) = server.restart() {
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    tracing::error!(server = S::NAME, error = format!("{error:#}"), "a server does not come back");
                }
            }
            server.stop();
        });
        Kept { until: Some(until), thread: Some(thread) }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.until.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
