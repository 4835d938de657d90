//! One run of a tool: in a process group of its own, bounded from outside, and never left behind. Whoever drops the
//! future, cancels it or lets it fail ends the whole group.

use rustix::process::{Pid, Signal, kill_process_group, setpriority_pgrp};
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::failure::last_words;
use crate::limits::{Limits, cores};
use crate::{Failure, Stopped};

/// What to run.
pub(crate) struct Job<'a> {
    pub program: &'a Path,
    pub args: Vec<OsString>,
    /// Where it runs and the only place it writes to; `None` for a tool that only reads.
    pub folder: Option<&'a Path>,
    pub source: &'a Path,
    pub time: Duration,
    /// It says how far it is; when it stops doing so it is stuck.
    pub reports: bool,
}

/// What a line of a tool meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It got further.
    Progress,
    /// Anything else.
    Nothing,
}

/// Bytes of the tool's complaints that are kept; enough for the last words after the path is taken out.
const KEPT: usize = 8192;

/// Runs the tool to its end and gives every line that it prints to `hear`, whose failure ends it.
pub(crate) async fn run(
    limits: &Limits,
    job: Job<'_>,
    stop: &CancellationToken,
    hear: impl FnMut(&str) -> Result<Heard, Failure> + Send,
) -> Result<(), Stopped> {
    if stop.is_cancelled() {
        return Err(Stopped::Cancelled);
    }
    let started = Instant::now();
    let mut running = Running::spawn(limits, &job)?;
    let followed = running.follow(limits, &job, stop, hear).await;
    if followed.is_err() {
        running.end().await;
    }
    tracing::debug!(
        program = %job.program.display(),
        duration_ms = started.elapsed().as_millis() as u64,
        done = followed.is_ok(),
        "a tool ended"
    );
    followed
}

/// A child that is killed when this is dropped.
struct Running {
    child: Child,
    /// `None` once it has been waited for: the number may be another's then.
    group: Option<Pid>,
}

impl Running {
    fn spawn(limits: &Limits, job: &Job<'_>) -> Result<Self, Failure> {
        let mut command = Command::new(job.program);
        command.args(&job.args).current_dir(job.folder.unwrap_or(Path::new("/"))).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_clear().envs(["PATH", "LANG"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        // each arena reserves 64 MiB of the address space that is bounded below
        command.env("MALLOC_ARENA_MAX", "4");
        let child = command.spawn().map_err(|error| {
            let what = format!("cannot start {}: {error}", job.program.display());
            Failure::tool().with_tail(what)
        })?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let running = Running { child, group };
        // it has only just begun; not running it at all is better than running it without limits
        if let Some(group) = group {
            // fails when we are nicer ourselves already, which is as well
            let _ = setpriority_pgrp(Some(group), i32::from(limits.niceness.min(19)));
            bound(group, limits, job.time)
                .map_err(|error| Failure::tool().with_tail(format!("cannot bound the tool: {error}")))?;
        }
        Ok(running)
    }

    async fn follow(
        &mut self,
        limits: &Limits,
        job: &Job<'_>,
        stop: &CancellationToken,
        mut hear: impl FnMut(&str) -> Result<Heard, Failure> + Send,
    ) -> Result<(), Stopped> {
        let mut lines = BufReader::new(self.child.stdout.take().expect("it was piped")).lines();
        let mut complaints = self.child.stderr.take().expect("it was piped");
        let (mut said, mut cut, mut chunk) = (Vec::new(), false, [0; 4096]);
        let (mut more_lines, mut more_complaints) = (true, true);
        let mut watch = Watch::new(limits, job);
        let status = loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Stopped::Cancelled),
                () = sleep_until(watch.next) => watch.look(limits, job).await?,
                line = lines.next_line(), if more_lines => match line {
                    Ok(Some(line)) => if hear(&line)? == Heard::Progress { watch.progress = Instant::now() },
                    Ok(None) => more_lines = false,
                    Err(error) => return Err(Failure::of_io(&error).into()),
                },
                read = complaints.read(&mut chunk), if more_complaints => match read {
                    Ok(0) | Err(_) => more_complaints = false,
                    Ok(read) => {
                        said.extend_from_slice(&chunk[..read]);
                        cut |= said.len() > KEPT;
                        said.drain(..said.len().saturating_sub(KEPT));
                    }
                },
                status = self.child.wait(), if !more_lines && !more_complaints => {
                    break status.map_err(|error| Failure::of_io(&error))?;
                }
            }
        };
        self.group = None;
        judge(status, last_words(&said, cut, job.source)).map_err(Stopped::Failed)
    }

    /// Kills it and waits until it is gone, so that its folder can be removed.
    async fn end(&mut self) {
        self.kill();
        if timeout(Duration::from_secs(1), self.child.wait()).await.is_ok() {
            self.group = None;
        }
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            // fails only when it is gone already; it has not been waited for, so the number is still its own
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What is looked at from time to time while a tool runs.
struct Watch {
    deadline: Instant,
    progress: Instant,
    next: Instant,
}

const EVERY: Duration = Duration::from_secs(1);

impl Watch {
    fn new(limits: &Limits, job: &Job<'_>) -> Self {
        let now = Instant::now();
        let deadline = now + job.time;
        Watch { deadline, progress: now, next: deadline.min(now + EVERY.min(limits.stall)) }
    }

    async fn look(&mut self, limits: &Limits, job: &Job<'_>) -> Result<(), Failure> {
        let now = Instant::now();
        if now >= self.deadline {
            return Err(Failure::took_too_long().with_tail(format!("it ran for {} s", job.time.as_secs())));
        }
        if job.reports && now.duration_since(self.progress) >= limits.stall {
            return Err(Failure::took_too_long().with_tail(format!("no progress for {} s", limits.stall.as_secs())));
        }
        if let Some(folder) = job.folder {
            let folder = folder.to_owned();
            let size = tokio::task::spawn_blocking(move || size(&folder)).await.unwrap_or(0);
            if size > limits.output {
                return Err(Failure::output_too_large().with_tail(format!("{size} bytes")));
            }
        }
        // a folder with very many files must not keep a core busy with counting them
        let pause = EVERY.min(limits.stall).max(now.elapsed() * 20);
        self.next = self.deadline.min(Instant::now() + pause);
        Ok(())
    }
}

/// Bytes of all files in a folder; what disappears meanwhile does not count.
pub(crate) fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// What the end of the tool means.
fn judge(status: ExitStatus, words: String) -> Result<(), Failure> {
    let signal = status.signal().map(Signal::from_named_raw);
    match (status.code(), signal) {
        (Some(0), _) => Ok(()),
        (_, Some(Some(Signal::XFSZ))) => Err(Failure::output_too_large().with_tail(words)),
        // ffmpeg catches the signal for used up processor time, and ends with this code
        (_, Some(Some(Signal::XCPU))) | (Some(255), _) => Err(Failure::took_too_long().with_tail(words)),
        (None, _) => Err(Failure::tool().with_tail(format!("{words}\n{status}"))),
        _ => Err(Failure::of_words(words)),
    }
}

#[cfg(target_os = "linux")]
fn bound(pid: Pid, limits: &Limits, time: Duration) -> rustix::io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
    // all cores for all of the time; the clock ends it before, unless we are gone and nobody looks at the clock
    let seconds = time.as_secs().saturating_add(2).saturating_mul(cores() as u64);
    for (resource, soft, hard) in [
        (Resource::As, limits.memory, limits.memory),
        (Resource::Cpu, seconds, seconds.saturating_add(10)),
        (Resource::Fsize, limits.output, limits.output),
        (Resource::Core, 0, 0),
    ] {
        // what we were bounded to ourselves cannot be raised
        let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = Rlimit { current: Some(soft.min(most)), maximum: Some(hard.min(most)) };
        match prlimit(Some(pid), resource, limit) {
            // it has ended already
            Ok(_) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Other systems have no way to bound a process from outside; there only the clock and the folder are watched.
#[cfg(not(target_os = "linux"))]
fn bound(_: Pid, _: &Limits, _: Duration) -> rustix::io::Result<()> {
    let _ = cores;
    Ok(())
}
