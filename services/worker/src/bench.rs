//! A worker's own folder for what is under way. Whoever dies leaves it unlocked, and the next worker to begin on the same
//! disk clears it away; a living one is never disturbed.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const LOCK: &str = "lock";

/// The folder; it is gone when this is dropped.
pub(crate) struct Bench {
    folder: TempDir,
    _lock: File,
}

impl Bench {
    /// Makes a folder in `scratch`, after clearing away those of the dead.
    ///
    /// # Errors
    /// Nothing can be made there.
    pub(crate) fn own(scratch: &Path) -> Result<Self> {
        let failed = || format!("cannot make a folder in {}", scratch.display());
        fs::create_dir_all(scratch).with_context(failed)?;
        for entry in fs::read_dir(scratch).with_context(failed)?.flatten() {
            clear(&entry.path());
        }
        let folder = tempfile::Builder::new().prefix("worker-").tempdir_in(scratch).with_context(failed)?;
        let lock = File::create(folder.path().join(LOCK)).with_context(failed)?;
        lock.try_lock().with_context(failed)?;
        Ok(Bench { folder, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A folder in it for one task, gone when it is dropped.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn task(at: &Path) -> Result<TempDir> {
        tempfile::Builder::new().prefix("task-").tempdir_in(at).context("a folder for a task cannot be made")
    }
}

/// Removes a folder whose worker is dead. One that is just being made has no lock yet, and is left alone.
fn clear(folder: &Path) {
    let Ok(lock) = File::open(folder.join(LOCK)) else { return };
    if lock.try_lock().is_ok()
        && let Err(error) = fs::remove_dir_all(folder)
    {
        tracing::warn!(error = %error, "what a dead worker left cannot be cleared away");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_the_dead_go_and_those_of_the_living_stay() {
        let scratch = tempfile::tempdir().expect("a folder");
        let living = Bench::own(scratch.path()).expect("a folder");
        let dead = scratch.path().join("worker-dead");
        fs::create_dir_all(dead.join("task-1")).expect("a folder");
        fs::write(dead.join(LOCK), "").expect("a file");
        let new = Bench::own(scratch.path()).expect("a folder");
        assert!(living.path().exists() && new.path().exists() && !dead.exists());
    }
}
