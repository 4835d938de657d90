//! How a source is opened: by one protocol, as one of a few formats, none of which can refer to other files.
//! The same words are given to ffprobe and ffmpeg, so that neither opens what the other would refuse.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::{Failure, Tools};

/// Names of demuxers. Playlists, manifests, lists of files and numbered pictures are not among them: they open other
/// files. Pure sound is, so that it can be told apart from what is broken.
const FORMATS: &str = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,mxf,dv,mp3,aac,wav,flac";

/// Bytes of a single allocation: a hostile header asks for more.
const LARGEST_ALLOCATION: u64 = 1 << 29;

/// The source with every link followed: a file with something in it.
///
/// # Errors
/// It is empty, or it is not there, which is our doing.
pub(crate) fn checked(source: &Path) -> Result<PathBuf, Failure> {
    let source = source.canonicalize().map_err(|error| Failure::of_io(&error))?;
    let meta = source.metadata().map_err(|error| Failure::of_io(&error))?;
    match meta.is_file() {
        false => Err(Failure::tool().with_tail("the source is not a file")),
        true if meta.len() == 0 => Err(Failure::empty()),
        true => Ok(source),
    }
}

/// Arguments that both tools understand, up to and with the source.
pub(crate) fn probed(tools: &Tools, source: &Path) -> Vec<OsString> {
    let mut args = words("-hide_banner -loglevel error");
    args.extend(bounded(tools));
    args.extend([OsString::from("-i"), url(source)]);
    args
}

/// Arguments of ffmpeg up to and with the source. `options` are for this input: `-ss 1 -an`.
pub(crate) fn decoded(tools: &Tools, source: &Path, options: &str) -> Vec<OsString> {
    // what can be decoded counts, however much cannot: a film that breaks off is still worth having
    let mut args = words("-nostdin -hide_banner -loglevel error -y -max_error_rate 1 -stats_period 0.5");
    args.extend(bounded(tools));
    args.extend(words("-sn -dn"));
    args.extend(words(options));
    args.extend([OsString::from("-i"), url(source)]);
    args
}

/// The words of a line without spaces in any of them.
pub(crate) fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn bounded(tools: &Tools) -> Vec<OsString> {
    let threads = tools.limits().threads.max(1);
    words(&format!(
        "-max_alloc {LARGEST_ALLOCATION} -protocol_whitelist file -format_whitelist {FORMATS} -threads {threads}"
    ))
}

/// Without the protocol a name like `concat:a|b` or `-y` would be something else.
fn url(source: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(source);
    url
}
