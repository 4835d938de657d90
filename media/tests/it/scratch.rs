//! A folder for one test, with the tools and films in it.

use events::media::{Film, Rendition};
use media::{Limits, Stopped, Tools};
use processing::ladder;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Sound for a film that is drawn.
pub const SINE: &str = "-f lavfi -i sine=frequency=440:sample_rate=44100:duration=";

/// A folder that goes when the test does.
pub struct Scratch {
    pub tools: Tools,
    pub stop: CancellationToken,
    dir: TempDir,
}

impl Scratch {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("reprise-media-").tempdir().expect("a folder for temporary files");
        static TOOLS: LazyLock<Tools> = LazyLock::new(|| Tools::find().expect("ffmpeg"));
        Scratch { tools: TOOLS.clone(), stop: CancellationToken::new(), dir }
    }

    /// A folder whose tools have other limits.
    pub fn bounded(change: impl FnOnce(&mut Limits)) -> Self {
        Self::new().with(change)
    }

    /// The same folder, and tools with other limits.
    pub fn with(self, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = *self.tools.limits();
        change(&mut limits);
        Scratch { tools: self.tools.with_limits(limits), ..self }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// A file with this in it.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file in our folder");
        path
    }

    /// Runs ffmpeg with these words, the last of which is the name of the film.
    pub fn draw(&self, words: &str) -> PathBuf {
        let mut words: Vec<&str> = words.split_whitespace().collect();
        let path = self.path(words.pop().expect("a name"));
        let mut command = Command::new(self.tools.ffmpeg());
        command.args("-nostdin -hide_banner -loglevel error -y".split(' ')).args(words).arg(&path);
        let output = command.current_dir(self.dir.path()).output().expect("ffmpeg runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    }

    /// A film of moving patterns: `640x360`, `30`, seconds, with more words for the encoder before its name.
    pub fn film(&self, size: &str, rate: &str, seconds: f64, more: &str) -> PathBuf {
        let picture = format!("-f lavfi -i testsrc2=size={size}:rate={rate}:duration={seconds}");
        self.draw(&format!("{picture} {SINE}{seconds} -c:v libx264 -preset ultrafast -c:a aac {more}"))
    }

    pub async fn probe(&self, source: &Path) -> Result<Film, Stopped> {
        media::probe(&self.tools, source, &self.stop).await
    }

    /// Every size of a film, and what was said on the way.
    pub async fn render(&self, source: &Path) -> (Film, Vec<Rendition>, Vec<f32>) {
        let film = self.probe(source).await.expect("a film");
        let mut told = vec![];
        let made = self.encode(source, &film, |part| told.push(part)).await.expect("renditions");
        (film, made, told)
    }

    pub async fn encode(
        &self,
        source: &Path,
        film: &Film,
        progress: impl FnMut(f32) + Send,
    ) -> Result<Vec<Rendition>, Stopped> {
        media::rungs(&self.tools, source, film, &ladder(film), &self.out(), progress, &self.stop).await
    }
}

/// The stable word of a failure.
pub fn code<T>(result: Result<T, Stopped>) -> &'static str {
    match result {
        Err(Stopped::Failed(failure)) => failure.code,
        Err(Stopped::Cancelled) => "cancelled",
        Ok(_) => "done",
    }
}
