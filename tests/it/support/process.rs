//! Processes that a test starts: found by the folder they work in, so that none outlives its test.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The program under test.
pub const REPRISE: &str = env!("CARGO_BIN_EXE_reprise");

/// A running program whose output goes to a file, and who is killed when dropped.
pub struct Running {
    /// The program.
    pub child: Child,
    /// Where it writes, standard output and error together.
    pub output: PathBuf,
}

impl Running {
    /// Starts `command`, writing to `output`.
    pub fn start(command: &mut Command, output: PathBuf) -> Running {
        let file = File::options().create(true).append(true).open(&output).expect("the output file can be written");
        let copy = file.try_clone().expect("a file handle can be copied");
        let child = command.stdin(Stdio::null()).stdout(file).stderr(copy).spawn().expect("the program can be started");
        Running { child, output }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// kill -9.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM; answers how it ended and after how long, or nothing when it was still there after `limit`.
    pub fn terminate(&mut self, limit: Duration) -> Option<(ExitStatus, Duration)> {
        signal(self.pid(), Signal::TERM);
        self.ended(limit)
    }

    /// Waits until it has ended.
    pub fn ended(&mut self, limit: Duration) -> Option<(ExitStatus, Duration)> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return Some((status, start.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// The last lines it wrote.
    pub fn tail(&self) -> String {
        tail(&self.output, 60)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last `lines` of a file.
pub fn tail(file: &Path, lines: usize) -> String {
    let text = String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned();
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Sends a signal; a process that is gone already is no error.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// A port nobody listens on at the moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// What is known of a process of this machine.
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's.
    pub parent: u32,
    /// How it was called.
    pub line: String,
}

/// All processes of this machine that are not zombies.
pub fn processes() -> Vec<Process> {
    let listing = Command::new("ps").args(["-A", "-o", "pid=,ppid=,stat=,command="]).output().expect("ps is installed");
    let text = String::from_utf8_lossy(&listing.stdout).into_owned();
    text.lines().filter_map(process).collect()
}

fn process(line: &str) -> Option<Process> {
    let mut words = line.split_whitespace();
    let (pid, parent, state) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
    let line = words.collect::<Vec<_>>().join(" ");
    (!state.starts_with('Z')).then_some(Process { pid, parent, line })
}

/// The ids of everything that descends from `root`.
pub fn descendants(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for process in processes() {
        children.entry(process.parent).or_default().push(process.pid);
    }
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        found.extend(children.remove(&found[next]).unwrap_or_default());
        next += 1;
    }
    found.split_off(1)
}

/// The processes that were started on something in `folder`.
pub fn working_in(folder: &Path) -> Vec<Process> {
    let folder = folder.to_string_lossy().into_owned();
    processes().into_iter().filter(|process| process.line.contains(&folder)).collect()
}

/// Kills what still works in `folder`: a database that lost its parent, for example.
pub fn kill_all_in(folder: &Path) {
    for process in working_in(folder).iter().filter(|process| process.pid != std::process::id()) {
        signal(process.pid, Signal::KILL);
    }
}
