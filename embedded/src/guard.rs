//! A child under a guard: a few lines of shell that hold the other end of our pipe. When the pipe closes, because we
//! stop it or because we were killed, the guard stops the child, first politely, then not.

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `$1` the signal that asks politely, `$2` a folder to remove when we die without a word (or nothing), then the
/// command. A word on the pipe means that we end in order and care for the folder ourselves.
const GUARD: &str = r#"
signal=$1; scratch=$2; shift 2
exec 3<&0 </dev/null
"$@" >&2 3<&- &
child=$!
echo "$child"
exec >/dev/null
(
  read -r word <&3
  trap '' TERM
  kill "-$signal" "$child"
  n=0
  while kill -0 "$child" && [ $n -lt 200 ]; do n=$((n + 1)); sleep 0.05; done
  [ $n -lt 200 ] || kill -KILL "$child"
  [ -n "$word" ] || [ -z "$scratch" ] || { sleep 0.3; rm -rf "$scratch"; }
) 2>/dev/null 3<&3 &
watch=$!
exec 3<&-
wait "$child"
code=$?
kill "$watch" 2>/dev/null
wait "$watch" 2>/dev/null
exit $code
"#;

const GRACE: Duration = Duration::from_secs(12);

/// Whom a child runs as, when not as ourselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub uid: u32,
    pub gid: u32,
}

/// What to run.
pub(crate) struct Spec<'a> {
    pub program: &'a Path,
    pub args: Vec<OsString>,
    /// Defaults for the environment: what is set already counts.
    pub env: &'a [(&'a str, &'a str)],
    pub log: &'a Path,
    pub signal: &'static str,
    pub user: Option<User>,
    pub scratch: Option<&'a Path>,
}

/// A running child and its guard.
pub(crate) struct Guarded {
    guard: Child,
    pipe: Option<ChildStdin>,
    pid: Pid,
}

impl Guarded {
    pub fn spawn(spec: &Spec<'_>) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(spec.log);
        let log: File = log.with_context(|| format!("cannot write {}", spec.log.display()))?;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(GUARD).arg("guard").arg(spec.signal).arg(spec.scratch.unwrap_or(Path::new("")));
        command.arg(spec.program).args(&spec.args);
        command.envs(spec.env.iter().filter(|(name, _)| std::env::var_os(name).is_none()).copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).process_group(0);
        if let Some(User { uid, gid }) = spec.user {
            command.uid(uid).gid(gid).current_dir("/");
        }
        let mut guard = command.spawn().with_context(|| format!("cannot start {}", spec.program.display()))?;
        let pipe = guard.stdin.take();
        let mut line = String::new();
        let told = BufReader::new(guard.stdout.take().expect("it was piped")).read_line(&mut line);
        let pid = told.ok().and_then(|_| Pid::from_raw(line.trim().parse().ok()?));
        let Some(pid) = pid else { bail!("cannot start {}\n{}", spec.program.display(), last_lines(spec.log)) };
        Ok(Guarded { guard, pipe, pid })
    }

    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.guard.try_wait(), Ok(None))
    }

    /// Asks it to stop and waits until it has; after ten seconds it is killed.
    pub fn stop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // fails only when the guard is gone already, which is what we want
            let _ = pipe.write_all(b"stop\n");
        }
        self.gone_within(GRACE);
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.gone_within(GRACE);
    }

    /// Sends a signal to the child, while it runs.
    pub fn signal(&mut self, signal: Signal) {
        if self.is_running() {
            // the guard has not reaped it, so the number is still its own
            let _ = kill_process(self.pid, signal);
        }
    }

    fn gone_within(&mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.is_running() && Instant::now() < deadline {
            sleep(Duration::from_millis(5));
        }
        if self.is_running() {
            let _ = kill_process(self.pid, Signal::KILL);
            let _ = self.guard.kill();
            let _ = self.guard.wait();
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ends what an earlier run of ours left behind: the process in `pid_file`, if its command line still names `dir`.
pub(crate) fn end_leftover(pid_file: &Path, dir: &Path) {
    let text = fs::read_to_string(pid_file).unwrap_or_default();
    let Some(pid) = text.lines().next().and_then(|line| Pid::from_raw(line.trim().parse().ok()?)) else { return };
    let ours = |pid| command_line(pid).is_some_and(|line| line.contains(&*dir.to_string_lossy()));
    let deadline = Instant::now() + GRACE;
    if !ours(pid) {
        return;
    }
    tracing::warn!(process.pid = pid.as_raw_nonzero().get(), "a server from an earlier run is still there, ending it");
    let _ = kill_process(pid, Signal::INT);
    while ours(pid) {
        if Instant::now() > deadline {
            let _ = kill_process(pid, Signal::KILL);
        }
        sleep(Duration::from_millis(10));
    }
}

/// With which words `pid` was started; `None` when there is no such process (any more).
fn command_line(pid: Pid) -> Option<String> {
    let number = pid.as_raw_nonzero().get();
    if Path::new("/proc/self/cmdline").exists() {
        let raw = fs::read(format!("/proc/{number}/cmdline")).ok()?;
        return (!raw.is_empty()).then(|| String::from_utf8_lossy(&raw).replace('\0', " "));
    }
    let output = Command::new("ps").args(["-ww", "-o", "command=", "-p", &number.to_string()]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The end of a log, for an error message.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines[lines.len().saturating_sub(12)..].join("\n  ");
    format!("the end of {}:\n  {shown}", log.display())
}

/// Waits until `ready` says so; fails with the end of the log when the child ends first, or after `limit`.
pub(crate) fn wait_ready(
    child: &mut Guarded,
    log: &Path,
    limit: Duration,
    mut ready: impl FnMut() -> bool,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        if ready() {
            return Ok(());
        }
        if !child.is_running() {
            bail!("it ended while starting; {}", last_lines(log));
        }
        if Instant::now() > deadline {
            bail!("it was not ready after {} s; {}", limit.as_secs(), last_lines(log));
        }
        sleep(Duration::from_millis(5));
    }
}

/// `path` with every link followed, so that it reads the same in a command line.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("cannot use {}", path.display()))
}
