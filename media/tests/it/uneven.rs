//! Films whose frames, sound and header do not agree on when things happen.

use crate::inspect::{check, ffprobe, pixels};
use crate::probing::uneven;
use crate::scratch::{SINE, Scratch};

/// When the sound is first heard, in seconds: there is silence before.
fn first_sound(scratch: &Scratch, name: &str) -> f64 {
    let output = std::process::Command::new(scratch.tools.ffmpeg())
        .args(["-nostdin", "-hide_banner", "-i"])
        .arg(scratch.out().join(name).join("index.m3u8"))
        .args("-vn -af silencedetect=noise=-40dB:duration=0.1 -f null -".split(' '))
        .output()
        .expect("ffmpeg runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let end = said.split("silence_end: ").nth(1).and_then(|rest| rest.split_whitespace().next());
    end.map_or(0.0, |end| end.parse().expect("a time"))
}

#[tokio::test]
async fn uneven_frames_become_even() {
    let scratch = Scratch::new();
    let source = uneven(&scratch);
    let (film, made, _) = scratch.render(&source).await;
    assert!(film.uneven, "{film:?}");
    assert_eq!((made[0].rate.frames, made[0].rate.seconds), (24, 1));
    check(&scratch, &film, &made, film.duration_ms as f64 / 1000.0);
}

/// A recording of a screen that stands still: the last frame is drawn early, and somebody goes on speaking.
#[tokio::test]
async fn sound_after_the_last_frame_is_kept() {
    // the second says neither how long it is nor can it be searched, as what browsers record
    let browser = "-c:v libvpx -deadline realtime -c:a libopus -live 1 -f webm";
    for (codecs, name) in [("-c:v libx264", "a.mp4"), (browser, "a.webm")] {
        let scratch = Scratch::new();
        let source =
            scratch.draw(&format!("-f lavfi -i testsrc2=size=64x64:rate=30:duration=2 {SINE}9 {codecs} {name}"));
        let last = ffprobe(&scratch.tools, &source, "-select_streams v -show_entries packet=pts_time");
        assert!(last.iter().all(|time| time[0].parse::<f64>().expect("a time") < 2.0), "{name} must end early");
        let (film, made, _) = scratch.render(&source).await;
        check(&scratch, &film, &made, 9.0);
    }
}

#[tokio::test]
async fn a_picture_after_the_sound_is_kept() {
    let scratch = Scratch::new();
    let source =
        scratch.draw(&format!("-f lavfi -i testsrc2=size=64x64:rate=30:duration=6 {SINE}1 -c:v libx264 a.mp4"));
    let (film, made, _) = scratch.render(&source).await;
    check(&scratch, &film, &made, 6.0);
}

#[tokio::test]
async fn a_late_picture_is_shown_from_the_beginning() {
    let scratch = Scratch::new();
    let late = "-itsoffset 1.5 -f lavfi -i color=red:size=64x64:rate=30:duration=2";
    let source = scratch.draw(&format!("{late} {SINE}3.5 -c:v libx264 -bf 0 a.mkv"));
    let first = ffprobe(&scratch.tools, &source, "-select_streams v -show_entries packet=pts_time");
    assert!(first[0][0].parse::<f64>().expect("a time") > 1.4, "it must be late, or this tests nothing");
    let (film, made, _) = scratch.render(&source).await;
    check(&scratch, &film, &made, 3.5);
    assert!(first_sound(&scratch, "64p") < 0.2);
    let red = pixels(&scratch.tools, &scratch.out().join("64p/index.m3u8"), "1:1");
    assert!(red[0][0] > 150 && red[0][1] < 100, "{red:?}");
}

#[tokio::test]
async fn late_sound_stays_with_its_picture() {
    let scratch = Scratch::new();
    let picture = "-f lavfi -i testsrc2=size=64x64:rate=30:duration=4 -itsoffset 1.5";
    let source = scratch.draw(&format!("{picture} {SINE}2.5 -c:v libx264 a.mkv"));
    let (film, made, _) = scratch.render(&source).await;
    check(&scratch, &film, &made, 4.0);
    let heard = first_sound(&scratch, "64p");
    assert!((1.3..1.7).contains(&heard), "{heard}");
}
