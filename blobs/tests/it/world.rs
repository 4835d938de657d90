//! A store for one test, and bytes to put into it.

use blobs::{Begun, Blobs, Credentials, Key};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use uuid::Uuid;

use crate::moto;

pub const MIB: usize = 1 << 20;

/// A store for one test.
pub struct World {
    pub blobs: Blobs,
    dir: TempDir,
    /// Of a store with an S3 server.
    pub bucket: Option<String>,
}

/// Runs a test with either store.
pub async fn each(test: impl AsyncFn(&World)) {
    for world in [World::folder(), World::s3()] {
        // shown when the test fails
        println!("with {}", if world.bucket.is_some() { "S3" } else { "a folder" });
        test(&world).await;
    }
}

impl World {
    pub fn folder() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        World { blobs: Blobs::folder(&dir.path().join("blobs")).expect("a store"), dir, bucket: None }
    }

    pub fn s3() -> Self {
        let bucket = format!("b-{}", Uuid::new_v4());
        moto::ask("PUT", &format!("/{bucket}"), b"");
        World { blobs: s3(&bucket, ""), dir: tempfile::tempdir().expect("a folder"), bucket: Some(bucket) }
    }

    /// The same store, as another process sees it. What another process has locked and died over may be taken at once.
    pub fn elsewhere(&self) -> Blobs {
        match &self.bucket {
            Some(bucket) => s3(bucket, "&lease=0"),
            None => Blobs::folder(&self.root()).expect("a store"),
        }
    }

    /// Where a folder has its blobs.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("blobs")
    }

    /// A path for the test itself.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Everything that is there, the store's own things too.
    pub fn everything(&self) -> Vec<String> {
        let Some(bucket) = &self.bucket else {
            let mut all = below(&self.root());
            all.retain(|path| path != ".uploads" && path != ".drafts");
            return all;
        };
        moto::everything(bucket)
    }

    /// Begins an upload of so many bytes.
    pub async fn begin(&self, length: usize) -> Uuid {
        let id = Uuid::new_v4();
        self.blobs.begin(id, &begun(id, length)).await.expect("begun");
        id
    }

    pub async fn offset(&self, id: Uuid) -> u64 {
        self.blobs.upload(id).await.expect("the store answers").expect("there is an upload").offset
    }

    pub async fn read(&self, key: &Key) -> Vec<u8> {
        let (_, body) = self.blobs.get(key, None).await.expect("the store answers").expect("there is a blob");
        collect(body).await
    }
}

fn s3(bucket: &str, more: &str) -> Blobs {
    let credentials = Credentials { id: "test".into(), secret: "test".into() };
    let setting =
        format!("s3://{bucket}/pre/fix?endpoint=http://127.0.0.1:{}&region=eu-1&allow_http=true{more}", moto::port());
    Blobs::bucket(&setting, Some(credentials)).expect("a store")
}

fn below(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            all.extend(below(&path).into_iter().map(|rest| format!("{name}/{rest}")));
        }
        all.push(name);
    }
    all
}

pub fn key(text: &str) -> Key {
    Key::new(text).expect("a key")
}

/// What the blob of an upload is called.
pub fn target(id: Uuid) -> Key {
    key(&format!("files/{id}/source"))
}

pub fn begun(id: Uuid, length: usize) -> Begun {
    let expires = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let note = serde_json::json!({ "filename": "a b.mp4", "parts": [1, 2] });
    Begun { key: target(id), length: length as u64, owner: Uuid::new_v5(&id, b"owner"), expires, note }
}

/// Numbers that look random and are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }
}

/// Bytes that differ everywhere.
pub fn bytes(seed: u64, length: usize) -> Bytes {
    let mut dice = Dice(seed + 1);
    let mut bytes: Vec<u8> = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&dice.roll().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A body that comes in chunks of about this size.
pub fn body(bytes: &Bytes, chunk: usize) -> impl Stream<Item = Result<Bytes, ()>> + Send + Unpin + use<> {
    let mut bytes = bytes.clone();
    stream::iter(std::iter::from_fn(move || (!bytes.is_empty()).then(|| Ok(bytes.split_to(chunk.min(bytes.len()))))))
}

/// The same, but it breaks off in the end.
pub fn broken(bytes: &Bytes, chunk: usize) -> impl Stream<Item = Result<Bytes, ()>> + Send + Unpin + use<> {
    body(bytes, chunk).chain(stream::iter([Err(())]))
}

pub async fn collect(body: blobs::Body) -> Vec<u8> {
    body.try_fold(Vec::new(), async |mut all, bytes| {
        all.extend_from_slice(&bytes);
        Ok(all)
    })
    .await
    .expect("the body comes")
}
