//! Clients in JavaScript: scripts of `tests/js`, with the packages that `scripts/fetch --for-tests` has fetched for them.

use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// How long a script may say nothing.
const PATIENCE: Duration = Duration::from_secs(150);

/// `tests/js/<package>/<name>.cjs`, ready to run.
pub fn node(package: &str, name: &str) -> std::process::Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let modules = root.join(".tools/js").join(package).join("node_modules");
    assert!(modules.is_dir(), "{} is not there: run scripts/fetch --for-tests", modules.display());
    let script = root.join("tests/js").join(package).join(name).with_extension("cjs");
    let mut command = std::process::Command::new("node");
    command.arg(script).env("NODE_PATH", modules);
    command
}

/// A script that runs, killed when this is dropped.
pub struct Script {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Script {
    /// Runs `tests/js/<package>/<name>.cjs`.
    pub fn run(package: &str, name: &str, arguments: &[&str]) -> Script {
        let mut command = Command::from(node(package, name));
        command.args(arguments).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("node runs: scripts/fetch --for-tests sees to it");
        let lines = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        Script { child, lines }
    }

    /// The next thing that it says.
    pub async fn says(&mut self) -> Value {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a script says something in time");
        match line.expect("text") {
            Some(line) => serde_json::from_str(&line).unwrap_or_else(|_| panic!("a script says {line}")),
            None => panic!("a script ended: {}", self.complaints().await),
        }
    }

    async fn complaints(&mut self) -> String {
        let mut said = String::new();
        if let Some(errors) = &mut self.child.stderr {
            drop(errors.read_to_string(&mut said).await);
        }
        said
    }
}
