//! The embedded default as a stranger starts it: `reprise up` on a folder and ports of its own.

use super::process::{REPRISE, Running, free_port, kill_all_in};
use super::{Answer, Person, Request, eventually, patiently};
use reqwest::Method;
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How a platform is started.
pub struct Setup {
    sync: &'static str,
    variables: BTreeMap<String, String>,
    folder: Option<TempDir>,
}

impl Default for Setup {
    fn default() -> Self {
        // hundreds of people register in a journey: the least that is accepted is enough for them
        let off = [
            ("REPRISE_RATE_LIMITS", "off"),
            ("REPRISE_PASSWORD_POLICY", "basic"),
            ("REPRISE_ARGON2", "m=19456,t=2,p=1"),
        ];
        let variables = off.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Setup { sync: "interval", variables, folder: None }
    }
}

impl Setup {
    /// `--sync always`.
    pub fn always(mut self) -> Self {
        self.sync = "always";
        self
    }

    /// With an environment variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// On the folder of a platform that was stopped.
    pub fn on(mut self, folder: TempDir) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Platform {
        let mut platform = self.spawn();
        platform.ready().await;
        platform
    }

    /// Starts it without waiting.
    pub fn spawn(self) -> Platform {
        let folder = self.folder.unwrap_or_else(folder);
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = up(folder.path(), &listen, self.sync);
        command.envs(&self.variables);
        let running = Running::start(&mut command, folder.path().join("up.log"));
        Platform { running, url: format!("http://{listen}"), client: client(), folder: Some(folder) }
    }
}

/// A folder that the unprivileged user of the database may enter too.
pub fn folder() -> TempDir {
    let open = Permissions::from_mode(0o755);
    tempfile::Builder::new().prefix("reprise-it-").permissions(open).tempdir().expect("a folder can be made")
}

/// `reprise up` on the data folder inside `folder`.
pub fn up(folder: &Path, listen: &str, sync: &str) -> Command {
    let mut command = reprise();
    command.args(["up", "--listen", listen, "--sync", sync, "--data"]).arg(folder.join("data"));
    command
}

/// The program without what the tester's shell says about other platforms.
pub fn reprise() -> Command {
    let mut command = Command::new(REPRISE);
    for name in ["NATS_URL", "DATABASE_URL", "REPRISE_DATA", "REPRISE_LISTEN", "REPRISE_SYNC", "REPRISE_URL"] {
        command.env_remove(name);
    }
    command
}

/// A client that follows no redirect and gives up in time.
pub fn client() -> reqwest::Client {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.timeout(Duration::from_secs(40)).build().expect("a client needs nothing from outside")
}

/// A platform that runs.
pub struct Platform {
    /// `reprise up`.
    pub running: Running,
    /// Where it answers.
    pub url: String,
    /// Whoever asks.
    pub client: reqwest::Client,
    folder: Option<TempDir>,
}

impl Platform {
    /// The usual platform of a test.
    pub async fn start() -> Platform {
        Setup::default().start().await
    }

    /// Its folder: data and output.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("the folder is there until the platform is taken apart").path()
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Waits until `/readyz` answers 200.
    pub async fn ready(&mut self) {
        patiently("the platform is ready", Duration::from_secs(60), async || {
            assert!(self.running.is_running(), "the platform ended by itself:\n{}", self.running.tail());
            let answer = self.get("/readyz").try_send().await;
            answer.ok().filter(|answer| answer.status == 200)
        })
        .await;
    }

    /// Stops it in an orderly way and leaves its folder for the next start.
    pub fn stop(mut self) -> TempDir {
        let ended = self.running.terminate(Duration::from_secs(30));
        assert!(ended.is_some(), "still there after 30 s:\n{}", self.running.tail());
        self.folder.take().expect("the folder is there until the platform is taken apart")
    }

    /// Kills the one process, not its children, and leaves its folder for the next start.
    pub fn crash(mut self) -> TempDir {
        self.running.kill();
        self.folder.take().expect("the folder is there until the platform is taken apart")
    }

    /// What `reprise env` says.
    pub fn env(&self) -> BTreeMap<String, String> {
        let output = reprise().arg("env").arg("--data").arg(self.data()).output().expect("reprise env runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("text");
        let pair = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), v.trim_matches('\'').to_owned()));
        text.lines().filter_map(pair).collect()
    }

    /// A GET.
    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// A POST.
    pub fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    /// A PUT.
    pub fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    /// A DELETE.
    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// Any method.
    pub fn request(&self, method: Method, path: &str) -> Request {
        Request::new(&self.client, method, &format!("{}{path}", self.url))
    }

    /// The profile of somebody who just registered, as soon as it is there.
    pub async fn profile_of(&self, person: &Person) -> Answer {
        eventually("the profile of a new person is there", async || {
            let answer = self.get("/api/profile").by(person).send().await;
            match answer.status {
                200 => Some(answer),
                404 => None,
                _ => panic!("{answer:?}"),
            }
        })
        .await
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let Some(folder) = &self.folder else { return };
        if std::thread::panicking() {
            eprintln!("--- the end of the platform's output ---\n{}", self.running.tail());
        }
        // in order when it can be, so that Postgres gives its shared memory back
        if self.running.is_running() && self.running.terminate(Duration::from_secs(12)).is_none() {
            self.running.kill();
        }
        kill_all_in(folder.path());
    }
}
