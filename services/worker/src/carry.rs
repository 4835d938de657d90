//! What goes between the store and a worker's own folder: what a task is done on, and what was made.

use anyhow::{Context, Result};
use blobs::{Blobs, Key};
use events::processing::{Task, Work};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;

/// Files that go into the store at the same time.
const AT_ONCE: usize = 8;

/// Brings here what a task is done on; nothing when it is gone.
///
/// # Errors
/// The store fails, or the disk does.
pub(crate) async fn fetch(blobs: &Blobs, task: &Task, to: &Path) -> Result<Option<()>> {
    if let Work::Storyboard { of: Some(folder), .. } = &task.work {
        let folder = Key::new(&format!("videos/{}/{folder}", task.of))?;
        return joined(blobs, &folder, to).await;
    }
    let file = Key::new(&format!("files/{}", task.file))?;
    Ok(blobs.fetch(&file, to).await?.map(drop))
}

/// Makes one file of a size that was made: its header, then its segments in order, are a film again.
async fn joined(blobs: &Blobs, folder: &Key, to: &Path) -> Result<Option<()>> {
    let all = blobs.list(Some(folder)).await?.into_iter().map(|(key, _)| key);
    let (headers, segments): (Vec<_>, Vec<_>) =
        all.filter(|key| !key.as_str().ends_with(".m3u8")).partition(|key| key.as_str().ends_with(".mp4"));
    let mut file = tokio::fs::File::create(to).await?;
    for key in headers.iter().chain(&segments) {
        let Some((_, mut bytes)) = blobs.get(key, None).await? else { return Ok(None) };
        while let Some(some) = bytes.try_next().await? {
            file.write_all(&some).await?;
        }
    }
    file.flush().await?;
    Ok((!headers.is_empty()).then_some(()))
}

/// Puts everything in `out` into the store, some at once: it answers late, not slowly.
///
/// # Errors
/// The store fails.
pub(crate) async fn keep(blobs: &Blobs, out: &Path, place: &Key) -> Result<()> {
    let files = stream::iter(files(out, place).await?).map(Ok::<_, anyhow::Error>);
    let put = async |(path, key): (PathBuf, Key)| Ok(blobs.put_file(&key, &path).await.map(drop)?);
    files.try_for_each_concurrent(AT_ONCE, put).await
}

/// Every file in a folder, and what it will be called.
async fn files(out: &Path, place: &Key) -> Result<Vec<(PathBuf, Key)>> {
    let (mut files, mut folders) = (vec![], vec![(out.to_owned(), place.clone())]);
    while let Some((folder, key)) = folders.pop() {
        let mut entries = tokio::fs::read_dir(&folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().into_string().ok().context("ffmpeg writes plain names")?;
            let key = key.join(&name)?;
            if entry.file_type().await?.is_dir() {
                folders.push((entry.path(), key));
            } else {
                files.push((entry.path(), key));
            }
        }
    }
    Ok(files)
}
