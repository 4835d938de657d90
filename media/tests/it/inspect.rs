//! What ffprobe and ffmpeg say of the files that were made: opinions other than those of the code under test.

use events::media::{Film, Rendition, Rung};
use media::Tools;
use processing::ladder;
use std::path::Path;
use std::process::Command;

use crate::m3u8;
use crate::scratch::Scratch;

/// Seconds by which the encoder for sound may start early and end late.
const PRIMING: f64 = 2.0 * 1024.0 / 48_000.0;

/// The output of ffprobe: one line for each thing, its values separated by commas.
pub fn ffprobe(tools: &Tools, file: &Path, words: &str) -> Vec<Vec<String>> {
    let mut command = Command::new(tools.ffprobe());
    command.args("-hide_banner -loglevel error -of csv=p=0".split(' ')).args(words.split_whitespace()).arg(file);
    let output = command.output().expect("ffprobe runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// The first picture, brought to `size`, as red, green and blue of each pixel.
pub fn pixels(tools: &Tools, file: &Path, size: &str) -> Vec<[u8; 3]> {
    let words = format!("-map 0:v -vf scale={size}:flags=area -frames:v 1 -f rawvideo -pix_fmt rgb24 pipe:1");
    let mut command = Command::new(tools.ffmpeg());
    let output = command
        .args("-nostdin -hide_banner -loglevel error -i".split(' '))
        .arg(file)
        .args(words.split(' '))
        .output()
        .expect("ffmpeg runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect()
}

/// Checks everything about the renditions of a film that can be checked of any film. `seconds` is how long each must be.
pub fn check(scratch: &Scratch, film: &Film, made: &[Rendition], seconds: f64) {
    let rungs = ladder(film);
    let names = |of: &[Rung]| of.iter().map(|rung| rung.name.clone()).collect::<Vec<_>>();
    assert_eq!(made.iter().map(|rendition| rendition.name.clone()).collect::<Vec<_>>(), names(&rungs));
    for (rung, rendition) in rungs.iter().zip(made) {
        Checked { scratch, rung, rendition }.check(seconds);
    }
}

struct Checked<'a> {
    scratch: &'a Scratch,
    rung: &'a Rung,
    rendition: &'a Rendition,
}

impl Checked<'_> {
    fn check(&self, seconds: f64) {
        let Checked { scratch, rung, rendition } = self;
        let folder = scratch.out().join(&rendition.folder);
        let playlist = m3u8::strict(&folder);
        let frame = 1.0 / rung.rate.per_second();
        let total: f64 = playlist.segments.iter().map(|(_, seconds)| seconds).sum();
        assert!((total - seconds).abs() <= 2.0 * frame + PRIMING, "{total} s instead of {seconds} s");
        assert!((rendition.duration_ms as f64 / 1000.0 - total).abs() < 0.001, "{rendition:?}");
        assert!(playlist.target <= 5, "segments of {} s", playlist.target);
        let read = |name: &String| std::fs::read(folder.join(name)).expect("a file that is named");
        let all = [&playlist.init].into_iter().chain(playlist.segments.iter().map(|(name, _)| name));
        self.streams(&scratch.file("whole.mp4", &all.flat_map(read).collect::<Vec<u8>>()));
        let (mut frames, mut sizes) = (0, vec![]);
        for (name, seconds) in &playlist.segments {
            let (init, body) = (read(&playlist.init), read(name));
            sizes.push((body.len() as f64, *seconds));
            let counted = self.segment(&scratch.file("segment.mp4", &[init, body].concat()));
            assert!((counted as f64 - seconds / frame).abs() <= 1.0, "{counted} frames in {seconds} s");
            frames += counted;
        }
        assert!((frames as f64 - total / frame).abs() <= 1.0, "{frames} frames in {total} s");
        self.bits(&folder, &sizes, total);
        self.plays(&folder.join("index.m3u8"));
    }

    /// What a player would find in it.
    fn streams(&self, whole: &Path) {
        let Checked { scratch, rung, rendition } = self;
        let words = "-show_entries stream=codec_name,profile,width,height,sample_aspect_ratio,pix_fmt,level,\
                     sample_rate,channels,r_frame_rate";
        let found = ffprobe(&scratch.tools, whole, words);
        let (picture, sound) = found.split_first().expect("a picture");
        let (width, height) = (rung.width.to_string(), rung.height.to_string());
        assert_eq!(picture[..6], ["h264", "High", &width, &height, "1:1", "yuv420p"], "{picture:?}");
        let (frames, each) = picture[7].split_once('/').expect("a fraction");
        let rate = frames.parse::<f64>().expect("a number") / each.parse::<f64>().expect("a number");
        assert!((rate - rung.rate.per_second()).abs() < 0.01, "{picture:?}");
        assert_eq!((rendition.width, rendition.height, rendition.rate), (rung.width, rung.height, rung.rate));
        let level: u32 = picture[6].parse().expect("a number");
        let aac = if rung.audio_bits > 0 { ",mp4a.40.2" } else { "" };
        assert_eq!(rendition.codecs, format!("avc1.6400{level:02X}{aac}"));
        let expected: &[[&str; 5]] = if rung.audio_bits > 0 { &[["aac", "LC", "48000", "2", "0/0"]] } else { &[] };
        assert_eq!(sound, expected);
    }

    /// A segment alone, behind its header: begins with a key frame, frames at even times. How many there are.
    fn segment(&self, file: &Path) -> usize {
        let words = "-select_streams v -show_entries packet=pts_time,flags";
        let packets = ffprobe(&self.scratch.tools, file, words);
        assert!(packets[0][1].starts_with('K'), "it begins with {:?}", packets[0]);
        let mut times: Vec<f64> = packets.iter().map(|packet| packet[0].parse().expect("a time")).collect();
        assert!(times.iter().all(|time| *time >= times[0]), "frames before the key frame");
        let keys = packets.iter().filter(|packet| packet[1].starts_with('K'));
        let keys: Vec<f64> = keys.map(|packet| packet[0].parse().expect("a time")).collect();
        let frame = 1.0 / self.rung.rate.per_second();
        for pair in keys.windows(2) {
            assert!((pair[1] - pair[0] - 2.0).abs() <= frame, "key frames at {keys:?}");
        }
        times.sort_by(f64::total_cmp);
        for pair in times.windows(2) {
            assert!((pair[1] - pair[0] - frame).abs() < 0.0015, "frames at {pair:?} instead of every {frame} s");
        }
        times.len()
    }

    fn bits(&self, folder: &Path, segments: &[(f64, f64)], total: f64) {
        let rendition = self.rendition;
        let files = std::fs::read_dir(folder).expect("a folder");
        let bytes: u64 = files.map(|file| file.expect("a file").metadata().expect("its size").len()).sum();
        assert_eq!(rendition.bytes, bytes);
        let average = segments.iter().map(|(bytes, _)| bytes * 8.0).sum::<f64>() / total;
        assert!((rendition.average_bits as f64 - average).abs() <= 1.0, "{rendition:?}, {average}");
        // those long enough to count alone; a short one at the end counts with its neighbour
        let long = segments.iter().filter(|(_, seconds)| *seconds >= 2.0);
        let peak = long.map(|(bytes, seconds)| bytes * 8.0 / seconds).fold(average, f64::max);
        assert!(rendition.peak_bits as f64 >= peak.floor(), "{rendition:?}, {peak}");
    }

    /// Decodes from the first to the last second without a complaint.
    fn plays(&self, index: &Path) {
        let mut command = Command::new(self.scratch.tools.ffmpeg());
        command.args("-nostdin -hide_banner -loglevel warning -xerror -i".split(' ')).arg(index);
        let output = command.args("-f null -".split(' ')).output().expect("ffmpeg runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
}
