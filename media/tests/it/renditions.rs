//! Films become renditions that keep every rule of HLS, whatever they were before.

use events::media::Rung;
use std::path::Path;

use crate::inspect::{check, ffprobe, pixels};
use crate::probing::turn;
use crate::scratch::{SINE, Scratch, code};

#[tokio::test]
async fn one_run_makes_every_size() {
    let scratch = Scratch::new();
    let title = "-metadata title=SECRET -metadata location=+48.2+16.3/ -metadata:s:v:0 language=deu";
    let source = scratch.film("854x480", "30", 4.5, &format!("{title} a.mp4"));
    let started = std::time::Instant::now();
    let (film, made, told) = scratch.render(&source).await;
    let seconds = started.elapsed().as_secs_f64();
    check(&scratch, &film, &made, 4.5);
    assert_eq!(made.iter().map(|rendition| rendition.width).collect::<Vec<_>>(), [640, 854]);
    for pair in made.windows(2) {
        assert!(pair[0].average_bits < pair[1].average_bits, "{made:?}");
    }
    assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "{told:?}");
    assert!(told.len() >= 2 && told.len() as f64 <= 4.0 * seconds + 1.0, "{told:?} in {seconds} s");
    assert!(told[0] > 0.0 && told.last() == Some(&1.0), "{told:?}");
    let words: &[&[u8]] = &[b"SECRET", b"+48.2", b"deu"];
    for name in ["360p", "480p"] {
        let bytes = std::fs::read(scratch.out().join(name).join("init.mp4")).expect("a header");
        assert!(words.iter().all(|word| !bytes.windows(word.len()).any(|window| window == *word)), "{name}");
    }
}

#[tokio::test]
async fn an_earlier_attempt_leaves_no_traces() {
    let scratch = Scratch::new();
    let (long, short) = (scratch.film("64x64", "30", 9.0, "a.mp4"), scratch.film("64x64", "30", 2.0, "b.mp4"));
    let (_, made, _) = scratch.render(&long).await;
    assert_eq!(made[0].duration_ms, 9000);
    let (film, made, _) = scratch.render(&short).await;
    check(&scratch, &film, &made, 2.0);
}

#[tokio::test]
async fn portrait_without_sound() {
    let scratch = Scratch::new();
    let source = scratch.film("360x640", "30", 2.0, "-an a.mp4");
    let (film, made, _) = scratch.render(&source).await;
    check(&scratch, &film, &made, 2.0);
    assert_eq!((made[0].name.as_str(), made[0].width, made[0].height), ("360p", 360, 640));
    assert!(!film.sound && !made[0].codecs.contains("mp4a"));
}

#[tokio::test]
async fn odd_sizes_and_mono() {
    let scratch = Scratch::new();
    let source = scratch.film("640x360", "30", 2.0, "-vf scale=641:361,setsar=1,format=yuv444p -ac 1 a.mp4");
    let (film, made, _) = scratch.render(&source).await;
    check(&scratch, &film, &made, 2.0);
    assert_eq!((film.width, film.height), (641, 361));
    assert_eq!((made[0].width, made[0].height), (640, 360));
}

#[tokio::test]
async fn a_turned_film_stands_upright() {
    let scratch = Scratch::new();
    // red on the left: turned clockwise it is on top
    let halves = "drawbox=x=0:w=iw/2:color=red:t=fill,drawbox=x=iw/2:w=iw/2:color=blue:t=fill";
    let source = scratch.film("640x360", "30", 1.0, &format!("-vf {halves} a.mp4"));
    turn(&source, 1);
    let (film, made, _) = scratch.render(&source).await;
    check(&scratch, &film, &made, 1.0);
    assert_eq!((made[0].width, made[0].height), (360, 640));
    let seen = pixels(&scratch.tools, &scratch.out().join("360p/index.m3u8"), "1:2");
    assert!(seen[0][0] > 150 && seen[0][2] < 100 && seen[1][0] < 100 && seen[1][2] > 150, "{seen:?}");
    let picture = media::thumbnail(&scratch.tools, &source, &film, &scratch.out(), &scratch.stop).await;
    let picture = picture.expect("a thumbnail");
    assert_eq!((picture.width, picture.height), (360, 640));
    let seen = pixels(&scratch.tools, &scratch.out().join(&picture.file), "1:2");
    assert!(seen[0][0] > 150 && seen[0][2] < 100 && seen[1][0] < 100 && seen[1][2] > 150, "{seen:?}");
}

#[tokio::test]
async fn pixels_that_are_not_square_become_so() {
    let scratch = Scratch::new();
    let source = scratch.film("320x360", "30", 1.0, "-vf setsar=2 a.mp4");
    let (film, made, _) = scratch.render(&source).await;
    check(&scratch, &film, &made, 1.0);
    assert_eq!((made[0].width, made[0].height), (640, 360));
}

#[tokio::test]
async fn ten_bits_become_eight() {
    let scratch = Scratch::new();
    let source = scratch.film("320x180", "24", 2.0, "-pix_fmt yuv420p10le a.mkv");
    let depth = ffprobe(&scratch.tools, &source, "-select_streams v -show_entries stream=pix_fmt");
    assert_eq!(depth, [["yuv420p10le"]], "it must be deep, or this tests nothing");
    let (film, made, _) = scratch.render(&source).await;
    check(&scratch, &film, &made, 2.0);
}

#[tokio::test]
async fn every_rate_has_even_segments() {
    for (rate, seconds) in [("24", 2.0), ("30000/1001", 9.0), ("60", 5.0), ("1", 6.0)] {
        let scratch = Scratch::new();
        let source = scratch.film("64x64", rate, seconds, "a.mp4");
        let (film, made, _) = scratch.render(&source).await;
        // 29.97 does not end on a whole second
        let seconds = film.duration_ms as f64 / 1000.0;
        check(&scratch, &film, &made, seconds);
    }
}

/// Rounding that is right for one segment may not be for many.
#[tokio::test]
async fn a_long_film_does_not_drift() {
    let scratch = Scratch::new();
    let source = scratch.film("64x64", "30000/1001", 130.13, "-ac 1 -ar 22050 a.mp4");
    let (film, made, _) = scratch.render(&source).await;
    check(&scratch, &film, &made, film.duration_ms as f64 / 1000.0);
    assert_eq!(made[0].duration_ms.abs_diff(130_130) / 100, 0, "{made:?}");
}

#[tokio::test]
async fn a_rate_above_sixty_is_halved() {
    let scratch = Scratch::new();
    let source = scratch.film("64x64", "120", 2.0, "a.mp4");
    let (film, made, _) = scratch.render(&source).await;
    assert_eq!((film.rate.frames, made[0].rate.frames), (120, 60));
    check(&scratch, &film, &made, 2.0);
}

#[tokio::test]
async fn a_blink_of_a_film() {
    for frames in ["1", "12"] {
        let scratch = Scratch::new();
        let source = scratch.film("64x64", "30", 2.0, &format!("-frames:v {frames} -an a.mp4"));
        let (film, made, _) = scratch.render(&source).await;
        assert!(film.duration_ms <= 400, "{film:?}");
        check(&scratch, &film, &made, film.duration_ms as f64 / 1000.0);
    }
}

/// How much neighbouring rows differ, of 255: upright stripes that move do not at all, unless two of their pictures are
/// woven into one.
fn combed(scratch: &Scratch, file: &Path) -> u64 {
    let seen = pixels(&scratch.tools, file, "320:180");
    let below = seen.iter().skip(320);
    let sum: u64 = seen.iter().zip(below).map(|(one, other)| u64::from(one[1].abs_diff(other[1]))).sum();
    sum / (320 * 179)
}

#[tokio::test]
async fn fields_become_frames() {
    let scratch = Scratch::new();
    let stripes = "geq=lum='255*lt(mod(X+8*N,64),32)':cb=128:cr=128";
    let fields = "tinterlace=interleave_top,fieldorder=tff -flags +ildct+ilme -x264opts tff=1";
    let source = scratch.film("320x180", "50", 2.0, &format!("-vf {stripes},{fields} -r 25 a.ts"));
    assert!(combed(&scratch, &source) > 30, "they must be woven, or this tests nothing");
    let (film, made, _) = scratch.render(&source).await;
    assert_eq!((film.rate.per_second(), film.uneven), (25.0, false));
    check(&scratch, &film, &made, film.duration_ms as f64 / 1000.0);
    let left = combed(&scratch, &scratch.out().join("180p/index.m3u8"));
    assert!(left < 10, "{left}");
}

#[tokio::test]
async fn every_kind_of_file() {
    for (words, name) in [
        ("-c:v mpeg4 -c:a mp2", "a.avi"),
        ("-c:v libx264 -c:a mp2", "deep.avi"),
        ("-c:v libvpx -deadline realtime -c:a libopus", "a.webm"),
        ("-c:v flv1 -ar 44100 -c:a adpcm_swf -f flv", "a.flv"),
        ("-c:v mpeg2video -c:a mp2", "a.mpg"),
        ("-c:v wmv2 -c:a wmav2", "a.wmv"),
        ("-c:v libtheora -c:a libvorbis", "a.ogv"),
        ("-c:v mpeg2video -r 25 -ar 48000 -c:a pcm_s16le", "a.mxf"),
        ("-c:v prores -c:a pcm_s16le", "a.mov"),
    ] {
        let scratch = Scratch::new();
        let source =
            scratch.draw(&format!("-f lavfi -i testsrc2=size=128x96:rate=25:duration=2 {SINE}2 {words} {name}"));
        let (film, made, _) = scratch.render(&source).await;
        assert_eq!((film.width, film.height, film.rate.per_second(), film.sound), (128, 96, 25.0, true), "{name}");
        assert!((1900..2300).contains(&film.duration_ms), "{name}: {film:?}");
        check(&scratch, &film, &made, film.duration_ms as f64 / 1000.0);
    }
}

#[tokio::test]
async fn a_name_that_is_a_path_is_refused() {
    let scratch = Scratch::new();
    let source = scratch.film("64x64", "30", 1.0, "a.mp4");
    let film = scratch.probe(&source).await.expect("a film");
    for name in ["../64p", "", "64p -y", "."] {
        let rungs = processing::ladder(&film).into_iter().map(|rung| Rung { name: name.to_owned(), ..rung });
        let rungs: Vec<Rung> = rungs.collect();
        let made = media::rungs(&scratch.tools, &source, &film, &rungs, &scratch.out(), |_| {}, &scratch.stop).await;
        assert_eq!(code(made), "tool_failed", "{name}");
    }
}

#[tokio::test]
async fn a_film_that_breaks_off_is_as_long_as_what_is_left() {
    let scratch = Scratch::new();
    let whole = std::fs::read(scratch.film("320x180", "30", 6.0, "-g 15 -movflags +faststart a.mp4")).expect("a film");
    let source = scratch.file("half.mp4", &whole[..whole.len() / 2]);
    let (film, made, _) = scratch.render(&source).await;
    assert_eq!(film.duration_ms, 6000, "the header is whole");
    let seconds = made[0].duration_ms as f64 / 1000.0;
    assert!((1.0..5.0).contains(&seconds), "{made:?}");
    check(&scratch, &film, &made, seconds);
    // nothing but the header
    let mdat = whole.windows(4).position(|four| four == b"mdat").expect("a body");
    let source = scratch.file("header.mp4", &whole[..mdat + 100]);
    assert_eq!(code(scratch.encode(&source, &film, |_| {}).await), "source_broken");
    let thumbnail = media::thumbnail(&scratch.tools, &source, &film, &scratch.out(), &scratch.stop).await;
    assert_eq!(code(thumbnail), "source_broken");
    let storyboard = media::storyboard(&scratch.tools, &source, &film, &scratch.out(), &scratch.stop).await;
    assert_eq!(code(storyboard), "source_broken");
}
