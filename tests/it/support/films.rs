//! Films, how they come to the platform, and what lies in its blob store.

use super::{Answer, Person, Platform, patiently};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long the work on a few seconds of film may take on a busy machine.
const WORK: Duration = Duration::from_secs(120);
/// What a piece of a tus upload is.
pub const PIECE: &str = "application/offset+octet-stream";

/// The smallest PNG.
pub fn dot() -> Vec<u8> {
    use base64::Engine;
    let text = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}

/// A film of a few seconds.
pub fn clip(folder: &Path, size: &str, seconds: u32) -> PathBuf {
    let (picture, seconds) = (format!("testsrc2=size={size}:rate=30"), seconds.to_string());
    let mut arguments = vec!["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", "sine=440", "-t", &seconds];
    arguments.extend("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -shortest".split(' '));
    drawn(folder, &format!("{size}-{seconds}.mp4"), &arguments)
}

/// What ffmpeg makes of these arguments.
pub fn drawn(folder: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let file = folder.join(name);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-nostdin", "-loglevel", "error"]).args(arguments).arg(&file);
    assert!(ffmpeg.status().expect("ffmpeg is here, scripts/fetch sees to it").success(), "{arguments:?}");
    file
}

/// Turns a film a quarter clockwise as a telephone does: by the matrix in the header of its first track (ISO 14496-12, 8.3.2).
pub fn turn(film: &Path) {
    let mut bytes = std::fs::read(film).expect("a film");
    let at = bytes.windows(4).position(|four| four == b"tkhd").expect("a header") + 4 + 40;
    let matrix = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30].map(i32::to_be_bytes).concat();
    bytes[at..at + matrix.len()].copy_from_slice(&matrix);
    std::fs::write(film, bytes).expect("a film");
}

/// `Upload-Metadata`.
pub fn metadata(pairs: &[(&str, &str)]) -> String {
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    pairs.iter().map(|(name, value)| format!("{name} {}", encode(value))).collect::<Vec<_>>().join(",")
}

impl Platform {
    /// Begins a resumable upload; where its pieces go.
    pub async fn begin_upload(&self, person: &Person, length: usize, said: &[(&str, &str)]) -> String {
        let request = self.post("/api/storage/tus").by(person).header("tus-resumable", "1.0.0");
        let request = request.header("upload-length", &length.to_string());
        let answer = request.header("upload-metadata", &metadata(said)).send().await.expect(201);
        answer.header("location").expect("a location").to_owned()
    }

    /// Sends a piece.
    pub async fn piece(&self, person: &Person, place: &str, offset: usize, bytes: &[u8]) -> Answer {
        let request = self.request(reqwest::Method::PATCH, place).by(person).header("tus-resumable", "1.0.0");
        request.header("upload-offset", &offset.to_string()).body(PIECE, bytes.to_vec()).send().await
    }

    /// Uploads a film in one piece.
    pub async fn uploaded(&self, person: &Person, bytes: &[u8], title: &str) {
        let said = [("filename", "clip.mp4"), ("purpose", "video"), ("title", title)];
        let place = self.begin_upload(person, bytes.len(), &said).await;
        self.piece(person, &place, 0, bytes).await.expect(204);
    }

    /// Begins a draft.
    pub async fn draft(&self, person: &Person, title: &str) -> String {
        let answer = self.post("/api/videos").by(person).json(json!({ "title": title })).send().await.expect(201);
        answer.text_at("/id")
    }

    /// Uploads the source of a video in one piece; which file it becomes.
    pub async fn uploaded_for(&self, person: &Person, video: &str, bytes: &[u8]) -> String {
        let said = [("filename", "clip.mp4"), ("purpose", "video"), ("video_id", video)];
        let place = self.begin_upload(person, bytes.len(), &said).await;
        self.piece(person, &place, 0, bytes).await.expect(204);
        place.rsplit('/').next().expect("an id").to_owned()
    }

    /// A video, once everything is made of it.
    pub async fn video_ready(&self, person: &Person, video: &str) -> Value {
        patiently("the video is ready", WORK, async || {
            let answer = self.get(&format!("/api/videos/{video}")).by(person).send().await.expect(200);
            assert_ne!(answer.body["status"], "failed", "{answer:?}");
            (answer.body["status"] == "ready").then_some(answer.body)
        })
        .await
    }

    /// The one video of a person, as soon as it is in one of these states.
    pub async fn video_in(&self, person: &Person, states: &[&str]) -> Value {
        patiently(&format!("the video is {states:?}"), WORK, async || {
            let answer = self.get(&format!("/api/videos/user/{}", person.id)).by(person).send().await.expect(200);
            let video = answer.body["items"].get(0)?.clone();
            states.contains(&video["status"].as_str()?).then_some(video)
        })
        .await
    }
}
