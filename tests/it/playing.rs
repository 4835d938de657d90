//! Films of every kind, from their upload to their last picture in a browser.

use crate::support::Platform;
use crate::support::films::{drawn, turn};
use crate::support::scripts::Script;
use serde_json::{Value, json};
use std::path::Path;

/// One kind of film: its name, what ffmpeg draws, its seconds, and how large it is shown.
type Kind = (&'static str, &'static str, f64, [u64; 2]);

/// Between two pictures, or two frames of sound, there is a moment that belongs to either.
const ABOUT: f64 = 0.1;

const KINDS: &[Kind] = &[
    ("portrait without sound", "testsrc2=size=360x640:rate=30:duration=2 -an", 2.0, [360, 640]),
    (
        "odd and mono",
        "testsrc2=size=640x360:rate=30:duration=2 -vf scale=641:361,setsar=1,format=yuv444p -ac 1",
        2.0,
        [640, 360],
    ),
    ("turned", "testsrc2=size=640x360:rate=30:duration=2", 2.0, [360, 640]),
    ("24 a second", "testsrc2=size=640x360:rate=24:duration=2", 2.0, [640, 360]),
    ("29.97 a second", "testsrc2=size=640x360:rate=30000/1001:duration=2.002", 2.002, [640, 360]),
    ("60 a second", "testsrc2=size=640x360:rate=60:duration=2", 2.0, [640, 360]),
    (
        "uneven",
        "testsrc2=size=640x360:rate=30:duration=2 -vf setpts='if(lt(N,30),N/30,1+(N-30)/10)/TB' -t 4",
        4.0,
        [640, 360],
    ),
    ("ten bits", "testsrc2=size=640x360:rate=30:duration=2 -pix_fmt yuv420p10le", 2.0, [640, 360]),
    ("short", "testsrc2=size=640x360:rate=30:duration=0.4", 0.4, [640, 360]),
    ("long", "testsrc2=size=128x72:rate=25:duration=60", 60.0, [128, 72]),
];

/// Draws one, with as much sound as there is picture.
fn film(folder: &Path, (name, words, seconds, _): &Kind) -> Vec<u8> {
    let (picture, more) = words.split_once(' ').unwrap_or((words, ""));
    let sound = format!("sine=440:duration={seconds}");
    let mut arguments = vec!["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", &sound];
    arguments.extend("-c:v libx264 -preset ultrafast -c:a aac".split(' '));
    if !more.contains("pix_fmt") && !more.contains("format=") {
        arguments.extend(["-pix_fmt", "yuv420p"]);
    }
    arguments.extend(more.split_whitespace());
    let file = drawn(folder, &format!("{}.mp4", name.replace(' ', "-")), &arguments);
    if *name == "turned" {
        turn(&file);
    }
    std::fs::read(file).expect("a film")
}

#[tokio::test]
async fn every_kind_of_film_plays_to_its_end() {
    let platform = Platform::start().await;
    let ada = platform.somebody_with_profile().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut ids = vec![];
    for kind in KINDS {
        let id = platform.draft(&ada, kind.0).await;
        platform.uploaded_for(&ada, &id, &film(folder.path(), kind)).await;
        ids.push(id);
    }
    let mut pages = vec![];
    for id in &ids {
        let video = platform.video_ready(&ada, id).await;
        pages.push(format!("{}{}", platform.url, video["page"].as_str().expect("a page")));
    }
    let browser = std::env::var("REPRISE_CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let mut arguments = vec![&*browser, folder.path().to_str().expect("a plain name")];
    arguments.extend(pages.iter().map(String::as_str));
    let mut script = Script::run("browser", "play", &arguments);
    for (name, _, seconds, size) in KINDS {
        let shown = script.says().await;
        let number = |what: &str| shown[what].as_f64().unwrap_or_else(|| panic!("{name}: {shown}"));
        assert_eq!([&shown["width"], &shown["height"]], [size[0], size[1]], "{name}: {shown}");
        assert!((number("duration") - seconds).abs() < ABOUT, "{name}: {shown}");
        assert!(number("time") > seconds - ABOUT, "{name} is seen to its end: {shown}");
        assert_eq!((&shown["error"], &shown["complaints"]), (&Value::Null, &json!([])), "{name}: {shown}");
    }
    platform.check().await;
}
