//! Reading files: what the system holds in memory is taken at once, and only what a disk has to bring waits for a
//! thread that may wait. Many see the same part of a film at the same time; the disk is asked by the first of them.

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{found, open_file};
use crate::{Body, Found};

/// How much of a file is read at once, bytes.
const READ: u64 = 256 << 10;

/// A file, if there is one of this name, and of its bytes what is wanted of it.
pub(super) async fn read(
    path: PathBuf,
    wanted: impl FnOnce(&Found) -> Option<Range<u64>> + Send,
) -> io::Result<Option<(Found, Body)>> {
    let Some((file, meta)) = open(path).await? else { return Ok(None) };
    let found = found(&meta)?;
    let Range { start, end } = wanted(&found).unwrap_or(0..0);
    let range = start.min(found.size)..end.min(found.size);
    let body = if range.is_empty() { stream::empty().boxed() } else { part(file, range).await?.boxed() };
    Ok(Some((found, body)))
}

/// A file to read, if there is one of this name.
async fn open(path: PathBuf) -> io::Result<Option<(File, Metadata)>> {
    if let Some(file) = in_memory::open(&path) {
        let meta = file.metadata()?;
        return Ok(meta.is_file().then_some((file, meta)));
    }
    waiting(move || open_file(&path)).await
}

/// A range that lies within a file, read while it is taken; the beginning now, so that an error of the disk is one of
/// the answer and not one within it.
async fn part(file: File, range: Range<u64>) -> io::Result<impl Stream<Item = io::Result<Bytes>>> {
    let (file, Range { start, end }) = (Arc::new(file), range);
    let first = some(file.clone(), start, end).await?;
    let next = start + first.len() as u64;
    let rest = stream::try_unfold(next, move |at| {
        let file = file.clone();
        async move {
            if at >= end {
                return Ok(None);
            }
            let bytes = some(file, at, end).await?;
            let next = at + bytes.len() as u64;
            Ok(Some((bytes, next)))
        }
    });
    Ok(stream::iter([Ok(first)]).chain(rest))
}

/// The bytes from `at` on, as many as are read at once.
async fn some(file: Arc<File>, at: u64, end: u64) -> io::Result<Bytes> {
    let most = (end - at).min(READ) as usize;
    if let Some(bytes) = in_memory::read(&file, at, most) {
        return Ok(bytes);
    }
    waiting(move || {
        let mut bytes = vec![0; most];
        file.read_exact_at(&mut bytes, at)?;
        Ok(bytes.into())
    })
    .await
}

/// Work that may wait for the disk, on a thread that may.
pub(super) async fn waiting<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// What the kernel has, or nothing at all.
#[cfg(target_os = "linux")]
mod in_memory {
    use bytes::Bytes;
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    use rustix::io::{ReadWriteFlags, preadv2};
    use std::fs::File;
    use std::io::IoSliceMut;
    use std::path::Path;

    /// openat2(2), Linux 5.12 and later; forbidden in some containers.
    pub(super) fn open(path: &Path) -> Option<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        openat2(CWD, path, flags, Mode::empty(), ResolveFlags::CACHED).ok().map(File::from)
    }

    /// preadv2(2), on most file systems.
    pub(super) fn read(file: &File, at: u64, most: usize) -> Option<Bytes> {
        let mut bytes = vec![0; most];
        let read = preadv2(file, &mut [IoSliceMut::new(&mut bytes)], at, ReadWriteFlags::NOWAIT).ok()?;
        (read == most).then(|| bytes.into())
    }
}

/// Other systems do not tell.
#[cfg(not(target_os = "linux"))]
mod in_memory {
    use bytes::Bytes;
    use std::fs::File;
    use std::path::Path;

    pub(super) fn open(_: &Path) -> Option<File> {
        None
    }

    pub(super) fn read(_: &File, _: u64, _: usize) -> Option<Bytes> {
        None
    }
}
