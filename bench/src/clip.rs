//! A film that ffmpeg draws, and how far the platform is with one, as its owner sees it.

use anyhow::{Context, Result, bail, ensure};
use media::Tools;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::process::Command;

use crate::http::{Connection, bearer, request};
use crate::platform::Platform;

/// How often the platform is asked how far it is.
const LOOK: Duration = Duration::from_millis(20);
/// A film that takes longer than this has been forgotten.
const PATIENCE: Duration = Duration::from_secs(900);

/// Draws a film: patterns that move, and grain, without which an encoder has too little to do. With a tone.
pub async fn draw(tools: &Tools, size: &str, seconds: u32, file: &Path) -> Result<()> {
    let picture = format!("testsrc2=size={size}:rate=30:duration={seconds},noise=alls=6:allf=t,format=yuv420p");
    let sound = format!("sine=frequency=440:sample_rate=48000:duration={seconds}");
    let mut ffmpeg = Command::new(tools.ffmpeg());
    ffmpeg.args("-nostdin -hide_banner -loglevel error -y -f lavfi -i".split(' ')).arg(picture);
    ffmpeg.args("-f lavfi -i".split(' ')).arg(sound);
    ffmpeg.args("-c:v libx264 -preset veryfast -crf 23 -c:a aac -movflags +faststart".split(' ')).arg(file);
    let output = ffmpeg.kill_on_drop(true).output().await.context("ffmpeg")?;
    ensure!(output.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A film in the making, asked about by its owner.
pub struct Making<'a> {
    connection: Connection,
    token: &'a str,
    path: String,
}

impl<'a> Making<'a> {
    /// The film that is made of an uploaded file.
    pub async fn of(platform: &Platform, token: &'a str, file: &str) -> Result<Self> {
        let connection = Connection::open(platform.address).await?;
        Ok(Making { connection, token, path: format!("/api/videos/{}", events::video::of_file(file.parse()?)) })
    }

    /// Asks until the film is in one of these states, and gives it.
    pub async fn until(&mut self, states: &[&str]) -> Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.connection.exchange(&request("GET", &self.path, &bearer(self.token), "")).await?;
            let video: Value = match answer.status {
                // the page may not know of it yet
                200 | 404 => serde_json::from_slice(answer.body)?,
                status => bail!("GET {} answered {status}: {}", self.path, answer.text()),
            };
            let status = video["status"].as_str().unwrap_or_default();
            if states.contains(&status) {
                return Ok(video);
            }
            ensure!(status != "failed", "the film failed: {}", video["error"]);
            ensure!(Instant::now() < deadline, "the film is not {states:?} after {} s", PATIENCE.as_secs());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Deletes it with everything that was made of it.
    pub async fn delete(mut self) -> Result<()> {
        let answer = self.connection.exchange(&request("DELETE", &self.path, &bearer(self.token), "")).await?;
        ensure!(answer.status == 200, "DELETE {} answered {}: {}", self.path, answer.status, answer.text());
        Ok(())
    }
}
