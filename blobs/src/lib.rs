//! Where bytes lie: in a folder, or with any server that speaks S3. A blob is there whole or not at all, and its bytes
//! arrive in pieces, from any process that sees the same store. Nothing else in the platform knows which store it is.

mod bucket;
mod fault;
mod folder;
mod key;
mod piece;
mod upload;

pub use bucket::Credentials;
pub use fault::{AppendError, Fault, FinishError};
pub use key::{BadKey, Key};
pub use upload::{Begun, Checksum, Stored, Upload};

use bucket::Bucket;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use folder::Folder;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use std::io;
use std::ops::Range;
use std::path::Path;
use uuid::Uuid;

/// A store of blobs. Cloning it is cheap and gives the same store.
#[derive(Clone)]
pub struct Blobs(Place);

#[derive(Clone)]
enum Place {
    Folder(Folder),
    Bucket(Bucket),
}

/// What a store says about a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Bytes.
    pub size: u64,
    /// Changes whenever the bytes do. Without quotes.
    pub etag: String,
    /// When it was put here.
    pub modified: DateTime<Utc>,
}

/// The bytes of a blob, as they come.
pub type Body = BoxStream<'static, io::Result<Bytes>>;

impl Blobs {
    /// In a folder, which is made when it is not there, for nobody else to look into. What an earlier run left half
    /// done for more than a day goes away.
    ///
    /// # Errors
    /// The folder cannot be made or written to.
    pub fn folder(path: &Path) -> anyhow::Result<Self> {
        Ok(Blobs(Place::Folder(Folder::open(path)?)))
    }

    /// With a server: `s3://bucket/optional/prefix?endpoint=http://host:port&region=eu-1&allow_http=true`. More that
    /// may be said: `virtual_hosted=true` when the endpoint names the bucket, and `lease=30`, after how many seconds
    /// of silence an append counts as dead; one that lives is heard of every ten. Without `credentials` the environment
    /// has them, as everywhere with S3.
    ///
    /// Says nothing to the server yet. The bucket should drop incomplete multipart uploads after some days, for those
    /// of a process that died between making one and writing it down.
    ///
    /// # Errors
    /// The setting cannot be read; it is not repeated.
    pub fn bucket(setting: &str, credentials: Option<Credentials>) -> anyhow::Result<Self> {
        Ok(Blobs(Place::Bucket(Bucket::open(setting, credentials)?)))
    }

    /// Where the setting says, as [`Blobs::bucket`], or without one in the folder.
    ///
    /// # Errors
    /// As [`Blobs::bucket`] and [`Blobs::folder`].
    pub fn open(setting: Option<&str>, folder: &Path) -> anyhow::Result<Self> {
        match setting {
            Some(setting) => Self::bucket(setting, None),
            None => Self::folder(folder),
        }
    }

    /// Whether there is such a blob, and which.
    ///
    /// # Errors
    /// The store failed.
    pub async fn head(&self, key: &Key) -> Result<Option<Found>, Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.head(key).await,
            Place::Bucket(bucket) => bucket.head(key).await,
        }
    }

    /// A blob, or what of it lies in a range: nothing, when the range begins behind its end.
    ///
    /// # Errors
    /// The store failed.
    pub async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Found, Body)>, Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.get(key, range).await,
            Place::Bucket(bucket) => bucket.get(key, range).await,
        }
    }

    /// A blob, and of its bytes the part that `wanted` says when it is told what there is; none, when it wants none. For
    /// whoever would look at a blob first: in a folder it is one look, and what is read is what was looked at.
    ///
    /// # Errors
    /// The store failed.
    pub async fn read(
        &self,
        key: &Key,
        wanted: impl FnOnce(&Found) -> Option<Range<u64>> + Send,
    ) -> Result<Option<(Found, Body)>, Fault> {
        let bucket = match &self.0 {
            Place::Folder(folder) => return folder.read(key, wanted).await,
            Place::Bucket(bucket) => bucket,
        };
        let Some(found) = bucket.head(key).await? else { return Ok(None) };
        match wanted(&found) {
            Some(range) => bucket.get(key, Some(range)).await,
            None => Ok(Some((found, stream::empty().boxed()))),
        }
    }

    /// Puts a small blob, in place of one that is there. Readers see the one or the other.
    ///
    /// # Errors
    /// The store failed; the blob is as it was.
    pub async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.put(key, bytes).await,
            Place::Bucket(bucket) => bucket.put(key, bytes).await,
        }
    }

    /// Puts the bytes of a file, in constant memory, and says how many they were. The file stays.
    ///
    /// # Errors
    /// The file cannot be read, or the store failed; the blob is as it was.
    pub async fn put_file(&self, key: &Key, path: &Path) -> Result<u64, Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.put_file(key, path).await,
            Place::Bucket(bucket) => bucket.put_file(key, path).await,
        }
    }

    /// Makes a file of a blob, in place of one that is there, and says how long it is. Only for reading: it may be the
    /// blob itself under a second name.
    ///
    /// # Errors
    /// The file cannot be written, or the store failed.
    pub async fn fetch(&self, key: &Key, to: &Path) -> Result<Option<u64>, Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.fetch(key, to).await,
            Place::Bucket(bucket) => bucket.fetch(key, to).await,
        }
    }

    /// Removes a blob; `false` when there was none.
    ///
    /// # Errors
    /// The store failed.
    pub async fn delete(&self, key: &Key) -> Result<bool, Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.delete(key).await,
            Place::Bucket(bucket) => bucket.delete(key).await,
        }
    }

    /// Removes every blob below a prefix and says how many there were. A blob called as the prefix itself stays.
    ///
    /// # Errors
    /// The store failed; some may be gone.
    pub async fn delete_all(&self, prefix: &Key) -> Result<u64, Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.delete_all(prefix).await,
            Place::Bucket(bucket) => bucket.delete_all(prefix).await,
        }
    }

    /// Every blob below a prefix, or of the store, with its size, by name. What is being uploaded is none yet.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(&self, prefix: Option<&Key>) -> Result<Vec<(Key, u64)>, Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.list(prefix).await,
            Place::Bucket(bucket) => bucket.list(prefix).await,
        }
    }

    /// Begins an upload. If one of this id was begun before, that one stays as it is.
    ///
    /// # Errors
    /// The store failed.
    pub async fn begin(&self, upload: Uuid, begun: &Begun) -> Result<(), Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.begin(upload, begun).await,
            Place::Bucket(bucket) => bucket.begin(upload, begun).await,
        }
    }

    /// How an upload stands. While somebody appends, this may be up to 64 MiB behind.
    ///
    /// # Errors
    /// The store failed.
    pub async fn upload(&self, upload: Uuid) -> Result<Option<Upload>, Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.upload(upload).await,
            Place::Bucket(bucket) => bucket.upload(upload).await,
        }
    }

    /// Appends a piece and says where the next one begins. What is acknowledged survives any crash. With a checksum
    /// all of the piece is kept or none; without one also what came before the body broke off.
    ///
    /// # Errors
    /// [`AppendError`] says what became of the piece.
    pub async fn append<E>(
        &self,
        upload: Uuid,
        offset: u64,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
        checksum: Option<Checksum>,
    ) -> Result<u64, AppendError> {
        let checked = checksum.is_some();
        match &self.0 {
            Place::Folder(folder) => piece::take(folder.clone().session(upload, offset, checked), body, checksum).await,
            Place::Bucket(bucket) => piece::take(bucket.clone().session(upload, offset, checked), body, checksum).await,
        }
    }

    /// Says that what has come is all: for those who learn only at the end how much it is. The length that was said when it
    /// began was then the most that it could be.
    ///
    /// # Errors
    /// As [`Blobs::finish`].
    pub async fn shorten(&self, upload: Uuid) -> Result<Upload, FinishError> {
        match &self.0 {
            Place::Folder(folder) => folder.shorten(upload).await,
            Place::Bucket(bucket) => bucket.shorten(upload).await,
        }
    }

    /// Makes a blob of an upload that has come completely, without copying it, in place of one that is there. Asked
    /// again it says the same, until the upload is aborted.
    ///
    /// # Errors
    /// [`FinishError`] says what is missing.
    pub async fn finish(&self, upload: Uuid) -> Result<Stored, FinishError> {
        match &self.0 {
            Place::Folder(folder) => folder.finish(upload).await,
            Place::Bucket(bucket) => bucket.finish(upload).await,
        }
    }

    /// Forgets an upload and frees whatever it holds, even while somebody appends to it; `false` when there was none.
    /// The blob that a finished one has become stays.
    ///
    /// # Errors
    /// The store failed; aborting again frees the rest.
    pub async fn abort(&self, upload: Uuid) -> Result<bool, Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.abort(upload).await,
            Place::Bucket(bucket) => bucket.abort(upload).await,
        }
    }

    /// Every upload that is not aborted, finished or not: for sweeping.
    ///
    /// # Errors
    /// The store failed.
    pub async fn uploads(&self) -> Result<Vec<Upload>, Fault> {
        match &self.0 {
            Place::Folder(folder) => folder.uploads().await,
            Place::Bucket(bucket) => bucket.uploads().await,
        }
    }
}
