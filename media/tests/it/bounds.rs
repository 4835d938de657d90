//! What a tool may use, and what it means when it fails: with the real one where it can be made to, else with a few
//! lines of shell in its place.

use events::media::{Film, Rate, Rendition};
use media::{Failure, Limits, Stopped, Tools};
use processing::ladder;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::ending::long;
use crate::scratch::{Scratch, code};

/// Tools of which the encoder does this, in the folder that it writes to.
fn pretend(scratch: &Scratch, encoder: &str, limits: Limits) -> Tools {
    let folder = scratch.path("bin");
    std::fs::create_dir_all(&folder).expect("a folder");
    let answers = "if [ \"$1\" = -h ]; then echo ffmpeg version 5.1 >&2; echo Encoder libx264; exit; fi";
    for (name, script) in [("ffmpeg", encoder), ("ffprobe", "")] {
        let file = folder.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{answers}\n{script}\n")).expect("a script");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("a mode");
    }
    Tools::at(&folder).expect("they answer as tools do").with_limits(limits)
}

const RATE: Rate = Rate { frames: 30, seconds: 1 };

/// Encodes nothing in particular with tools that pretend.
pub async fn run(scratch: &Scratch, encoder: &str, limits: Limits) -> Result<Vec<Rendition>, Stopped> {
    let tools = pretend(scratch, encoder, limits);
    let source = scratch.file("film.mp4", b"something");
    let (width, height, codec) = (64, 64, "h264".to_owned());
    let film = Film { duration_ms: 1000, width, height, rate: RATE, uneven: false, sound: false, codec };
    media::rungs(&tools, &source, &film, &ladder(&film), &scratch.out(), |_| {}, &scratch.stop).await
}

async fn fail(scratch: &Scratch, encoder: &str, limits: Limits) -> Failure {
    match run(scratch, encoder, limits).await {
        Err(Stopped::Failed(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_tool_says_decides_whether_to_try_again() {
    for (said, code, retryable) in [
        ("echo No space left on device >&2; exit 1", "no_space", true),
        ("echo Cannot allocate memory >&2; exit 1", "tool_failed", true),
        ("echo Invalid data found when processing input >&2; exit 1", "source_broken", false),
        ("echo what is this >&2; exit 1", "tool_failed", true),
        ("exit 255", "took_too_long", true),
        ("kill -KILL $$", "tool_failed", true),
        ("kill -XFSZ $$", "output_too_large", false),
        ("exit 0", "source_broken", false),
        ("echo '#EXTM3U' >64p/index.m3u8", "tool_failed", true),
    ] {
        let scratch = Scratch::new();
        let failure = fail(&scratch, said, Limits::default()).await;
        assert_eq!((failure.code, failure.retryable), (code, retryable), "{said}: {failure:?}");
        assert!(!failure.message.ends_with('.') && !failure.message.is_empty(), "{failure:?}");
    }
}

#[tokio::test]
async fn a_tool_that_stands_still_is_ended() {
    let scratch = Scratch::new();
    let limits = Limits { stall: Duration::from_millis(1500), ..Limits::default() };
    let started = std::time::Instant::now();
    // it goes on for longer than it may stand still, then stands still
    let script =
        "for n in 1 2 3 4; do echo frame=$n; sleep 0.5; done; echo $$ >pid; while :; do echo frame=4; sleep 0.1; done";
    let failure = fail(&scratch, script, limits).await;
    assert_eq!((failure.code, failure.retryable), ("took_too_long", true), "{failure:?}");
    assert!(failure.tail.expect("a reason").contains("no progress"));
    assert!((3.0..20.0).contains(&started.elapsed().as_secs_f64()), "{:?}", started.elapsed());
    let pid = std::fs::read_to_string(scratch.out().join("pid")).expect("it came so far");
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "it is gone");
}

#[tokio::test]
async fn the_last_words_are_few() {
    let scratch = Scratch::new();
    let script = "yes 'film.mp4 is wrong' | head -c 3000000 >&2; exit 1";
    let failure = fail(&scratch, script, Limits::default()).await;
    let tail = failure.tail.expect("words");
    assert!((2000..=2048).contains(&tail.len()), "{}", tail.len());
}

/// Limits are put on the tool from outside, just after it began; it looks at them a moment later.
#[tokio::test]
async fn a_tool_runs_within_limits_and_knows_little() {
    let scratch = Scratch::new();
    let limits = Limits { memory: 1 << 30, output: 1 << 20, niceness: 7, ..Limits::default() };
    let script = "sleep 0.5; cat /proc/self/limits >limits; env >env; nice >nice; cut -d' ' -f5 /proc/$$/stat >group; \
                  echo $$ >pid";
    fail(&scratch, script, limits).await;
    let read = |name: &str| std::fs::read_to_string(scratch.out().join(name)).expect("it was written");
    let bounded = read("limits");
    let limit = |name: &str| {
        let line = bounded.lines().find(|line| line.starts_with(name)).expect("a limit");
        line[26..].split_whitespace().next().map(str::to_owned)
    };
    assert_eq!(limit("Max address space"), Some((1 << 30).to_string()));
    assert_eq!(limit("Max file size"), Some((1 << 20).to_string()));
    assert_eq!(limit("Max core file size"), Some("0".to_owned()));
    assert!(limit("Max cpu time").expect("a limit").parse::<u64>().expect("seconds") >= 600);
    let ours: i32 = nice();
    assert_eq!(read("nice").trim(), (ours.max(7)).to_string());
    assert_eq!(read("group"), read("pid"), "it leads a group of its own");
    let known: Vec<String> = read("env").lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
    let expected = ["PATH", "LANG", "MALLOC_ARENA_MAX", "PWD", "OLDPWD", "SHLVL", "_"];
    assert!(known.iter().all(|name| expected.contains(&name.as_str())), "{known:?}");
}

fn nice() -> i32 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("our own state");
    let fields = stat.rsplit_once(") ").expect("a name before").1;
    fields.split(' ').nth(16).and_then(|field| field.parse().ok()).expect("a number")
}

#[tokio::test]
async fn one_file_and_all_of_them_are_bounded() {
    // the first segment is larger than one, and all of them than the other
    for output in [50_000, 1_500_000] {
        let scratch = Scratch::bounded(|limits| limits.output = output);
        let source = long(&scratch);
        let film = scratch.probe(&source).await.expect("a film");
        let result = scratch.encode(&source, &film, |_| {}).await;
        assert_eq!(code(result), "output_too_large", "{output} bytes");
    }
}

#[tokio::test]
async fn too_little_memory_is_not_the_films_fault() {
    let scratch = Scratch::new();
    let source = scratch.film("1280x720", "30", 1.0, "a.mp4");
    let film = scratch.probe(&source).await.expect("a film");
    let bounded = scratch.with(|limits| limits.memory = 200 << 20);
    assert_eq!(code(bounded.encode(&source, &film, |_| {}).await), "tool_failed");
}
