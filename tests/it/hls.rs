//! What players are told, from the master playlist to the last segment, keeps the standard and is true.

use crate::support::films::clip;
use crate::support::hls::{Master, beside, master, media};
use crate::support::{Answer, Platform};
use std::process::Command;

const PLAYLIST: &str = "application/vnd.apple.mpegurl";

async fn playlist(platform: &Platform, path: &str) -> Answer {
    let answer = platform.get(path).send().await.expect(200);
    assert_eq!(answer.header("content-type"), Some(PLAYLIST), "{answer:?}");
    answer
}

/// Bytes of what a playlist names, which nobody makes smaller on the way, whatever a browser understands.
async fn size(platform: &Platform, path: &str, kind: &str) -> u64 {
    let request = platform.request(reqwest::Method::HEAD, path).header("accept-encoding", "gzip, br");
    let answer = request.send().await.expect(200);
    assert_eq!((answer.header("content-type"), answer.header("content-encoding")), (Some(kind), None), "{answer:?}");
    answer.header("content-length").and_then(|text| text.parse().ok()).expect("a length")
}

#[tokio::test]
async fn playlists_keep_the_standard() {
    let platform = Platform::start().await;
    let ada = platform.somebody_with_profile().await;
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(clip(folder.path(), "480x854", 9)).expect("the clip");
    platform.uploaded(&ada, &source, "Upright").await;
    let video = platform.video_in(&ada, &["ready"]).await;
    let place = video["playback"].as_str().expect("it can be played").to_owned();

    let Master(variants) = master(&playlist(&platform, &place).await.text);
    assert_eq!(variants.iter().map(|one| one.resolution).collect::<Vec<_>>(), [(360, 640), (480, 854)]);
    let mut starts = vec![];
    for variant in &variants {
        assert!((variant.rate - 30.0).abs() < 0.001 && variant.codecs.ends_with(",mp4a.40.2"), "{variant:?}");
        let at = beside(&place, &variant.uri);
        let film = media(&playlist(&platform, &at).await.text);
        size(&platform, &beside(&at, &film.init), "video/mp4").await;
        let (mut bits, mut seconds) = (0.0, 0.0);
        for (uri, length) in &film.segments {
            let segment = size(&platform, &beside(&at, uri), "video/iso.segment").await as f64 * 8.0;
            // those shorter than half a target duration count with their neighbours
            let peak = if *length >= film.target as f64 / 2.0 { segment / length } else { 0.0 };
            assert!(peak <= variant.bandwidth as f64, "{uri} needs {peak} bits a second: {variant:?}");
            (bits, seconds) = (bits + segment, seconds + length);
        }
        assert!((bits / seconds - variant.average as f64).abs() <= 1.0, "{variant:?}");
        // a source ends with its last whole frame and packet of sound
        assert!((seconds - 9.0).abs() < 0.1, "{seconds} s");
        starts.push(film.segments.iter().map(|(_, length)| *length).collect::<Vec<_>>());
    }
    assert!(starts.windows(2).all(|pair| pair[0] == pair[1]), "a player changes sizes at any segment: {starts:?}");

    // another reader: it follows the addresses, and decodes all of it
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "warning", "-xerror", "-i"])
        .arg(format!("{}{place}", platform.url))
        .args(["-map", "0:v", "-f", "null", "-"])
        .output()
        .expect("ffmpeg is here, scripts/fetch sees to it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}
