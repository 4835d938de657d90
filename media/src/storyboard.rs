//! Small pictures of a whole film in one large one, and a WebVTT file that says which part belongs to which time.

use events::media::{Film, Picture, Storyboard};
use std::fmt::Write;
use std::path::Path;
use tokio_util::sync::CancellationToken;

use crate::input::{checked, decoded, words};
use crate::picture::{draw, fit, jpeg, scaled};
use crate::{Failure, Stopped, Tools};

const PICTURE: &str = "storyboard.jpg";
const INDEX: &str = "storyboard.vtt";
/// Tiles in a row, and rows.
const MOST: u32 = 11;
/// Pixels that a tile fits into: 192 across, unless the film is narrower or more than twice as high as it is wide.
const TILE: (u32, u32) = (192, 384);
/// Milliseconds that a tile stands for at least.
const SECOND: u64 = 1000;
/// Milliseconds of a film that is decoded whole. In longer ones tiles lie further apart than key frames do, and only
/// these are decoded.
const SHORT: u64 = 600_000;

/// Makes the pictures to look at while seeking: `storyboard.jpg` and `storyboard.vtt` in `out`.
///
/// # Errors
/// Not one frame can be decoded, a limit was reached, or the tool failed.
pub async fn storyboard(
    tools: &Tools,
    source: &Path,
    film: &Film,
    out: &Path,
    stop: &CancellationToken,
) -> Result<Storyboard, Stopped> {
    let source = checked(source)?;
    let plan = Plan::new(film);
    let options = if film.duration_ms > SHORT { "-an -skip_frame nokey" } else { "-an" };
    let mut args = decoded(tools, &source, options);
    args.extend(words("-map 0:V:0 -vf"));
    args.push(plan.filter().into());
    args.extend(jpeg(PICTURE));
    if !draw(tools, &source, film, out, PICTURE, args, stop).await? {
        return Err(Failure::broken().with_tail("no frames").into());
    }
    std::fs::write(out.join(INDEX), plan.index(film.duration_ms)).map_err(|error| Failure::of_io(&error))?;
    let (width, height) = (plan.columns * plan.width, plan.rows * plan.height);
    let picture = Picture { file: PICTURE.into(), width, height };
    Ok(Storyboard { index: INDEX.into(), picture, every_ms: plan.every_ms })
}

/// Which tiles, how large and where.
#[derive(Debug, PartialEq)]
struct Plan {
    every_ms: u32,
    tiles: u32,
    columns: u32,
    rows: u32,
    width: u32,
    height: u32,
}

impl Plan {
    fn new(film: &Film) -> Self {
        // a film that is shorter than a tile is one tile: from less than half of one no frame would be taken
        let least = film.duration_ms.clamp(1, SECOND);
        let every_ms = film.duration_ms.div_ceil(u64::from(MOST * MOST)).clamp(least, u64::from(u32::MAX));
        let tiles = film.duration_ms.div_ceil(every_ms).clamp(1, u64::from(MOST * MOST)) as u32;
        let columns = (1..MOST).find(|side| side * side >= tiles).unwrap_or(MOST);
        let (width, height) = fit(film, TILE.0, TILE.1);
        Plan { every_ms: every_ms as u32, tiles, columns, rows: tiles.div_ceil(columns), width, height }
    }

    /// One frame from the middle of each stretch of time; when the film ends early its last one is repeated, so that
    /// no tile is black.
    fn filter(&self) -> String {
        let Plan { every_ms, tiles, columns, rows, width, height } = self;
        let scaled = scaled(*width, *height);
        format!(
            "fps=1000/{every_ms}:start_time=0,{scaled},tpad=stop_mode=clone:stop={tiles},tile={columns}x{rows}:nb_frames={tiles}"
        )
    }

    fn index(&self, duration_ms: u64) -> String {
        let mut text = String::from("WEBVTT\n");
        for tile in 0..self.tiles {
            let start = u64::from(tile) * u64::from(self.every_ms);
            let end = (start + u64::from(self.every_ms)).min(duration_ms);
            let (x, y) = (tile % self.columns * self.width, tile / self.columns * self.height);
            let (width, height) = (self.width, self.height);
            write!(text, "\n{} --> {}\n{PICTURE}#xywh={x},{y},{width},{height}\n", clock(start), clock(end))
                .expect("a string takes everything");
        }
        text
    }
}

/// `01:02:03.456`.
fn clock(ms: u64) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::media::Rate;

    fn plan(duration_ms: u64, width: u32, height: u32) -> Plan {
        let rate = Rate { frames: 30, seconds: 1 };
        Plan::new(&Film { duration_ms, width, height, rate, uneven: false, sound: false, codec: "h264".into() })
    }

    #[test]
    fn there_are_never_more_than_121_tiles() {
        assert_eq!(
            plan(4500, 1280, 720),
            Plan { every_ms: 1000, tiles: 5, columns: 3, rows: 2, width: 192, height: 108 }
        );
        for duration_ms in [1, 999, 1001, 120_999, 121_000, 121_001, 3_600_000, 43_200_000, u64::MAX] {
            let plan = plan(duration_ms, 640, 360);
            assert!(plan.tiles <= 121 && plan.tiles <= plan.columns * plan.rows, "{plan:?}");
            assert!(plan.columns <= 11 && plan.rows <= 11, "{plan:?}");
        }
        assert_eq!(plan(43_200_000, 640, 360).every_ms, 357_025);
    }

    #[test]
    fn tiles_are_bounded_and_even() {
        let size = |width, height| Some(plan(1000, width, height)).map(|plan| (plan.width, plan.height));
        assert_eq!(size(1080, 1920), Some((192, 342)));
        assert_eq!(size(16, 8000), Some((2, 384)));
        assert_eq!(size(8000, 16), Some((192, 2)));
        assert_eq!(size(101, 51), Some((100, 50)));
    }

    #[test]
    fn the_index_covers_the_film_without_gaps() {
        let text = plan(2500, 1280, 720).index(2500);
        assert_eq!(
            text,
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nstoryboard.jpg#xywh=0,0,192,108\n\
             \n00:00:01.000 --> 00:00:02.000\nstoryboard.jpg#xywh=192,0,192,108\n\
             \n00:00:02.000 --> 00:00:02.500\nstoryboard.jpg#xywh=0,108,192,108\n"
        );
        assert_eq!(clock(3_723_456), "01:02:03.456");
    }
}
