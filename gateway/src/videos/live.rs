//! What is known of videos for a moment: who may see one, so that a player's segments need no query each, and how far the
//! work on one is, which nobody keeps.

use crate::app::App;
use futures::StreamExt;
use projections::video_page::Row;
use quick_cache::sync::Cache;
use serde::Deserialize;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A connection that takes no listener is asked again after so long.
const AGAIN: Duration = Duration::from_secs(1);

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
    fn heard(&self, video: Uuid, version: i32, progress: f32) {
        let progress = match self.progress.get(&video) {
            Some((known, _)) if known > version => return,
            Some((known, before)) if known == version => before.max(progress),
            _ => progress,
        };
        self.progress.insert(video, (version, progress));
    }

    /// How far the work on this version is, as far as it was heard.
    pub(crate) fn progress(&self, video: Uuid, version: i32) -> f32 {
        self.progress.get(&video).filter(|(known, _)| *known == version).map_or(0.0, |(_, progress)| progress)
    }
}

/// What workers say of how far they are.
#[derive(Deserialize)]
struct Progress {
    of: Uuid,
    version: i32,
    progress: f32,
}

/// Listens to workers until stopped. What is missed is said again in a moment.
pub(crate) async fn listen(app: App, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let Ok(said) = app.bus().listen("rt.processing.*").await else {
            stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await;
            continue;
        };
        let mut said = pin!(said);
        while let Some(Some((_, payload))) = stop.run_until_cancelled(said.next()).await {
            if let Ok(said) = serde_json::from_slice::<Progress>(&payload) {
                app.watched().heard(said.of, said.version, said.progress);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_goes_back() {
        let (watched, video) = (Watched::default(), Uuid::from_u128(1));
        let percent = |version| (watched.progress(video, version) * 100.0).round() as u32;
        watched.heard(video, 1, 0.5);
        watched.heard(video, 1, 0.2);
        assert_eq!(percent(1), 50);
        watched.heard(video, 2, 0.1);
        assert_eq!((percent(1), percent(2)), (0, 10), "another version begins anew");
        watched.heard(video, 1, 0.9);
        assert_eq!(percent(2), 10);
    }
}
