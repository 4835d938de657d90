//! Blobs as files below a folder. A file gets its name only when all of it is on the disk, and is never written again:
//! that is what makes a second name for it safe to give away.

mod disk;
mod reading;
mod staging;

use anyhow::Context;
use bytes::Bytes;
use std::fs;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Body, Fault, Found, Key};
use disk::{absent, found, make_dir, new_file, open_file, remove_below, sync_dir};

/// A put competes with deletes that take away the empty folder it has just made; each loses at most a few times.
const TRIES: usize = 100;

#[derive(Clone)]
pub(crate) struct Folder {
    root: Arc<Path>,
}

impl Folder {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let folder = Folder { root: path.into() };
        for dir in [path, &folder.uploads_dir(), &folder.drafts_dir()] {
            make_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        disk::sweep(&folder.drafts_dir()).with_context(|| format!("cannot use {}", path.display()))?;
        Ok(folder)
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    fn uploads_dir(&self) -> PathBuf {
        self.root.join(".uploads")
    }

    fn drafts_dir(&self) -> PathBuf {
        self.root.join(".drafts")
    }

    /// A name that nobody else has, on the same disk as everything else.
    fn draft(&self) -> PathBuf {
        self.drafts_dir().join(uuid::Uuid::new_v4().to_string())
    }

    pub async fn head(&self, key: &Key) -> Result<Option<Found>, Fault> {
        let path = self.path(key);
        off(format!("cannot look at {key}"), move || {
            let meta = fs::metadata(path).map(Some).or_else(absent)?;
            meta.filter(fs::Metadata::is_file).map(|meta| found(&meta)).transpose()
        })
        .await
    }

    pub async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Found, Body)>, Fault> {
        self.read(key, move |found| Some(range.unwrap_or(0..found.size))).await
    }

    pub async fn read(
        &self,
        key: &Key,
        wanted: impl FnOnce(&Found) -> Option<Range<u64>> + Send,
    ) -> Result<Option<(Found, Body)>, Fault> {
        let read = reading::read(self.path(key), wanted).await;
        read.map_err(|error| Fault::new(format!("cannot read {key}"), error))
    }

    pub async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), Fault> {
        let (folder, name) = (self.clone(), key.clone());
        off(format!("cannot write {key}"), move || {
            folder.drafted(&name, |draft| new_file(draft)?.write_all(&bytes)).map(drop)
        })
        .await
    }

    pub async fn put_file(&self, key: &Key, path: &Path) -> Result<u64, Fault> {
        let (folder, name, from) = (self.clone(), key.clone(), path.to_owned());
        off(format!("cannot write {key} from {}", path.display()), move || {
            folder.drafted(&name, |draft| fs::copy(&from, draft))
        })
        .await
    }

    /// A blob of what `write` puts into a draft; no draft remains when it fails.
    fn drafted<T>(&self, key: &Key, write: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
        let draft = self.draft();
        let done = write(&draft).and_then(|done| {
            fs::File::open(&draft)?.sync_all()?;
            self.settle(&draft, key)?;
            Ok(done)
        });
        if done.is_err() {
            // why it failed is what matters, not that nothing was there to remove
            let _ = fs::remove_file(&draft);
        }
        done
    }

    /// Gives a file that is safe on the disk the name of a blob, and makes that safe too.
    fn settle(&self, draft: &Path, key: &Key) -> io::Result<()> {
        disk::seal(draft)?;
        let path = self.path(key);
        let dir = path.parent().expect("a key names something below the root");
        let mut tries = 0;
        loop {
            match disk::make_dirs(&self.root, dir).and_then(|()| fs::rename(draft, &path)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => tries += 1,
                other => break other?,
            }
        }
        // gone again already: then there is nothing to make safe
        sync_dir(dir).or_else(absent)
    }

    pub async fn fetch(&self, key: &Key, to: &Path) -> Result<Option<u64>, Fault> {
        let (from, target) = (self.path(key), to.to_owned());
        off(format!("cannot fetch {key} to {}", to.display()), move || {
            let Some((_, meta)) = open_file(&from)? else { return Ok(None) };
            fs::remove_file(&target).or_else(absent)?;
            // another disk, or one without links
            match fs::hard_link(&from, &target).or_else(|_| fs::copy(&from, &target).map(drop)) {
                Ok(()) => Ok(Some(meta.len())),
                Err(error) if !from.exists() => absent(error),
                Err(error) => Err(error),
            }
        })
        .await
    }

    pub async fn delete(&self, key: &Key) -> Result<bool, Fault> {
        let (folder, path) = (self.clone(), self.path(key));
        off(format!("cannot delete {key}"), move || {
            let there = open_file(&path)?.is_some() && fs::remove_file(&path).map(|()| true).or_else(absent)?;
            if there {
                folder.prune(&path)?;
            }
            Ok(there)
        })
        .await
    }

    pub async fn delete_all(&self, prefix: &Key) -> Result<u64, Fault> {
        let (folder, dir) = (self.clone(), self.path(prefix));
        off(format!("cannot delete what is below {prefix}"), move || {
            let removed = remove_below(&dir)?;
            folder.prune(&dir).map(|()| removed)
        })
        .await
    }

    /// Removes the folders that have become empty above a path, and makes what was removed safe.
    fn prune(&self, path: &Path) -> io::Result<()> {
        for dir in path.ancestors().skip(1).take_while(|dir| dir.starts_with(&self.root)) {
            if *dir == *self.root || fs::remove_dir(dir).is_err() {
                return sync_dir(dir).or_else(absent);
            }
        }
        Ok(())
    }

    pub async fn list(&self, prefix: Option<&Key>) -> Result<Vec<(Key, u64)>, Fault> {
        let (root, dir) = (self.root.clone(), prefix.map_or(self.root.to_path_buf(), |key| self.path(key)));
        off("cannot list the blobs", move || {
            let mut all = Vec::new();
            disk::walk(&dir, &mut |path, meta| {
                let name = path.strip_prefix(&root).ok().and_then(Path::to_str);
                // a file of another name was not put here by us
                if let Some(key) = name.and_then(|name| Key::new(name).ok()) {
                    all.push((key, meta.len()));
                }
            })?;
            all.sort_unstable();
            Ok(all)
        })
        .await
    }
}

/// Work with the disk, which must not hold up others.
async fn off<T: Send + 'static>(
    what: impl Into<String>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    reading::waiting(work).await.map_err(|error| Fault::new(what, error))
}
