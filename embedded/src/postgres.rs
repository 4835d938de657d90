//! A Postgres of our own. It refuses to run as root, so root runs it as an ordinary user of the system; its data then
//! lies where that user can go.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;

use crate::guard::{Guarded, Spec, User, absolute, end_leftover, last_lines, wait_ready};
use crate::{find, free_port};

/// The oldest Postgres we run.
const OLDEST: u32 = 15;

/// What a crash of the machine may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed.
    #[default]
    Safe,
    /// Everything: for tests. A crash of the server alone takes nothing.
    Fast,
}

/// How a Postgres is run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// On 127.0.0.1; `None` picks a free one.
    pub port: Option<u16>,
    /// The superuser's password; `None` lets everybody in who reaches the port.
    pub password: Option<String>,
    /// What a crash of the machine may take.
    pub durability: Durability,
    /// `name=value`, as after `postgres -c`.
    pub extra: Vec<String>,
}

/// A running Postgres. Dropped: stopped; a scratch one is removed too.
pub struct Postgres {
    /// The superuser's address: `postgres://postgres[:password]@127.0.0.1:<port>/postgres`.
    pub url: String,
    /// The postmaster's process id.
    pub pid: u32,
    /// The port of [`Postgres::url`].
    pub port: u16,
    bin: PathBuf,
    home: PathBuf,
    user: Option<User>,
    settings: Settings,
    child: Option<Guarded>,
    scratch: Option<TempDir>,
}

impl Postgres {
    /// Starts the cluster in `dir`, made there when it is new. As root the data may have to lie elsewhere:
    /// [`Postgres::home`] says where.
    ///
    /// # Errors
    /// There is no Postgres on this machine, it is too old, or it does not start: with the end of its log.
    pub fn start(dir: &Path, settings: Settings) -> Result<Self> {
        let bin = checked_bin()?;
        let user = run_as()?;
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let home = home_for(&absolute(dir)?, user)?;
        own(&home, user)?;
        if !home.join("data/PG_VERSION").exists() {
            // an unfinished one of an earlier try is of no use
            let _ = fs::remove_dir_all(home.join("data"));
            initdb(&bin, &home, user, settings.password.as_deref())?;
        }
        Self::open(bin, home, user, settings, None)
    }

    /// A cluster for one test: no passwords, no fsync, gone when dropped.
    ///
    /// # Panics
    /// It does not start.
    pub fn scratch() -> Self {
        Self::try_scratch().expect("a scratch Postgres")
    }

    fn try_scratch() -> Result<Self> {
        let bin = checked_bin()?;
        let user = run_as()?;
        let scratch = tempfile::Builder::new().prefix("reprise-postgres-").tempdir()?;
        let home = absolute(scratch.path())?;
        own(&home, user)?;
        copy_template(&bin, &home, user)?;
        let extra = vec!["max_connections=200".into(), "autovacuum=off".into()];
        let settings = Settings { durability: Durability::Fast, extra, ..Settings::default() };
        Self::open(bin, home, user, settings, Some(scratch))
    }

    fn open(
        bin: PathBuf,
        home: PathBuf,
        user: Option<User>,
        settings: Settings,
        scratch: Option<TempDir>,
    ) -> Result<Self> {
        let mut server =
            Postgres { url: String::new(), pid: 0, port: 0, bin, home, user, settings, child: None, scratch };
        server.spawn()?;
        Ok(server)
    }

    /// Starts it; a picked port that somebody else takes first is picked again.
    fn spawn(&mut self) -> Result<()> {
        end_leftover(&self.home.join("data/postmaster.pid"), &self.home);
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            self.port = self.settings.port.unwrap_or_else(|| if self.port == 0 { free_port() } else { self.port });
            let Err(error) = self.spawn_once() else { break };
            let said = last_lines(&self.log());
            let taken = said.contains("Address already in use") && self.settings.port.is_none() && self.url.is_empty();
            // what a killed one leaves behind goes away by itself once its last process has noticed
            let busy = said.contains("still in use");
            if !(taken || busy) || Instant::now() > deadline {
                return Err(error);
            }
            if taken {
                self.port = 0;
            }
            fs::write(self.log(), "")?;
            std::thread::sleep(Duration::from_millis(50));
        }
        let secret = self.settings.password.as_ref().map(|word| format!(":{word}")).unwrap_or_default();
        self.url = format!("postgres://postgres{secret}@127.0.0.1:{}/postgres", self.port);
        Ok(())
    }

    fn spawn_once(&mut self) -> Result<()> {
        let data = self.home.join("data");
        let mut args = vec!["-D".into(), data.clone().into()];
        let mut set = |setting: String| args.extend(["-c".into(), setting.into()]);
        set(format!("port={}", self.port));
        set("listen_addresses=127.0.0.1".into());
        set("unix_socket_directories=".into());
        if self.settings.durability == Durability::Fast {
            set("fsync=off".into());
            set("full_page_writes=off".into());
        }
        self.settings.extra.iter().for_each(|setting| set(setting.clone()));
        let spec = Spec {
            program: &self.bin.join("postgres"),
            args,
            env: &[],
            log: &self.log(),
            // fast shutdown: running statements are ended, nothing that was committed is lost
            signal: "INT",
            user: self.user,
            scratch: self.scratch.as_ref().map(TempDir::path),
        };
        let mut child = Guarded::spawn(&spec)?;
        let pid = child.pid();
        let ready = || is_ready(&data, pid);
        wait_ready(&mut child, &self.log(), Duration::from_secs(30), ready).context("Postgres does not start")?;
        self.pid = pid;
        self.child = Some(child);
        Ok(())
    }

    /// Makes an empty database and gives its address, as superuser.
    ///
    /// # Panics
    /// It cannot be made.
    pub fn database(&self, name: &str) -> String {
        let output = Command::new(self.bin.join("createdb"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", name])
            .env("PGPASSWORD", self.settings.password.as_deref().unwrap_or_default())
            .output()
            .expect("createdb is beside postgres");
        assert!(output.status.success(), "createdb {name}: {}", String::from_utf8_lossy(&output.stderr));
        let (server, _) = self.url.rsplit_once('/').expect("an address with a database");
        format!("{server}/{name}")
    }

    /// Where it writes its log.
    pub fn log(&self) -> PathBuf {
        self.home.join("postgres.log")
    }

    /// The folder with its data and log.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Whether its process is there.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(Guarded::is_running)
    }

    /// Ends it as `kill -9` does; [`Postgres::restart`] brings it back with what was committed.
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
        self.spawn()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let (Some(_), Some(child)) = (&self.scratch, &mut self.child) {
            // without a last checkpoint: nobody will read it
            child.signal(rustix::process::Signal::QUIT);
        }
        self.stop();
    }
}

fn checked_bin() -> Result<PathBuf> {
    let bin = find::postgres_bin()?;
    let major = find::postgres_major(&bin).unwrap_or(0);
    ensure!(
        major >= OLDEST,
        "Postgres in {} is version {major}, older than {OLDEST}\n  \
         install a newer one and set REPRISE_PG_BIN to its bin folder, or give a running one with DATABASE_URL",
        bin.display()
    );
    Ok(bin)
}

/// Root runs Postgres as `postgres`, or else as `nobody`; everybody else as themselves.
fn run_as() -> Result<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let id = |flag: &str, name: &str| -> Option<u32> {
        let output = Command::new("id").args([flag, name]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    let found =
        ["postgres", "nobody"].into_iter().find_map(|name| Some(User { uid: id("-u", name)?, gid: id("-g", name)? }));
    found
        .map(Some)
        .context("Postgres refuses to run as root, and there is neither a user postgres nor nobody to run it as")
}

/// `dir`, or for a user who cannot go there a folder under `/var/tmp` that belongs to `dir` alone.
fn home_for(dir: &Path, user: Option<User>) -> Result<PathBuf> {
    let Some(user) = user else { return Ok(dir.to_path_buf()) };
    let enters = Command::new("/bin/sh").args(["-c", "cd \"$0/..\""]).arg(dir).uid(user.uid).gid(user.gid).output()?;
    if enters.status.success() {
        return Ok(dir.to_path_buf());
    }
    let mut hasher = DefaultHasher::new();
    dir.hash(&mut hasher);
    let home = PathBuf::from(format!("/var/tmp/reprise-{:016x}", hasher.finish()));
    match fs::create_dir(&home) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("cannot make {}", home.display()));
        }
        _ => {}
    }
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::symlink_metadata(&home)?);
    ensure!(owner == 0 || owner == user.uid, "{} belongs to somebody else; remove it", home.display());
    Ok(home)
}

fn own(home: &Path, user: Option<User>) -> Result<()> {
    if let Some(User { uid, gid }) = user {
        chown(home, Some(uid), Some(gid)).with_context(|| format!("cannot give {} to Postgres", home.display()))?;
        fs::set_permissions(home, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn initdb(bin: &Path, home: &Path, user: Option<User>, password: Option<&str>) -> Result<()> {
    let mut command = Command::new(bin.join("initdb"));
    command.arg("-D").arg(home.join("data")).args(["--username=postgres", "--encoding=UTF8", "--no-sync"]);
    // builds without the C.UTF-8 locale (macOS) have C
    command.arg(if cfg!(target_os = "macos") { "--locale=C" } else { "--locale=C.UTF-8" });
    let secret = home.join("password");
    match password {
        Some(word) => {
            fs::write(&secret, word)?;
            fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
            own(&secret, user)?;
            command.args(["--auth=scram-sha-256", "--pwfile"]).arg(&secret);
        }
        None => {
            command.arg("--auth=trust");
        }
    }
    if let Some(User { uid, gid }) = user {
        command.uid(uid).gid(gid).current_dir("/");
    }
    let Output { status, stderr, .. } = command.output().context("cannot run initdb")?;
    let _ = fs::remove_file(&secret);
    ensure!(status.success(), "initdb cannot make {}:\n  {}", home.display(), String::from_utf8_lossy(&stderr).trim());
    Ok(())
}

/// Copies a fresh cluster to `home/data`: four times as quick as making one.
fn copy_template(bin: &Path, home: &Path, user: Option<User>) -> Result<()> {
    let major = find::postgres_major(bin).unwrap_or(0);
    let uid = user.map_or(rustix::process::geteuid().as_raw(), |user| user.uid);
    let folder = target_dir().join("tmp");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let template = folder.join(format!("postgres-{major}-{uid}"));
    if !template.join("PG_VERSION").exists() {
        initdb(bin, home, user, None)?;
        let draft = folder.join(format!("postgres-draft-{}", std::process::id()));
        copy(&home.join("data"), &draft)?;
        // somebody else may have been quicker; theirs is as good
        if fs::rename(&draft, &template).is_err() {
            let _ = fs::remove_dir_all(&draft);
        }
        return Ok(());
    }
    copy(&template, &home.join("data"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let output = Command::new("cp").arg("-a").arg(from).arg(to).output()?;
    ensure!(output.status.success(), "cannot copy {}: {}", from.display(), String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The folder of builds: tests know it, and nobody else copies templates.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from)
}

/// The eighth line of its pid file says whether a Postgres takes connections.
fn is_ready(data: &Path, pid: u32) -> bool {
    let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines();
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(6).is_some_and(|status| status.trim() == "ready")
}
