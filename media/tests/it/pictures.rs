//! Thumbnails and storyboards.

use crate::inspect::{ffprobe, pixels};
use crate::scratch::Scratch;

#[tokio::test]
async fn a_thumbnail_is_a_jpeg_without_memories() {
    let scratch = Scratch::new();
    for (size, seen) in [("1920x1080", (1280, 720)), ("180x320", (180, 320)), ("720x1280", (720, 1280))] {
        let source = scratch.film(size, "30", 0.5, "-pix_fmt yuv444p -metadata title=SECRET a.mp4");
        let film = scratch.probe(&source).await.expect("a film");
        let picture = media::thumbnail(&scratch.tools, &source, &film, &scratch.out(), &scratch.stop).await;
        let picture = picture.expect("a thumbnail");
        assert_eq!((picture.file.as_str(), (picture.width, picture.height)), ("thumbnail.jpg", seen));
        let file = scratch.out().join(&picture.file);
        let found = ffprobe(&scratch.tools, &file, "-show_entries stream=codec_name,width,height");
        assert_eq!(found, [["mjpeg".to_owned(), seen.0.to_string(), seen.1.to_string()]]);
        let bytes = std::fs::read(&file).expect("a picture");
        assert!(!bytes.windows(6).any(|window| window == b"SECRET"));
        assert_eq!(std::fs::read_dir(scratch.out()).expect("a folder").count(), 1, "one file and nothing else");
    }
}

/// Black almost until a tenth of it is over, green afterwards.
#[tokio::test]
async fn a_thumbnail_is_not_the_first_frame() {
    let scratch = Scratch::new();
    let colour = "-f lavfi -i color=black:size=64x64:rate=10:duration=20";
    let green = "-vf drawbox=color=green:t=fill:enable='gte(t,1.9)'";
    let source = scratch.draw(&format!("{colour} {green} -c:v libx264 -preset ultrafast a.mp4"));
    let film = scratch.probe(&source).await.expect("a film");
    let picture = media::thumbnail(&scratch.tools, &source, &film, &scratch.out(), &scratch.stop).await;
    let seen = pixels(&scratch.tools, &scratch.out().join(picture.expect("a thumbnail").file), "1:1");
    assert!(seen[0][1] > 90 && seen[0][0] < 40, "{seen:?}");
}

/// A second of each colour: tile and time must agree.
#[tokio::test]
async fn tiles_show_what_is_seen_at_their_time() {
    let scratch = Scratch::new();
    let colours = [("red", [255, 0, 0]), ("lime", [0, 255, 0]), ("blue", [0, 0, 255]), ("white", [255, 255, 255])];
    let boxes: Vec<String> = colours
        .iter()
        .enumerate()
        .map(|(at, (name, _))| format!("drawbox=color={name}:t=fill:enable='gte(t,{at})'"))
        .collect();
    let canvas = "-f lavfi -i color=black:size=640x360:rate=25:duration=4.4";
    let source = scratch.draw(&format!("{canvas} -vf {} -c:v libx264 -preset ultrafast a.mp4", boxes.join(",")));
    let film = scratch.probe(&source).await.expect("a film");
    let board = media::storyboard(&scratch.tools, &source, &film, &scratch.out(), &scratch.stop).await;
    let board = board.expect("a storyboard");
    assert_eq!((board.every_ms, board.picture.width, board.picture.height), (1000, 3 * 192, 2 * 108));
    let picture = scratch.out().join(&board.picture.file);
    let found = ffprobe(&scratch.tools, &picture, "-show_entries stream=width,height");
    assert_eq!(found, [["576", "216"]]);
    let seen = pixels(&scratch.tools, &picture, "3:2");
    // the fifth tile begins at 4 s, where it is still white
    let expected = colours.iter().map(|(_, colour)| colour).chain([&[255, 255, 255]]);
    for (tile, colour) in seen.iter().zip(expected) {
        assert!(tile.iter().zip(colour).all(|(seen, drawn)| seen.abs_diff(*drawn) < 50), "{seen:?}");
    }
    let index = std::fs::read_to_string(scratch.out().join(&board.index)).expect("an index");
    let cues: Vec<&str> = index.split("\n\n").collect();
    assert_eq!((cues[0], cues.len()), ("WEBVTT", 6));
    assert_eq!(cues[4], "00:00:03.000 --> 00:00:04.000\nstoryboard.jpg#xywh=0,108,192,108");
    assert_eq!(cues[5], "00:00:04.000 --> 00:00:04.400\nstoryboard.jpg#xywh=192,108,192,108\n");
}

#[tokio::test]
async fn a_short_film_has_one_tile() {
    for (seconds, shown) in [(0.04, "00:00:00.040"), (0.4, "00:00:00.400"), (0.6, "00:00:00.600")] {
        let scratch = Scratch::new();
        let source = scratch.film("64x36", "25", seconds, "-an a.mp4");
        let film = scratch.probe(&source).await.expect("a film");
        let board = media::storyboard(&scratch.tools, &source, &film, &scratch.out(), &scratch.stop).await;
        let board = board.unwrap_or_else(|stopped| panic!("{seconds} s: {stopped:?}"));
        let index = std::fs::read_to_string(scratch.out().join(&board.index)).expect("an index");
        assert_eq!(index, format!("WEBVTT\n\n00:00:00.000 --> {shown}\nstoryboard.jpg#xywh=0,0,64,36\n"));
    }
}

#[tokio::test]
async fn a_long_film_has_as_many_tiles_as_fit() {
    let scratch = Scratch::new();
    let canvas = "-f lavfi -i testsrc2=size=64x36:rate=1:duration=1500";
    let source = scratch.draw(&format!("{canvas} -c:v libx264 -preset ultrafast -g 5 a.mp4"));
    let film = scratch.probe(&source).await.expect("a film");
    let board = media::storyboard(&scratch.tools, &source, &film, &scratch.out(), &scratch.stop).await;
    let board = board.expect("a storyboard");
    assert_eq!((board.every_ms, board.picture.width, board.picture.height), (12_397, 11 * 64, 11 * 36));
    let index = std::fs::read_to_string(scratch.out().join(&board.index)).expect("an index");
    assert_eq!(index.matches(" --> ").count(), 121);
    // patterns, and not the black of an empty tile, to the last one
    let seen = pixels(&scratch.tools, &scratch.out().join(&board.picture.file), "11:11");
    assert!(seen.iter().all(|tile| tile.iter().map(|part| u32::from(*part)).sum::<u32>() > 100), "{seen:?}");
}

/// The header promises six seconds, the file holds half of them: the last frame stands for the rest.
#[tokio::test]
async fn a_film_that_breaks_off_has_no_black_tiles() {
    let scratch = Scratch::new();
    let whole = std::fs::read(scratch.film("320x180", "30", 6.0, "-g 15 -movflags +faststart a.mp4")).expect("a film");
    let source = scratch.file("half.mp4", &whole[..whole.len() / 2]);
    let film = scratch.probe(&source).await.expect("a film");
    let board = media::storyboard(&scratch.tools, &source, &film, &scratch.out(), &scratch.stop).await;
    let picture = scratch.out().join(board.expect("a storyboard").picture.file);
    let seen = pixels(&scratch.tools, &picture, "3:2");
    assert!(seen.iter().all(|tile| tile.iter().map(|part| u32::from(*part)).sum::<u32>() > 100), "{seen:?}");
}

#[tokio::test]
async fn a_film_that_breaks_off_early_has_its_beginning_for_a_thumbnail() {
    let scratch = Scratch::new();
    let whole = std::fs::read(scratch.film("64x64", "10", 20.0, "-an -g 10 -movflags +faststart a.mp4"));
    let whole = whole.expect("a film");
    let body = whole.windows(4).position(|four| four == b"mdat").expect("a body");
    let source = scratch.file("start.mp4", &whole[..body + (whole.len() - body) / 20]);
    let film = scratch.probe(&source).await.expect("a film");
    assert_eq!(film.duration_ms, 20_000, "a tenth into it there must be nothing, or this tests nothing");
    let picture = media::thumbnail(&scratch.tools, &source, &film, &scratch.out(), &scratch.stop).await;
    assert!(scratch.out().join(picture.expect("a thumbnail").file).is_file());
}
