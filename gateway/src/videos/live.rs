//! What is known of videos for a moment: who may see one, so that a player's segments need no query each, and how far the
//! work on one is, which nobody keeps.

use projections::video_page::Row;
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A change of who may see a video counts after so long at every gateway.
const FRESH: Duration = Duration::from_secs(1);
/// Videos that are remembered.
const MANY: usize = 10_000;

/// What is known of videos for a moment.
pub(crate) struct Watched {
    rows: Cache<Uuid, (Instant, Option<Arc<Row>>)>,
    progress: Cache<Uuid, (i32, f32)>,
}

impl Default for Watched {
    fn default() -> Self {
        Watched { rows: Cache::new(MANY), progress: Cache::new(MANY) }
    }
}

impl Watched {
    /// The row as it was a moment ago, if it was looked at.
    pub(crate) fn row(&self, video: Uuid) -> Option<Option<Arc<Row>>> {
        let (at, row) = self.rows.get(&video)?;
        (at.elapsed() < FRESH).then_some(row)
    }

    /// The row was looked at just now.
    pub(crate) fn saw(&self, video: Uuid, row: Option<Arc<Row>>) {
        self.rows.insert(video, (Instant::now(), row));
    }

    /// A worker said how far it is, 0 to 1. Work on an older version counts no more, and nobody goes back.
    pub(crate) fn heard(&self, video: Uuid, version: i32, progress: f32) -> f32 {
        let progress = match self.progress.get(&video) {
            Some((known, _)) if known > version => return progress,
            Some((known, before)) if known == version => before.max(progress),
            _ => progress,
        };
        self.progress.insert(video, (version, progress));
        progress
    }

    /// How far the work on this version is, as far as it was heard.
    pub(crate) fn progress(&self, video: Uuid, version: i32) -> f32 {
        self.progress.get(&video).filter(|(known, _)| *known == version).map_or(0.0, |(_, progress)| progress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_goes_back() {
        let (watched, video) = (Watched::default(), Uuid::from_u128(1));
        assert!(watched.heard(video, 1, 0.5) >= 0.5);
        assert!(watched.heard(video, 1, 0.2) >= 0.5);
        assert!(watched.heard(video, 2, 0.1) < 0.2, "another version begins anew");
        watched.heard(video, 1, 0.9);
        assert!(watched.progress(video, 2) < 0.2);
        assert!(watched.progress(video, 1) < f32::EPSILON);
    }
}
