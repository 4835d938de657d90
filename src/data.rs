//! The folder of a platform of its own: keys, ports, what tools need to reach it. One `up` at a time may use it, and
//! nobody else on the machine may read its secrets.

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How a running platform is reached: written when it is up, read by `env`, `demo`, `doctor` and the like.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Running {
    /// HTTP.
    pub url: String,
    /// NATS.
    pub nats_url: String,
    /// Postgres by role: `owner`, and the names of `projections`.
    pub databases: BTreeMap<String, String>,
    /// The auditor's seed, when NATS knows users.
    pub auditor: Option<String>,
    /// What `--sync` said: `always` or `interval`.
    pub sync: String,
}

/// Ports of the servers of its own, kept so that a restart finds them where they were.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Ports {
    /// nats-server.
    pub nats: Option<u16>,
    /// Postgres.
    pub postgres: Option<u16>,
}

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// The folder, used by this process alone.
#[derive(Debug)]
pub struct Held {
    /// The folder.
    pub folder: Folder,
    lock: File,
}

impl Folder {
    /// At `path`, whether it is there or not.
    pub fn at(path: &Path) -> Self {
        Folder(path.to_owned())
    }

    /// Makes it when it is not there, and keeps every other `up` out.
    ///
    /// # Errors
    /// It cannot be written, or another `up` uses it: with what to do about it.
    pub fn hold(path: &Path) -> Result<Held> {
        let hint = || format!("cannot use the data folder {}\n  choose another one with --data", path.display());
        // others may pass through, because Postgres may run as somebody else; keys/ lets nobody in
        fs::DirBuilder::new().recursive(true).mode(0o711).create(path).with_context(hint)?;
        let folder = Folder(path.canonicalize().with_context(hint)?);
        folder.make("keys")?;
        let mut lock = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.path("lock"))
            .with_context(hint)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = lock.read_to_string(&mut pid);
                bail!(
                    "the data folder {} is in use by another reprise (process {})\n  \
                     stop that one, or choose another folder with --data and another address with --listen",
                    folder.0.display(),
                    pid.trim()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(hint),
        }
        lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())).with_context(hint)?;
        Ok(Held { folder, lock })
    }

    /// A place in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes a folder in it that nobody else can enter.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// The secret in `keys/<name>`, made by `make` when it is not there. Nobody else can read it.
    ///
    /// # Errors
    /// It can be neither read nor written.
    pub fn secret(&self, name: &str, make: impl FnOnce() -> Result<String>) -> Result<String> {
        let path = self.path("keys").join(name);
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot read {}", path.display()))
            }
            _ => {
                let text = make()?;
                self.write_secret(&format!("keys/{name}"), &text)?;
                Ok(text)
            }
        }
    }

    /// Writes a file that only we can read: whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_secret(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        let draft = path.with_extension("draft");
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&draft)?;
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
            writeln!(file, "{text}")?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// The nkey of each role, made when it is not there: seeds in `keys/nats/<role>.seed`.
    ///
    /// # Errors
    /// A seed cannot be read or written, or is none.
    pub fn nkeys(&self, roles: &[&str]) -> Result<BTreeMap<String, KeyPair>> {
        roles.iter().map(|role| Ok(((*role).to_owned(), self.nkey(role)?))).collect()
    }

    fn nkey(&self, role: &str) -> Result<KeyPair> {
        let make = || Ok(KeyPair::new_user().seed()?);
        let seed = self.secret(&format!("nats/{role}.seed"), make)?;
        KeyPair::from_seed(&seed).with_context(|| format!("{}/keys/nats/{role}.seed is no nkey seed", self.0.display()))
    }

    /// Ports of an earlier start.
    pub fn ports(&self) -> Ports {
        let text = fs::read_to_string(self.path("ports.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Remembers a port for the next start.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remember_ports(&self, change: impl FnOnce(&mut Ports)) -> Result<()> {
        // both servers start at once
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _held = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ports = self.ports();
        change(&mut ports);
        self.write_secret("ports.json", &serde_json::to_string(&ports)?)
    }

    /// How the `up` on this folder is reached.
    ///
    /// # Errors
    /// None is running there: with what to do.
    pub fn running(&self) -> Result<Running> {
        let missing = || {
            format!(
                "no platform is running on {}\n  start one with `reprise up`, or say where it is with --data",
                self.0.display()
            )
        };
        let lock = File::open(self.path("lock")).with_context(missing)?;
        if lock.try_lock_shared().is_ok() {
            bail!(missing());
        }
        let text = fs::read_to_string(self.path("running.json")).with_context(missing)?;
        serde_json::from_str(&text).with_context(missing)
    }
}

impl Held {
    /// Says how this platform is reached; [`Held::gone`] takes it back.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn announce(&self, running: &Running) -> Result<()> {
        self.folder.write_secret("running.json", &serde_json::to_string_pretty(running)?)
    }

    /// The platform is not there any more.
    pub fn gone(&self) {
        let _ = fs::remove_file(self.folder.path("running.json"));
        let _ = self.lock.set_len(0);
    }
}

/// A secret of 256 bits that is harmless in an address.
///
/// # Errors
/// The system has no randomness.
pub fn word() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("the system has no randomness")?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
