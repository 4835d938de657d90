//! Encodes a film into segments for HLS: all sizes in one process, which decodes once. Every size has its key frames at
//! the same times, so that a player may change between them at any segment.

use events::media::{Film, Rate, Rendition, Rung};
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::child::{Heard, Job, run};
use crate::input::{checked, decoded, words};
use crate::rendition::{INDEX, measure};
use crate::tail::sound_after_picture;
use crate::{Failure, Stopped, Tools};

/// How much effort x264 makes: slower ones take twice the time for a tenth fewer bits.
const PRESET: &str = "veryfast";
/// Seconds between key frames; two of these are a segment.
const GROUP: u32 = 2;
const SEGMENT: u32 = 4;

/// Makes the renditions of a film, each in a folder of `out` named after its rung. `progress` is told the part that is
/// done, from 0 to 1, never less than before and at most four times a second.
///
/// # Errors
/// The film cannot be decoded, a limit was reached, or the tool failed. What lies in `out` is worthless then.
pub async fn rungs(
    tools: &Tools,
    source: &Path,
    film: &Film,
    rungs: &[Rung],
    out: &Path,
    mut progress: impl FnMut(f32) + Send,
    stop: &CancellationToken,
) -> Result<Vec<Rendition>, Stopped> {
    if rungs.is_empty() {
        return Ok(vec![]);
    }
    let source = checked(source)?;
    prepare(out, rungs)?;
    let tail = if film.sound { sound_after_picture(tools, &source, film, stop).await? } else { 0.0 };
    let args = encoding(tools, &source, film, rungs, tail);
    let mut meter = Meter::new(film.duration_ms, tools.limits().longest_ms);
    let hear = |line: &str| {
        let (heard, part) = meter.read(line)?;
        part.into_iter().for_each(&mut progress);
        Ok(heard)
    };
    let time = tools.limits().time(film.duration_ms);
    let job = Job { program: tools.ffmpeg(), args, folder: Some(out), source: &source, time, reports: true };
    run(tools.limits(), job, stop, hear).await?;
    let made = verify(out, rungs).await?;
    progress(1.0);
    Ok(made)
}

/// The words with which ffmpeg makes the renditions, in folders of the one that it runs in; `tail` is how many seconds the
/// last frame stands still at the end.
pub fn encoding(tools: &Tools, source: &Path, film: &Film, rungs: &[Rung], tail: f64) -> Vec<OsString> {
    let threads = tools.limits().threads.max(1);
    // a cover that only looks like a film must not become one of its own: sound is mapped when it was probed
    let mut args = decoded(tools, source, if film.sound { "" } else { "-an" });
    args.extend(words(&format!("-progress pipe:1 -filter_complex_threads {threads}")));
    let rate = rungs.first().map_or(film.rate, |first| first.rate);
    args.extend(["-filter_complex".into(), graph(rate, rungs, tail).into()]);
    args.extend(rungs.iter().enumerate().flat_map(|(number, rung)| output(number, rung, threads)));
    args
}

/// Empty folders: what an earlier attempt left would be taken for ours.
fn prepare(out: &Path, rungs: &[Rung]) -> Result<(), Failure> {
    for rung in rungs {
        // it becomes a path, and a word of a command line
        if rung.name.is_empty() || !rung.name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Failure::tool().with_tail(format!("{:?} is no name of a rung", rung.name)));
        }
        let folder = out.join(&rung.name);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Failure::of_io(&error)),
            _ => std::fs::create_dir_all(&folder).map_err(|error| Failure::of_io(&error))?,
        }
    }
    Ok(())
}

async fn verify(out: &Path, rungs: &[Rung]) -> Result<Vec<Rendition>, Failure> {
    let (out, rungs) = (out.to_owned(), rungs.to_vec());
    let all = move || rungs.iter().map(|rung| measure(&out, rung)).collect();
    tokio::task::spawn_blocking(all).await.unwrap_or_else(|error| Err(Failure::tool().with_tail(error.to_string())))
}

/// Decoded once, brought to an even rate from the very beginning, then to each size.
fn graph(rate: Rate, rungs: &[Rung], tail: f64) -> String {
    let mut graph = format!("[0:V:0]yadif=deint=interlaced,fps={}/{}:start_time=0", rate.frames, rate.seconds);
    // the last frame stands still until the sound has ended
    let still = (tail * rate.per_second()).round() as u64;
    if still > 0 {
        graph += &format!(",tpad=stop_mode=clone:stop={still}");
    }
    graph += &format!(",split={}", rungs.len());
    graph.extend((0..rungs.len()).map(|number| format!("[s{number}]")));
    for (number, Rung { width, height, .. }) in rungs.iter().enumerate() {
        let scale = format!("scale={width}:{height}:out_range=tv,setsar=1,format=yuv420p");
        graph += &format!(";[s{number}]{scale}[v{number}]");
    }
    graph
}

fn output(number: usize, rung: &Rung, threads: usize) -> Vec<OsString> {
    let Rung { name, video_bits: bits, audio_bits, rate, .. } = rung;
    let group = (f64::from(GROUP) * rate.per_second()).ceil().max(1.0) as u32;
    let (most, buffer) = (u64::from(*bits) * 3 / 2, u64::from(*bits) * 2);
    let mut line = format!(
        "-map [v{number}] -map_metadata -1 -map_chapters -1 -threads {threads} -max_muxing_queue_size 16384
         -c:v libx264 -preset {PRESET} -profile:v high -b:v {bits} -maxrate {most} -bufsize {buffer}
         -g {group} -keyint_min {group} -sc_threshold 0 -flags +cgop -forced-idr 1
         -force_key_frames expr:gte(t,n_forced*{GROUP})"
    );
    if *audio_bits > 0 {
        // gaps are filled with silence, else everything after them comes too early
        line += &format!(" -map 0:a:0 -c:a aac -b:a {audio_bits} -ac 2 -ar 48000 -af aresample=async=1:first_pts=0");
    }
    line += &format!(
        " -f hls -hls_time {SEGMENT} -hls_list_size 0 -hls_playlist_type vod -hls_flags independent_segments
          -hls_segment_type fmp4 -hls_fmp4_init_filename init.mp4 -start_number 1
          -hls_segment_filename {name}/%05d.m4s {name}/{INDEX}"
    );
    words(&line)
}

/// Reads what `-progress` prints, and knows when it is worth telling.
struct Meter {
    duration_ms: u64,
    longest_ms: u64,
    /// The last `frame` and `out_time_us`: while either grows it is not stuck.
    frame: u64,
    time_us: u64,
    told: f32,
    at: Option<Instant>,
}

const PAUSE: Duration = Duration::from_millis(250);

impl Meter {
    fn new(duration_ms: u64, longest_ms: u64) -> Self {
        Meter { duration_ms: duration_ms.max(1), longest_ms, frame: 0, time_us: 0, told: 0.0, at: None }
    }

    /// Whether it moves on, and what to tell.
    fn read(&mut self, line: &str) -> Result<(Heard, Option<f32>), Failure> {
        let Some((name, Ok(value))) = line.split_once('=').map(|(name, value)| (name, value.trim().parse::<u64>()))
        else {
            return Ok((Heard::Nothing, None));
        };
        let last = match name {
            "frame" => &mut self.frame,
            "out_time_us" => &mut self.time_us,
            _ => return Ok((Heard::Nothing, None)),
        };
        if value <= *last {
            return Ok((Heard::Nothing, None));
        }
        *last = value;
        // the header may say less than there is
        if self.time_us / 1000 > self.longest_ms.saturating_add(1000) {
            return Err(Failure::too_long(self.longest_ms));
        }
        // only the files themselves say that it is done
        let part = (self.time_us as f32 / 1000.0 / self.duration_ms as f32).min(0.99);
        let due = self.at.is_none_or(|at| at.elapsed() >= PAUSE);
        if part <= self.told || !due {
            return Ok((Heard::Progress, None));
        }
        (self.told, self.at) = (part, Some(Instant::now()));
        Ok((Heard::Progress, Some(part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_grows_is_progress() {
        let mut meter = Meter::new(10_000, 60_000);
        let mut hear = |line: &str| meter.read(line).map(|(heard, part)| (heard == Heard::Progress, part));
        assert_eq!(hear("out_time_us=N/A"), Ok((false, None)));
        assert_eq!(hear("frame=  12"), Ok((true, None)));
        assert_eq!(hear("frame=12"), Ok((false, None)));
        assert_eq!(hear("out_time_us=5000000"), Ok((true, Some(0.5))));
        assert_eq!(hear("out_time_us=4000000"), Ok((false, None)));
        assert_eq!(hear("speed=1.2x"), Ok((false, None)));
        assert_eq!(hear("out_time_us=6000000"), Ok((true, None)), "too soon to tell");
    }

    #[test]
    fn a_film_that_goes_on_and_on_is_too_long() {
        let mut meter = Meter::new(10_000, 60_000);
        assert!(meter.read("out_time_us=60500000").is_ok());
        assert_eq!(
            meter.read("out_time_us=61500000").map(drop).map_err(|failure| failure.code),
            Err("source_too_long")
        );
    }
}
