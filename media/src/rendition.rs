//! Looks at what an encoder left in a folder: whole, of the right size and rate, and how many bits it takes.
//! The numbers come from the files and never from what was asked for.

use events::media::{Rendition, Rung};
use std::path::Path;

use crate::Failure;
use crate::boxes::{Init, frames};
use crate::playlist::Playlist;

/// The media playlist of each rendition.
pub(crate) const INDEX: &str = "index.m3u8";

/// Verifies and measures a rendition.
///
/// # Errors
/// There is nothing in it, which is the source's fault, or it is not what was asked for, which is ours.
pub(crate) fn measure(out: &Path, rung: &Rung) -> Result<Rendition, Failure> {
    let folder = out.join(&rung.name);
    let read = |name: &str| match std::fs::read(folder.join(name)) {
        // without a single frame nothing is written at all
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::broken().with_tail("no frames")),
        other => other.map_err(|error| Failure::of_io(&error)),
    };
    let text = read(INDEX)?;
    let playlist = Playlist::read(&String::from_utf8_lossy(&text)).ok_or_else(|| unlike(rung, "no whole playlist"))?;
    let header = read(&playlist.init)?;
    let init = Init::read(&header).ok_or_else(|| unlike(rung, "no H.264 in its header"))?;
    if (init.width, init.height) != (rung.width, rung.height) {
        return Err(unlike(rung, &format!("{}x{} pixels", init.width, init.height)));
    }
    if init.sound != (rung.audio_bits > 0) {
        return Err(unlike(rung, "sound is missing or too much"));
    }
    let bytes = segments(&folder, &playlist, &init, rung)?;
    Ok(Rendition {
        name: rung.name.clone(),
        folder: rung.name.clone(),
        width: init.width,
        height: init.height,
        rate: rung.rate,
        codecs: init.codecs,
        peak_bits: playlist.peak(&bytes).ceil() as u64,
        average_bits: playlist.average(&bytes).ceil() as u64,
        duration_ms: (playlist.seconds() * 1000.0).round() as u64,
        bytes: bytes.iter().sum::<u64>() + text.len() as u64 + header.len() as u64,
    })
}

/// Bytes of each segment, all of them there and at the right rate.
fn segments(folder: &Path, playlist: &Playlist, init: &Init, rung: &Rung) -> Result<Vec<u64>, Failure> {
    let mut all = vec![];
    for segment in &playlist.segments {
        let file = folder.join(&segment.file);
        let counted = frames(&file, init.track).map_err(|error| unlike(rung, &format!("{}: {error}", segment.file)))?;
        let expected = segment.seconds * rung.rate.per_second();
        if (counted as f64 - expected).abs() > 1.0 + expected / 100.0 {
            return Err(unlike(rung, &format!("{} has {counted} frames, not {expected:.1}", segment.file)));
        }
        all.push(file.metadata().map_err(|error| Failure::of_io(&error))?.len());
    }
    Ok(all)
}

fn unlike(rung: &Rung, what: &str) -> Failure {
    Failure::tool().with_tail(format!("{} is not as it should be: {what}", rung.name))
}
