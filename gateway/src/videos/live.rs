//! What is known of videos for a moment: who may see one, so that a player's segments need no query each, and how far the
//! work on one is, which nobody keeps.

use projections::video_page::Row;
use quick_cache::sync::Cache;
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A change of who may see a video counts after so long at every gateway.
const FRESH: Duration = Duration::from_secs(1);
/// Videos that are remembered.
const MANY: usize = 10_000;
/// Those who listen hear no more often how far a video is.
const OFTEN: Duration = Duration::from_secs(1);

/// What is known of videos for a moment.
pub(crate) struct Watched {
    rows: Cache<Uuid, (Instant, Option<Arc<Row>>)>,
    progress: Cache<Uuid, Heard>,
}

/// How far a video is, and what was told of it last.
#[derive(Clone, Copy)]
struct Heard {
    version: i32,
    progress: f32,
    told: Option<(Instant, u8)>,
}

/// What workers say of how far they are.
#[derive(Deserialize)]
pub(crate) struct Progress {
    /// The video.
    pub of: Uuid,
    /// Whose it is.
    pub owner: Uuid,
    /// Its version.
    pub version: i32,
    /// 0 to 1.
    pub progress: f32,
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

    /// A worker said how far it is. Work on an older version counts no more, and nobody goes back. Answers the percentage
    /// that those who listen are to be told now: a higher one than before, and not too often.
    pub(crate) fn heard(&self, said: &Progress, now: Instant) -> Option<u8> {
        let fresh = Heard { version: said.version, progress: said.progress, told: None };
        let mut heard = match self.progress.get(&said.of) {
            Some(known) if known.version > said.version => return None,
            Some(known) if known.version == said.version => {
                Heard { progress: known.progress.max(said.progress), ..known }
            }
            _ => fresh,
        };
        let percent = percent(heard.progress);
        let told = heard.told.is_none_or(|(at, before)| percent > before && now.duration_since(at) >= OFTEN);
        if told {
            heard.told = Some((now, percent));
        }
        self.progress.insert(said.of, heard);
        told.then_some(percent)
    }

    /// How far the work on this version is, as far as it was heard.
    pub(crate) fn progress(&self, video: Uuid, version: i32) -> f32 {
        self.progress.get(&video).filter(|known| known.version == version).map_or(0.0, |known| known.progress)
    }
}

/// As people read it; only when everything is there it is 100.
pub(super) fn percent(progress: f32) -> u8 {
    (progress * 100.0).clamp(0.0, 99.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(version: i32, progress: f32) -> Progress {
        Progress { of: Uuid::from_u128(1), owner: Uuid::from_u128(2), version, progress }
    }

    #[test]
    fn progress_never_goes_back() {
        let (watched, video, now) = (Watched::default(), Uuid::from_u128(1), Instant::now());
        let percent = |version| (watched.progress(video, version) * 100.0).round() as u32;
        watched.heard(&said(1, 0.5), now);
        watched.heard(&said(1, 0.2), now);
        assert_eq!(percent(1), 50);
        watched.heard(&said(2, 0.1), now);
        assert_eq!((percent(1), percent(2)), (0, 10), "another version begins anew");
        watched.heard(&said(1, 0.9), now);
        assert_eq!(percent(2), 10);
    }

    #[test]
    fn what_is_told_rises_and_comes_at_most_once_a_second() {
        let (watched, begin) = (Watched::default(), Instant::now());
        let hear = |ms, version, progress| watched.heard(&said(version, progress), begin + Duration::from_millis(ms));
        assert_eq!(hear(0, 1, 0.0), Some(0));
        assert_eq!(hear(900, 1, 0.5), None, "too soon");
        assert_eq!(hear(1100, 1, 0.4), Some(50), "as far as it ever was");
        assert_eq!(hear(2500, 1, 0.504), None, "no more than was told");
        assert_eq!(hear(2600, 1, 1.0), Some(99), "the end is told by others");
        assert_eq!(hear(9000, 1, f32::NAN), None);
        assert_eq!(hear(9100, 2, 0.1), Some(10));
        assert_eq!(hear(9900, 1, 1.0), None, "nobody waits for this any more");
    }
}
