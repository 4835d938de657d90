//! Files and folders with the care that blobs need: nobody else may read them, and a name counts only when the folder
//! that holds it is on the disk as well.

use chrono::{DateTime, Utc};
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use crate::Found;

/// What is half done for longer belongs to a process that died.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Takes "it is not there" for an answer: none, or nothing to do.
pub(crate) fn absent<T: Default>(error: io::Error) -> io::Result<T> {
    match error.kind() {
        // where a folder would have to be lies a file
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(T::default()),
        _ => Err(error),
    }
}

/// A folder with everything above it.
pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A folder with everything between it and `root`, each of them safe on the disk.
pub(crate) fn make_dirs(root: &Path, dir: &Path) -> io::Result<()> {
    let between: Vec<&Path> = dir.ancestors().take_while(|above| *above != root).collect();
    for dir in between.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => {
                other?;
                sync_dir(dir.parent().expect("it lies below the root"))?;
            }
        }
    }
    Ok(())
}

/// A file that was not there.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// A file to read, if there is one of this name; a folder is none.
pub(crate) fn open_file(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    let Some(file) = File::open(path).map(Some).or_else(absent)? else { return Ok(None) };
    let meta = file.metadata()?;
    Ok(meta.is_file().then_some((file, meta)))
}

/// From now on it is only read: it may get a second name.
pub(crate) fn seal(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o400))
}

/// Makes the names in a folder safe.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(crate) fn found(meta: &Metadata) -> io::Result<Found> {
    let modified = DateTime::<Utc>::from(meta.modified()?);
    // a file is never written again, so another content is another file
    let etag = format!("{:x}-{:x}-{:x}", meta.ino(), modified.timestamp_micros(), meta.len());
    Ok(Found { size: meta.len(), etag, modified })
}

/// Every file below a folder, except for what begins with a dot.
pub(crate) fn walk(dir: &Path, each: &mut dyn FnMut(&Path, &Metadata)) -> io::Result<()> {
    let Some(entries) = fs::read_dir(dir).map(Some).or_else(absent)? else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // gone since its name was read
        let Some(meta) = entry.metadata().map(Some).or_else(absent)? else { continue };
        if meta.is_dir() {
            walk(&entry.path(), each)?;
        } else if meta.is_file() {
            each(&entry.path(), &meta);
        }
    }
    Ok(())
}

/// Removes a folder with everything in it, except for what others put there meanwhile. Says how many files there were.
pub(crate) fn remove_below(dir: &Path) -> io::Result<u64> {
    let Some(entries) = fs::read_dir(dir).map(Some).or_else(absent)? else { return Ok(0) };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            removed += remove_below(&entry.path())?;
        } else {
            removed += fs::remove_file(entry.path()).map(|()| 1).or_else(absent)?;
        }
    }
    match fs::remove_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
        other => other.or_else(absent)?,
    }
    Ok(removed)
}

/// Removes what was left behind in a folder of drafts.
pub(crate) fn sweep(drafts: &Path) -> io::Result<()> {
    for entry in fs::read_dir(drafts)? {
        let path = entry?.path();
        let Some(meta) = fs::metadata(&path).map(Some).or_else(absent)? else { continue };
        // a clock that went back: then it is young
        if meta.modified()?.elapsed().unwrap_or_default() < STALE {
            continue;
        }
        tracing::info!(draft = %path.display(), "removing what an earlier run left half done");
        if meta.is_dir() { remove_below(&path).map(drop)? } else { fs::remove_file(&path).or_else(absent)? }
    }
    Ok(())
}
