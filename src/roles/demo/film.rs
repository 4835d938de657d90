//! The second saga: a film is uploaded, becomes playable, and its owner is told.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use media::Tools;
use std::process::Stdio;
use uuid::Uuid;

use super::registration::root_of;
use super::watch::{Row, Watch};

/// Four seconds of a test picture with a tone; nothing when there is no ffmpeg here.
///
/// # Errors
/// ffmpeg does not make it.
pub async fn generate() -> Result<Option<Vec<u8>>> {
    let Ok(tools) = Tools::find() else { return Ok(None) };
    let made = tokio::process::Command::new(tools.ffmpeg())
        .args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "testsrc2=size=854x480:rate=30"])
        .args(["-f", "lavfi", "-i", "sine=440", "-t", "4", "-c:v", "libx264", "-preset", "ultrafast"])
        .args(["-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "pipe:1"])
        .stderr(Stdio::inherit())
        .output()
        .await?;
    ensure!(made.status.success(), "ffmpeg could not make a film: {}", made.status);
    Ok(Some(made.stdout))
}

/// Uploads a film and shows what follows until its owner was told; answers where it can be watched.
///
/// # Errors
/// The platform refuses, or what should follow does not.
pub async fn upload(
    client: &reqwest::Client,
    url: &str,
    watch: &mut Watch,
    token: &str,
    film: Vec<u8>,
) -> Result<String> {
    let said = |name: &str, text: &str| format!("{name} {}", STANDARD.encode(text));
    let metadata = [said("filename", "demo.mp4"), said("purpose", "video"), said("title", "A test picture")].join(",");
    watch.ask("POST /api/storage/tus", &format!("{} KB", film.len() / 1024));
    let request = client.post(format!("{url}/api/storage/tus")).bearer_auth(token);
    let request = request.header("tus-resumable", "1.0.0").header("upload-length", film.len());
    let request = request.header("upload-metadata", metadata).header("content-type", "application/offset+octet-stream");
    let answer = request.body(film).send().await.with_context(|| format!("{url} does not answer"))?;
    let (status, root) = (answer.status(), root_of(&answer)?);
    let place = answer.headers().get("location").and_then(|place| place.to_str().ok()).unwrap_or_default().to_owned();
    let text = answer.text().await?;
    ensure!(status.as_u16() == 201, "the upload was answered with {status}: {text}");
    watch.answered(root, &status.to_string());
    let file: Uuid = place.rsplit('/').next().unwrap_or_default().parse().context("the answer has no Location")?;
    let video = events::video::of_file(file);
    let rows = [Row {
        page: "video_page",
        sql: "select format('%s, %s ms, %s sizes, version %s', status, duration_ms, jsonb_array_length(renditions), version)
              from read.video_page where video_id = $1 and status = 'ready'",
    }];
    watch.follow(&["video.video.ready.v1", "notification.inbox.delivery_sent.v1"], video, &rows).await?;
    let publish = client.post(format!("{url}/api/videos/{video}/publish")).bearer_auth(token).send().await?;
    ensure!(publish.status().is_success(), "publishing was answered with {}", publish.status());
    Ok(format!("{url}/watch/{video}"))
}
