//! Still pictures of a film, as JPEG.

use events::media::{Film, Picture};
use std::ffi::OsString;
use std::path::Path;
use tokio_util::sync::CancellationToken;

use crate::child::{Heard, Job, run};
use crate::input::{checked, decoded, words};
use crate::{Failure, Stopped, Tools};

const FILE: &str = "thumbnail.jpg";
/// Pixels of the longer side.
const LONGEST_SIDE: u32 = 1280;
/// Frames of which the most typical one is chosen, so that it is not the one black frame between two scenes.
const CHOICE: u32 = 30;

/// Makes the picture that stands for a film, `thumbnail.jpg` in `out`: from a tenth into it, where titles are over.
///
/// # Errors
/// Not one frame can be decoded, a limit was reached, or the tool failed.
pub async fn thumbnail(
    tools: &Tools,
    source: &Path,
    film: &Film,
    out: &Path,
    stop: &CancellationToken,
) -> Result<Picture, Stopped> {
    let source = checked(source)?;
    let (width, height) = fit(film, LONGEST_SIDE, LONGEST_SIDE);
    let filter = format!("{},thumbnail={CHOICE}", scaled(width, height));
    let seconds = film.duration_ms as f64 / 10_000.0;
    let late = format!("-an -ss {seconds:.3}");
    // a film that breaks off may have nothing there, and what nobody can search has it only at its beginning
    for options in [late.as_str(), "-an"] {
        let mut args = decoded(tools, &source, options);
        args.extend(words("-map 0:V:0 -vf"));
        args.push(filter.clone().into());
        args.extend(jpeg(FILE));
        if draw(tools, &source, film, out, FILE, args, stop).await? {
            return Ok(Picture { file: FILE.into(), width, height });
        }
    }
    Err(Failure::broken().with_tail("no frames").into())
}

/// Runs ffmpeg for one picture; whether there is one afterwards.
pub(crate) async fn draw(
    tools: &Tools,
    source: &Path,
    film: &Film,
    out: &Path,
    file: &str,
    args: Vec<OsString>,
    stop: &CancellationToken,
) -> Result<bool, Stopped> {
    let path = out.join(file);
    std::fs::create_dir_all(out).map_err(|error| Failure::of_io(&error))?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Failure::of_io(&error).into()),
        _ => {}
    }
    let time = tools.limits().time(film.duration_ms);
    let job = Job { program: tools.ffmpeg(), args, folder: Some(out), source, time, reports: false };
    match run(tools.limits(), job, stop, |_| Ok(Heard::Nothing)).await {
        // newer versions end with an error when there is nothing to write
        Err(Stopped::Failed(failure)) if failure.code == "source_broken" => return Ok(false),
        other => other?,
    }
    let drawn = std::fs::read(&path).unwrap_or_default();
    // from the first marker of JPEG to the last: nothing is missing
    Ok(drawn.starts_with(&[0xFF, 0xD8]) && drawn.ends_with(&[0xFF, 0xD9]))
}

/// The filter that brings frames to a size in the range of numbers that JPEG has.
pub(crate) fn scaled(width: u32, height: u32) -> String {
    format!("scale={width}:{height}:out_range=pc,setsar=1,format=yuvj420p")
}

/// Arguments for one JPEG in `file`, which says nothing about its source.
pub(crate) fn jpeg(file: &str) -> Vec<OsString> {
    words(&format!("-frames:v 1 -map_metadata -1 -map_chapters -1 -c:v mjpeg -q:v 3 -f mjpeg {file}"))
}

/// Even numbers of pixels within a frame, the aspect kept and nothing enlarged.
pub(crate) fn fit(film: &Film, width: u32, height: u32) -> (u32, u32) {
    let (across, down) = (f64::from(film.width.max(1)), f64::from(film.height.max(1)));
    let scale = (f64::from(width) / across).min(f64::from(height) / down).min(1.0);
    let even = |pixels: f64, most: u32| {
        let most = (pixels as u32).min(most) & !1;
        (2 * (pixels * scale / 2.0).round() as u32).clamp(2, most.max(2))
    };
    (even(across, width), even(down, height))
}
