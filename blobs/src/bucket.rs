//! Blobs as objects of an S3 bucket. Small ones are put at once, large ones in parts; either way the server shows an
//! object when it is whole. What the store keeps for itself begins with a dot, so it is no blob.

mod finishing;
mod http;
mod setting;
mod staging;
mod state;

use bytes::Bytes;
use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::aws::AmazonS3;
use object_store::path::Path as Name;
use object_store::{Error, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, WriteMultipart};
use std::io;
use std::ops::Range;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Body, Fault, Found, Key};
pub use setting::Credentials;
use setting::Setting;

/// The smallest part, bytes. S3 asks for 5 MiB at least.
const PART: u64 = 8 << 20;
/// Parts that S3 takes for one object.
const PARTS: u64 = 10_000;

#[derive(Clone)]
pub(crate) struct Bucket {
    s3: AmazonS3,
    prefix: Option<Key>,
    lease: TimeDelta,
}

impl Bucket {
    pub fn open(setting: &str, credentials: Option<Credentials>) -> anyhow::Result<Self> {
        let setting = Setting::parse(setting)?;
        let s3 = setting.connect(credentials)?;
        Ok(Bucket { s3, prefix: setting.prefix, lease: TimeDelta::seconds(setting.lease.into()) })
    }

    /// What is called `rest` here, as the server calls it.
    fn name(&self, rest: &str) -> Name {
        match &self.prefix {
            Some(prefix) => Name::from(format!("{prefix}/{rest}")),
            None => Name::from(rest),
        }
    }

    fn blob(&self, key: &Key) -> Name {
        self.name(key.as_str())
    }

    pub async fn head(&self, key: &Key) -> Result<Option<Found>, Fault> {
        match self.s3.head(&self.blob(key)).await {
            Ok(meta) => Ok(Some(found(&meta))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Fault::s3(format!("cannot look at {key}"), &error)),
        }
    }

    pub async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Option<(Found, Body)>, Fault> {
        // a range of S3 has one byte at least
        if range.as_ref().is_some_and(Range::is_empty) {
            return Ok(self.head(key).await?.map(|found| (found, stream::empty().boxed())));
        }
        let options = GetOptions { range: range.clone().map(GetRange::Bounded), ..Default::default() };
        match self.s3.get_opts(&self.blob(key), options).await {
            Ok(got) => Ok(Some((found(&got.meta), body(key, got)))),
            Err(Error::NotFound { .. }) => Ok(None),
            // refused perhaps because the range begins behind the end
            Err(error) => match (range, self.head(key).await?) {
                (Some(range), Some(found)) if range.start >= found.size => Ok(Some((found, stream::empty().boxed()))),
                _ => Err(Fault::s3(format!("cannot read {key}"), &error)),
            },
        }
    }

    pub async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), Fault> {
        let put = self.s3.put(&self.blob(key), bytes.into()).await;
        put.map(drop).map_err(|error| Fault::s3(format!("cannot write {key}"), &error))
    }

    pub async fn put_file(&self, key: &Key, path: &Path) -> Result<u64, Fault> {
        let file = |error| Fault::new(format!("cannot read {}", path.display()), error);
        let mut from = tokio::fs::File::open(path).await.map_err(file)?;
        let size = from.metadata().await.map_err(file)?.len();
        if size <= PART {
            let mut bytes = Vec::new();
            let size = from.read_to_end(&mut bytes).await.map_err(file)?;
            return self.put(key, bytes.into()).await.map(|()| size as u64);
        }
        let failed = |error| Fault::s3(format!("cannot write {key}"), &error);
        let upload = self.s3.put_multipart(&self.blob(key)).await.map_err(failed)?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, part_size(size) as usize);
        match copy(&mut from, &mut parts).await {
            Ok(size) => parts.finish().await.map(|_| size).map_err(failed),
            Err(error) => {
                // what failed first is what matters; the server drops the parts in time
                let _ = parts.abort().await;
                Err(Fault::new(format!("cannot write {key} from {}", path.display()), error))
            }
        }
    }

    pub async fn fetch(&self, key: &Key, to: &Path) -> Result<Option<u64>, Fault> {
        let Some((found, mut body)) = self.get(key, None).await? else { return Ok(None) };
        let failed = |error| Fault::new(format!("cannot fetch {key} to {}", to.display()), error);
        let mut draft = to.as_os_str().to_owned();
        draft.push(".part");
        let done = async {
            let mut file = tokio::fs::File::create(&draft).await?;
            while let Some(bytes) = body.try_next().await? {
                file.write_all(&bytes).await?;
            }
            file.flush().await?;
            tokio::fs::rename(&draft, to).await
        };
        if let Err(error) = done.await {
            // why it failed is what matters, not whether there is a rest
            let _ = tokio::fs::remove_file(&draft).await;
            return Err(failed(error));
        }
        Ok(Some(found.size))
    }

    pub async fn delete(&self, key: &Key) -> Result<bool, Fault> {
        // the server does not say whether there was something
        if self.head(key).await?.is_none() {
            return Ok(false);
        }
        match self.s3.delete(&self.blob(key)).await {
            Ok(()) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(Fault::s3(format!("cannot delete {key}"), &error)),
        }
    }

    pub async fn delete_all(&self, prefix: &Key) -> Result<u64, Fault> {
        self.delete_below(self.blob(prefix)).await
    }

    async fn delete_below(&self, prefix: Name) -> Result<u64, Fault> {
        let all = self.s3.list(Some(&prefix)).map_ok(|meta| meta.location).boxed();
        let gone = self.s3.delete_stream(all).try_fold(0, |count, _| async move { Ok(count + 1) }).await;
        gone.map_err(|error| Fault::s3(format!("cannot delete what is below {prefix}"), &error))
    }

    pub async fn list(&self, prefix: Option<&Key>) -> Result<Vec<(Key, u64)>, Fault> {
        let root = self.prefix.as_ref().map(|root| Name::from(root.as_str()));
        let below = prefix.map(|prefix| self.blob(prefix)).or(root);
        let own = self.prefix.as_ref().map_or(String::new(), |root| format!("{root}/"));
        let all = self.s3.list(below.as_ref()).try_collect::<Vec<_>>().await;
        let all = all.map_err(|error| Fault::s3("cannot list the blobs", &error))?;
        // an object of another name was not put here as a blob
        let blob = |meta: ObjectMeta| Some((Key::new(meta.location.as_ref().strip_prefix(&own)?).ok()?, meta.size));
        let mut all: Vec<_> = all.into_iter().filter_map(blob).collect();
        all.sort_unstable();
        Ok(all)
    }
}

/// Parts of one size, so many mebibytes that there are few enough of them.
fn part_size(length: u64) -> u64 {
    length.div_ceil(PARTS).next_multiple_of(1 << 20).max(PART)
}

async fn copy(from: &mut tokio::fs::File, parts: &mut WriteMultipart) -> io::Result<u64> {
    let (mut buffer, mut size) = (vec![0; 1 << 20], 0);
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(size);
        }
        size += read as u64;
        // two parts on their way at most: that is what bounds the memory
        parts.wait_for_capacity(2).await?;
        parts.write(&buffer[..read]);
    }
}

fn found(meta: &ObjectMeta) -> Found {
    let etag = meta.e_tag.as_deref().unwrap_or_default().trim_start_matches("W/").trim_matches('"').to_owned();
    Found { size: meta.size, etag, modified: meta.last_modified }
}

fn body(key: &Key, got: GetResult) -> Body {
    let what = format!("cannot read {key}");
    got.into_stream().map_err(move |error| io::Error::other(Fault::s3(&what, &error))).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_enough_and_as_small_as_that_allows() {
        assert_eq!(part_size(0), PART);
        assert_eq!(part_size(PART * PARTS), PART);
        assert_eq!(part_size(PART * PARTS + 1), 9 << 20);
        let five_tib = 5 << 40;
        assert!(five_tib <= part_size(five_tib) * PARTS && part_size(five_tib).is_multiple_of(1 << 20));
    }
}
