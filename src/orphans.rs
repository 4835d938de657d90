//! Orphans: bytes in the blob store that no row knows, left by a crash between two steps or by a task that ended after
//! nobody wanted it any more. Everything has its row before it has bytes, so what has none when the rows are as young as
//! the list is nobody's; and to be safe it is given a while.

use anyhow::{Result, ensure};
use blobs::{Blobs, Key};
use chrono::{TimeDelta, Utc};
use nats::Bus;
use projections::video_page::Row;
use projections::{Reads, file_page, video_page};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Rows that are asked for at once.
const AT_ONCE: usize = 500;
/// How long the rows may take to be as young as the list.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where to look, and how long to leave what is found.
pub struct Orphans {
    /// The log: how far rows have to be.
    pub bus: Bus,
    /// The bytes.
    pub blobs: Blobs,
    /// Who knows what is needed.
    pub reads: Reads,
    /// Younger ones stay.
    pub age: Duration,
}

impl Orphans {
    /// Looks now and then until stopped, a few times in the age at which they go.
    pub async fn keep_collecting(self, stop: CancellationToken) {
        let pause = (self.age / 8).clamp(Duration::from_secs(1), Duration::from_secs(3 * 60 * 60));
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            match stop.run_until_cancelled(self.collect()).await {
                Some(Ok(0)) | None => {}
                Some(Ok(removed)) => tracing::info!(removed, "removed from the blob store what nobody knows"),
                Some(Err(error)) => {
                    tracing::warn!(error = format!("{error:#}"), "cannot look for orphans, trying again");
                }
            }
        }
    }

    /// Removes those that there are, and says how many.
    ///
    /// # Errors
    /// The store, the log or Postgres does not answer, or the rows are behind: then nobody knows what is an orphan.
    pub async fn collect(&self) -> Result<u64> {
        let mut removed = 0;
        let (listed, uploads) = (self.blobs.list(None).await?, self.blobs.uploads().await?);
        let now = self.bus.last_sequence("EVENTS").await?;
        let fresh = self.reads.wait_for(&["file_page", "video_page"], now, PATIENCE).await?;
        ensure!(fresh, "the rows are behind the log");
        for blob in self.unknown(listed.into_iter().map(|(key, _)| key)).await? {
            let old = self.blobs.head(&blob).await?.is_some_and(|found| found.modified + self.age < Utc::now());
            if old && self.blobs.delete(&blob).await? {
                tracing::debug!(blob = %blob, "removed");
                removed += 1;
            }
        }
        let ids: Vec<Uuid> = uploads.iter().map(|upload| upload.id).collect();
        let waiting = self.files(&ids).await?;
        let age = TimeDelta::from_std(self.age)?;
        for upload in uploads {
            let wanted = waiting.get(&upload.id).is_some_and(|state| state == "uploading");
            if !wanted && upload.begun.expires + age < Utc::now() && self.blobs.abort(upload.id).await? {
                removed += 1;
            }
        }
        metrics::counter!("reprise_orphans_removed_total").increment(removed);
        Ok(removed)
    }

    /// Those of the blobs that no row knows. What is not named as we name things is not ours.
    async fn unknown(&self, blobs: impl Iterator<Item = Key>) -> Result<Vec<Key>> {
        let named: Vec<(Named, Key)> = blobs.filter_map(|key| Some((Named::read(key.as_str())?, key))).collect();
        let ids = |wanted: fn(&Named) -> Option<Uuid>| -> Vec<Uuid> {
            named.iter().filter_map(|(named, _)| wanted(named)).collect::<BTreeSet<_>>().into_iter().collect()
        };
        let files = self.files(&ids(|named| if let Named::File(file) = named { Some(*file) } else { None })).await?;
        let of_videos = ids(|named| if let Named::Made { video, .. } = named { Some(*video) } else { None });
        let mut videos = BTreeMap::new();
        for some in of_videos.chunks(AT_ONCE) {
            let rows = video_page::many(&self.reads, some).await?;
            videos.extend(rows.into_iter().map(|row| (row.video_id, row)));
        }
        let known = |named: &Named| match named {
            Named::File(file) => files.contains_key(file),
            Named::Made { video, run, folder } => {
                videos.get(video).is_some_and(|row| under_way(row, run) || names(row, folder))
            }
        };
        Ok(named.into_iter().filter(|(named, _)| !known(named)).map(|(_, key)| key).collect())
    }

    async fn files(&self, ids: &[Uuid]) -> Result<BTreeMap<Uuid, String>> {
        let mut states = BTreeMap::new();
        for some in ids.chunks(AT_ONCE) {
            states.extend(file_page::states(&self.reads, some).await?);
        }
        Ok(states)
    }
}

/// What a blob is, by its name.
#[derive(Debug, PartialEq)]
enum Named {
    /// `files/<file>`
    File(Uuid),
    /// `videos/<video>/<version>.<run>/<task>-<lease>/…`
    Made { video: Uuid, run: String, folder: String },
}

impl Named {
    fn read(name: &str) -> Option<Self> {
        let mut words = name.splitn(5, '/');
        match (words.next()?, words.next()?.parse().ok()?, words.next(), words.next()) {
            ("files", file, None, None) => Some(Named::File(file)),
            ("videos", video, Some(run), Some(task)) => {
                Some(Named::Made { video, run: run.to_owned(), folder: format!("{run}/{task}") })
            }
            _ => None,
        }
    }
}

/// Whether somebody works on this version of the video, and may be about to tell of it.
fn under_way(row: &Row, run: &str) -> bool {
    let of_it = run.split('.').next() == Some(&row.source_version.to_string());
    of_it && ["processing", "playable"].contains(&&*row.status)
}

/// Whether the row names something in this folder.
fn names(row: &Row, folder: &str) -> bool {
    let inside = |name: &str| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let text = |value: &serde_json::Value| value.as_str().is_some_and(inside);
    let renditions = row.renditions.as_array().into_iter().flatten();
    row.thumbnail.as_deref().is_some_and(inside)
        || row.storyboard.as_ref().is_some_and(|story| text(&story["index"]) || text(&story["picture"]["file"]))
        || renditions.into_iter().any(|rendition| text(&rendition["folder"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_as_ours_is_looked_at() {
        let id = Uuid::from_u128(7);
        assert_eq!(Named::read(&format!("files/{id}")), Some(Named::File(id)));
        let made = Named::Made { video: id, run: "2.1".into(), folder: "2.1/rung-ab".into() };
        assert_eq!(Named::read(&format!("videos/{id}/2.1/rung-ab/360p/00001.m4s")), Some(made));
        for other in ["files/x", "files", "other/thing", &format!("files/{id}/more"), &format!("videos/{id}/x")] {
            assert_eq!(Named::read(other), None, "{other}");
        }
    }
}
