//! What lies in the blob store, compared with what the rows name: nothing may be missing, and nothing left over.

use super::system::System;
use super::{Platform, Roles};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long what is about to be cleared away may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The files in the blob store of a data folder, and what workers left behind.
pub fn files(data: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    let mut folders = vec![data.join("blobs"), data.join("scratch")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.file_name() != "lock" {
                files.push(entry.path());
            }
        }
    }
    files
}

/// Demands that the blob store holds what the rows say, and nothing else.
pub async fn are_known(system: &System, data: &Path) {
    let start = Instant::now();
    loop {
        let strays = strays(system, data).await;
        if strays.is_empty() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "rows and bytes differ: {strays:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Bytes without a row, and rows without their bytes.
async fn strays(system: &System, data: &Path) -> Vec<String> {
    let needed = needed(system).await;
    let mut strays = vec![];
    for file in files(data) {
        let name = file.strip_prefix(data).expect("it is in the folder").to_string_lossy().into_owned();
        let known = needed.iter().any(|needed| name == *needed || name.starts_with(&format!("{needed}/")));
        if !known {
            strays.push(format!("nobody knows {name}"));
        }
    }
    let missing = needed.into_iter().filter(|needed| !data.join(needed).exists());
    strays.extend(missing.map(|needed| format!("there is no {needed}")));
    strays
}

/// The files and folders that the rows name.
async fn needed(system: &System) -> BTreeSet<String> {
    let (files, videos) = (system.page("file_page", "file_id").await, system.page("video_page", "video_id").await);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut needed = BTreeSet::new();
    for file in &files {
        let stored = file["state"] == "stored";
        needed.insert(format!("blobs/{}/{}", if stored { "files" } else { ".uploads" }, text(&file["file_id"])));
    }
    for video in &videos {
        let place = format!("blobs/videos/{}", text(&video["video_id"]));
        let of =
            |name: &Value| name.as_str().and_then(|name| name.rsplit_once('/')).map(|(folder, _)| folder.to_owned());
        let pictures = [&video["thumbnail"], &video["storyboard"]["index"]].into_iter().filter_map(of);
        let renditions = video["renditions"].as_array().into_iter().flatten().map(|one| text(&one["folder"]));
        needed.extend(pictures.chain(renditions).map(|folder| format!("{place}/{folder}")));
    }
    needed
}

impl Platform {
    /// The files in the blob store, and what workers left behind.
    pub fn files(&self) -> Vec<PathBuf> {
        files(&self.data())
    }

    /// Demands that the blob store holds what the rows say, and nothing else.
    pub async fn bytes_are_known(&self) {
        are_known(&self.system(), &self.data()).await;
    }
}

impl Roles {
    /// The files in the blob store, and what workers left behind.
    pub fn files(&self) -> Vec<PathBuf> {
        files(self.data())
    }

    /// Demands that the blob store holds what the rows say, and nothing else.
    pub async fn bytes_are_known(&mut self) {
        are_known(&self.system(), self.data()).await;
    }
}
