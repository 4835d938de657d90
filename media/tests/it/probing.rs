//! What a source is found to be.

use events::media::{Film, Rate};
use std::path::{Path, PathBuf};

use crate::inspect::ffprobe;
use crate::scratch::{SINE, Scratch, code};

const THIRTY: Rate = Rate { frames: 30, seconds: 1 };

fn film(width: u32, height: u32) -> Film {
    Film { duration_ms: 1000, width, height, rate: THIRTY, uneven: false, sound: true, codec: "h264".into() }
}

#[tokio::test]
async fn a_film_is_what_it_was_drawn_as() {
    let scratch = Scratch::new();
    let source = scratch.film("320x180", "30", 1.0, "a.mp4");
    assert_eq!(scratch.probe(&source).await, Ok(film(320, 180)));
    let source = scratch.film("180x320", "30", 1.0, "-vf scale=181:321,format=yuv444p -an odd.mkv");
    assert_eq!(scratch.probe(&source).await, Ok(Film { sound: false, ..film(181, 321) }));
    let source = scratch.film("320x180", "60", 1.0, "-pix_fmt yuv420p10le deep.mov");
    assert_eq!(scratch.probe(&source).await, Ok(Film { rate: Rate { frames: 60, seconds: 1 }, ..film(320, 180) }));
}

#[tokio::test]
async fn rates_are_exact() {
    let scratch = Scratch::new();
    for (rate, frames, seconds) in [("24", 24, 1), ("30000/1001", 30000, 1001), ("60000/1001", 60000, 1001)] {
        for name in ["a.mp4", "a.mkv"] {
            let source = scratch.film("64x64", rate, 1.0, name);
            let found = scratch.probe(&source).await.expect("a film");
            assert_eq!((found.rate, found.uneven), (Rate { frames, seconds }, false), "{name}");
        }
    }
}

#[tokio::test]
async fn a_viewers_size_counts() {
    let scratch = Scratch::new();
    let source = scratch.film("320x180", "30", 1.0, "-vf setsar=2 wide.mp4");
    assert_eq!(scratch.probe(&source).await, Ok(film(640, 180)));
    let source = scratch.film("320x180", "30", 1.0, "upright.mp4");
    for quarters in [0, 1, 2, 3] {
        turn(&source, quarters);
        let seen = if quarters % 2 == 1 { film(180, 320) } else { film(320, 180) };
        assert_eq!(scratch.probe(&source).await, Ok(seen), "{quarters} quarters");
    }
}

/// Turns a film clockwise as a telephone does: by the matrix in its header (ISO 14496-12, 8.3.2).
pub fn turn(film: &Path, quarters: usize) {
    let mut bytes = std::fs::read(film).expect("a film");
    // the first track is the picture; behind the name stand 40 bytes of other fields, then nine numbers
    let at = bytes.windows(4).position(|four| four == b"tkhd").expect("a header") + 4 + 40;
    let one = 1 << 16;
    let [a, b, c, d]: [i32; 4] = [[one, 0, 0, one], [0, one, -one, 0], [-one, 0, 0, -one], [0, -one, one, 0]][quarters];
    let matrix = [a, b, 0, c, d, 0, 0, 0, 1 << 30].map(i32::to_be_bytes).concat();
    bytes[at..at + matrix.len()].copy_from_slice(&matrix);
    std::fs::write(film, bytes).expect("a film");
}

/// Thirty frames in the first second, then ten in each of three.
pub fn uneven(scratch: &Scratch) -> PathBuf {
    let times = "setpts='if(lt(N,30),N/30,1+(N-30)/10)/TB'";
    let drawn = scratch.film("64x64", "30", 2.0, &format!("-vf {times} -t 4 drawn.mkv"));
    // Matroska says the rate that was planned, MP4 only what there is
    scratch.draw(&format!("-i {} -c copy uneven.mp4", drawn.display()))
}

#[tokio::test]
async fn frames_at_uneven_times_are_seen() {
    let scratch = Scratch::new();
    let source = uneven(&scratch);
    let found = scratch.probe(&source).await.expect("a film");
    assert!(found.uneven && (14.0..17.0).contains(&found.rate.per_second()), "{found:?}");
}

/// What browsers record goes to a pipe: nobody returns to the beginning to say how long it has become.
#[tokio::test]
async fn a_recording_that_does_not_say_how_long_it_is_is_counted() {
    let scratch = Scratch::new();
    let source = scratch.path("piped.mkv");
    let file = std::fs::File::create(&source).expect("a file");
    let mut record = std::process::Command::new(scratch.tools.ffmpeg());
    record.args("-nostdin -loglevel error -f lavfi -i testsrc2=size=64x64:rate=25:duration=3".split(' '));
    record.args("-c:v libx264 -f matroska pipe:1".split(' '));
    assert!(record.stdout(file).status().expect("ffmpeg runs").success());
    let said = ffprobe(&scratch.tools, &source, "-show_entries format=duration");
    assert_eq!(said, [["N/A"]], "it must not say how long it is, or this tests nothing");
    let found = scratch.probe(&source).await.expect("a film");
    assert!((2960..=3040).contains(&found.duration_ms), "{found:?}");
    assert!((found.rate.per_second() - 25.0).abs() < 0.3, "{found:?}");
}

#[tokio::test]
async fn a_cover_is_no_film_and_no_part_of_one() {
    let scratch = Scratch::new();
    let cover =
        "-f lavfi -i color=red:size=500x500:duration=1 -map 0:a -map 1:v -frames:v 1 -disposition:v attached_pic";
    let song = scratch.draw(&format!("{SINE}2 {cover} -c:v mjpeg song.mp3"));
    assert_eq!(code(scratch.probe(&song).await), "source_without_picture");
    let sound = scratch.draw(&format!("{SINE}2 sound.m4a"));
    assert_eq!(code(scratch.probe(&sound).await), "source_without_picture");
    let film = "-f lavfi -i testsrc2=size=320x180:rate=30:duration=1 -f lavfi -i color=red:size=500x500:duration=0.1";
    let streams = "-map 0:v -map 1:v -c:v:0 libx264 -c:v:1 mjpeg -disposition:v:1 attached_pic";
    let source = scratch.draw(&format!("{film} {streams} covered.mp4"));
    cover_first(&source);
    let widths = ffprobe(&scratch.tools, &source, "-show_entries stream=width");
    assert_eq!(widths, [["500"], ["320"]], "the cover must come first, or this tests nothing");
    let found = scratch.probe(&source).await.expect("a film");
    assert_eq!((found.width, found.height), (320, 180));
    let (_, made, _) = scratch.render(&source).await;
    assert_eq!((made[0].width, made[0].height), (320, 180));
}

/// Puts what is said of a film, and its cover with it, before its tracks; readers number streams in this order.
fn cover_first(film: &Path) {
    let mut bytes = std::fs::read(film).expect("a film");
    let find = |bytes: &[u8], name: &[u8; 4]| bytes.windows(4).position(|four| four == name).expect("a box") - 4;
    let length = |bytes: &[u8], at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let udta = find(&bytes, b"udta");
    let size = length(&bytes, udta) as usize;
    let first_track = find(&bytes, b"trak");
    assert!(first_track < udta);
    bytes[first_track..udta + size].rotate_right(size);
    std::fs::write(film, bytes).expect("a film");
}

#[tokio::test]
async fn too_much_of_a_film_is_refused() {
    let scratch = Scratch::bounded(|limits| limits.longest_ms = 1500);
    let (short, long) = (scratch.film("64x64", "30", 1.0, "a.mp4"), scratch.film("64x64", "30", 2.0, "b.mp4"));
    assert_eq!(code(scratch.probe(&short).await), "done");
    assert_eq!(code(scratch.probe(&long).await), "source_too_long");
    let scratch = Scratch::bounded(|limits| limits.pixels = 64 * 64);
    let (small, large) = (scratch.film("64x64", "30", 1.0, "a.mp4"), scratch.film("66x64", "30", 1.0, "b.mp4"));
    assert_eq!(code(scratch.probe(&small).await), "done");
    assert_eq!(code(scratch.probe(&large).await), "source_too_large");
}
