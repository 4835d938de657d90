//! A tool ends when it is told to, or when nobody waits for it any more.

use events::media::Film;
use media::{Limits, Stopped};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::bounds;
use crate::scratch::{Scratch, code};

/// How long it may take until a process is gone.
const SOON: Duration = Duration::from_secs(2);

/// A film that takes far longer to encode than any test waits, and a moment to draw: the same second again and again.
pub fn long(scratch: &Scratch) -> PathBuf {
    let second = scratch.film("640x360", "30", 1.0, "second.mp4");
    scratch.draw(&format!("-stream_loop 600 -i {} -c copy long.mp4", second.display()))
}

/// The processes whose command line names this file.
fn processes(source: &Path) -> usize {
    let name = source.to_str().expect("UTF-8").as_bytes();
    let entries = std::fs::read_dir("/proc").expect("processes").flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line.windows(name.len()).any(|window| window == name)).count()
}

async fn until(what: &str, limit: Duration, done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < limit, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn encoding(scratch: &Scratch) -> (PathBuf, Film) {
    let source = long(scratch);
    let film = scratch.probe(&source).await.expect("a film");
    assert_eq!(processes(&source), 0, "the probe has ended");
    (source, film)
}

#[tokio::test]
async fn cancelling_ends_the_encoder() {
    let scratch = Scratch::new();
    let (source, film) = encoding(&scratch).await;
    let cancel = async {
        until("it begins", Duration::from_secs(20), || scratch.out().join("360p/00001.m4s").is_file()).await;
        assert_eq!(processes(&source), 1);
        scratch.stop.cancel();
        Instant::now()
    };
    let (result, cancelled) = tokio::join!(scratch.encode(&source, &film, |_| {}), cancel);
    assert_eq!(result, Err(Stopped::Cancelled));
    assert!(cancelled.elapsed() < SOON, "{:?}", cancelled.elapsed());
    assert_eq!(processes(&source), 0, "it is gone when the function returns");
    assert_eq!(code(scratch.probe(&source).await), "cancelled", "nothing begins after that");
}

#[tokio::test]
async fn dropping_ends_the_encoder() {
    let scratch = Scratch::new();
    let (source, film) = encoding(&scratch).await;
    {
        let running = scratch.encode(&source, &film, |_| {});
        let begun = until("it begins", Duration::from_secs(20), || processes(&source) == 1);
        tokio::select! {
            result = running => panic!("{result:?}"),
            () = begun => {}
        }
    }
    until("it is gone", SOON, || processes(&source) == 0).await;
}

/// As a server runs it: on another task, which is aborted.
#[tokio::test]
async fn aborting_a_task_ends_its_storyboard() {
    let scratch = Scratch::new();
    let (source, film) = encoding(&scratch).await;
    let (tools, path, out, stop) = (scratch.tools.clone(), source.clone(), scratch.out(), scratch.stop.clone());
    let task = tokio::spawn(async move { media::storyboard(&tools, &path, &film, &out, &stop).await });
    until("it begins", Duration::from_secs(20), || processes(&source) == 1).await;
    task.abort();
    assert!(task.await.expect_err("it was aborted").is_cancelled());
    until("it is gone", SOON, || processes(&source) == 0).await;
}

/// A tool that says nothing, waits for ever and has a child of its own; the numbers of both.
const DEAF: &str = "trap '' PIPE TERM INT HUP; sleep 600 & echo $! >child; echo $$ >parent; mv parent pid; wait";

fn alive(scratch: &Scratch, file: &str) -> bool {
    let pid = std::fs::read_to_string(scratch.out().join(file)).expect("a number");
    // one that has ended, and that nobody asked about yet, has no command line any more
    std::fs::read(Path::new("/proc").join(pid.trim()).join("cmdline")).is_ok_and(|line| !line.is_empty())
}

async fn begun(scratch: &Scratch) {
    until("it begins", Duration::from_secs(20), || scratch.out().join("pid").is_file()).await;
    assert!(alive(scratch, "pid") && alive(scratch, "child"));
}

#[tokio::test]
async fn the_whole_group_is_ended_by_dropping() {
    let scratch = Scratch::new();
    tokio::select! {
        result = bounds::run(&scratch, DEAF, Limits::default()) => panic!("{result:?}"),
        () = begun(&scratch) => {}
    }
    until("both are gone", SOON, || !alive(&scratch, "pid") && !alive(&scratch, "child")).await;
}

#[tokio::test]
async fn the_whole_group_is_ended_by_cancelling() {
    let scratch = Scratch::new();
    let cancel = async {
        begun(&scratch).await;
        scratch.stop.cancel();
        Instant::now()
    };
    let (result, cancelled) = tokio::join!(bounds::run(&scratch, DEAF, Limits::default()), cancel);
    assert_eq!(result, Err(Stopped::Cancelled));
    assert!(cancelled.elapsed() < SOON, "{:?}", cancelled.elapsed());
    until("both are gone", SOON, || !alive(&scratch, "pid") && !alive(&scratch, "child")).await;
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_ended() {
    let scratch = Scratch::new();
    let (source, film) = encoding(&scratch).await;
    let scratch = scratch.with(|limits| {
        (limits.time_floor, limits.time_factor) = (Duration::from_millis(700), 0.0);
    });
    let result = scratch.encode(&source, &film, |_| {}).await;
    let Err(Stopped::Failed(failure)) = result else { panic!("{result:?}") };
    assert_eq!((failure.code, failure.retryable), ("took_too_long", true));
    assert!(failure.tail.expect("a reason").starts_with("it ran for"));
    assert_eq!(processes(&source), 0);
}

/// The header may lie about how long a film is; what comes out does not.
#[tokio::test]
async fn a_film_that_goes_on_and_on_is_ended() {
    let scratch = Scratch::bounded(|limits| limits.longest_ms = 5000);
    let source = long(&scratch);
    assert_eq!(code(scratch.probe(&source).await), "source_too_long");
    let short = scratch.film("640x360", "30", 1.0, "short.mp4");
    let film = scratch.probe(&short).await.expect("a film");
    assert_eq!(code(scratch.encode(&source, &film, |_| {}).await), "source_too_long");
    assert_eq!(processes(&source), 0);
}
