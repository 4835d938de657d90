//! Files that are no films, or want something else than to be watched.

use media::Stopped;
use std::path::Path;

use crate::inspect::ffprobe;
use crate::scratch::{Scratch, code};

async fn tail(scratch: &Scratch, source: &Path) -> String {
    match scratch.probe(source).await {
        Err(Stopped::Failed(failure)) => failure.tail.unwrap_or_default(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_film_is_said_to_be_none() {
    let scratch = Scratch::new();
    let empty = scratch.file("empty.mp4", b"");
    assert_eq!(code(scratch.probe(&empty).await), "source_broken");
    let text = scratch.file("text.mp4", "these are words and no film\n".repeat(5000).as_bytes());
    assert_eq!(code(scratch.probe(&text).await), "source_broken");
    let whole = std::fs::read(scratch.film("64x64", "30", 2.0, "a.mp4")).expect("a film");
    let cut = scratch.file("cut.mp4", &whole[..whole.len() / 2]);
    assert_eq!(code(scratch.probe(&cut).await), "source_broken");
    let said = tail(&scratch, &cut).await;
    assert!(said.contains("moov atom not found"), "{said}");
    assert!(said.contains("file:source") && !said.contains("cut.mp4") && !said.contains("reprise-media"), "{said}");
}

#[tokio::test]
async fn a_source_that_is_not_there_is_our_fault() {
    let scratch = Scratch::new();
    assert_eq!(code(scratch.probe(&scratch.path("nowhere.mp4")).await), "tool_failed");
    assert_eq!(code(scratch.probe(&scratch.path("")).await), "tool_failed");
}

/// Each of these is opened by ffprobe under its true name, and then opens the film beside it.
#[tokio::test]
async fn lists_of_other_files_are_never_followed() {
    let scratch = Scratch::new();
    scratch.film("64x64", "30", 2.0, "secret.ts");
    let film = scratch.path("secret.ts");
    let film = film.to_str().expect("UTF-8");
    let hls = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{film}\n#EXT-X-ENDLIST\n");
    let concat = format!("ffconcat version 1.0\nfile '{film}'\n");
    for (name, content, how) in [("list.m3u8", &hls, "-f hls"), ("list.ffconcat", &concat, "-f concat -safe 0")] {
        let named = scratch.file(name, content.as_bytes());
        let opened = ffprobe(&scratch.tools, &named, &format!("{how} -show_entries stream=codec_name"));
        assert!(opened.concat().contains(&"h264".to_owned()), "{name} must lead to the film, or this tests nothing");
        for name in [name, "film.mp4", "film.ts"] {
            let disguised = scratch.file(name, content.as_bytes());
            let code = code(scratch.probe(&disguised).await);
            assert!(["source_not_supported", "source_broken"].contains(&code), "{name}: {code}");
        }
    }
    for outside in ["file:///etc/passwd", "http://127.0.0.1:9/", "concat:/etc/passwd|/etc/group"] {
        let disguised = scratch.file("film.mp4", hls.replace(film, outside).as_bytes());
        let code = code(scratch.probe(&disguised).await);
        assert!(["source_not_supported", "source_broken"].contains(&code), "{outside}: {code}");
        assert!(!tail(&scratch, &disguised).await.contains("root:"), "{outside}");
    }
}

/// The encoder trusts nothing that the probe has found: a source may have changed since.
#[tokio::test]
async fn a_list_in_place_of_a_film_is_not_followed_either() {
    let scratch = Scratch::new();
    let source = scratch.film("64x64", "30", 2.0, "a.ts");
    let film = scratch.probe(&source).await.expect("a film");
    let list = format!("ffconcat version 1.0\nfile '{}'\n", source.display());
    let list = scratch.file("list.mp4", list.as_bytes());
    assert_eq!(code(scratch.encode(&list, &film, |_| {}).await), "source_not_supported");
    let thumbnail = media::thumbnail(&scratch.tools, &list, &film, &scratch.out(), &scratch.stop).await;
    assert_eq!(code(thumbnail), "source_not_supported");
    let storyboard = media::storyboard(&scratch.tools, &list, &film, &scratch.out(), &scratch.stop).await;
    assert_eq!(code(storyboard), "source_not_supported");
}

#[tokio::test]
async fn a_picture_is_not_supported() {
    let scratch = Scratch::new();
    for name in ["a.jpg", "a.png", "a.gif"] {
        let picture = scratch.draw(&format!("-f lavfi -i testsrc2=size=64x64 -frames:v 1 {name}"));
        assert_eq!(code(scratch.probe(&picture).await), "source_not_supported", "{name}");
    }
}

/// Names that mean something to ffmpeg are only names here, of sources and of folders.
#[tokio::test]
async fn names_are_only_names() {
    let scratch = Scratch::new();
    let film = scratch.film("64x64", "30", 1.0, "a.mp4");
    for name in ["-y.mp4", "concat:a|b.mp4", "50%d %s.mp4", "quoted ' \" [v0];name.mp4"] {
        let odd = scratch.path(name);
        std::fs::create_dir(&odd).expect("a folder");
        let source = odd.join(name);
        std::fs::copy(&film, &source).expect("a copy");
        let found = scratch.probe(&source).await.expect("a film");
        let rungs = processing::ladder(&found);
        let made = media::rungs(&scratch.tools, &source, &found, &rungs, &odd, |_| {}, &scratch.stop).await;
        assert_eq!(made.expect("renditions").len(), 1, "{name}");
        crate::m3u8::strict(&odd.join("64p"));
        let picture = media::thumbnail(&scratch.tools, &source, &found, &odd, &scratch.stop).await;
        assert!(odd.join(picture.expect("a thumbnail").file).is_file(), "{name}");
    }
}
