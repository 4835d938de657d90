//! How an upload ends: as a blob, or not at all.

use blobs::{AppendError, FinishError};
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use crate::world::{MIB, body, bytes, collect, each, key, sha256, target};

#[tokio::test]
async fn finishing_again_says_the_same_until_it_is_forgotten() {
    each(async |world| {
        let content = bytes(1, 9 * MIB);
        let id = world.begin(content.len()).await;
        let error = world.blobs.finish(id).await;
        assert!(matches!(error, Err(FinishError::Incomplete { offset: 0 })), "{error:?}");
        world.blobs.append(id, 0, body(&content.slice(..MIB), MIB), None).await.expect("appended");
        let error = world.blobs.finish(id).await;
        assert!(matches!(error, Err(FinishError::Incomplete { offset }) if offset == MIB as u64), "{error:?}");
        assert_eq!(world.blobs.head(&target(id)).await.expect("an answer"), None);
        world.blobs.append(id, MIB as u64, body(&content.slice(MIB..), MIB), None).await.expect("appended");

        let first = world.blobs.finish(id).await.expect("finished");
        assert_eq!(world.elsewhere().finish(id).await.expect("finished before"), first);
        let uploads = world.blobs.uploads().await.expect("listed");
        assert_eq!(uploads.iter().map(|upload| (upload.id, upload.finished)).collect::<Vec<_>>(), [(id, true)]);
        let error = world.blobs.append(id, content.len() as u64, body(&content, MIB), None).await;
        assert!(matches!(error, Err(AppendError::Gone)), "{error:?}");
        // what has become of the blob since is not the upload's business
        assert!(world.blobs.delete(&target(id)).await.expect("deleted"));
        assert_eq!(world.blobs.finish(id).await.expect("finished before"), first);

        assert!(world.blobs.abort(id).await.expect("forgotten"));
        assert!(matches!(world.blobs.finish(id).await, Err(FinishError::Gone)));
        assert_eq!(world.everything(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn what_has_come_can_be_all_of_it() {
    each(async |world| {
        let content = bytes(1, 9 * MIB + 5);
        let id = world.begin(20 * MIB).await;
        world.blobs.append(id, 0, body(&content, MIB), None).await.expect("appended");
        let upload = world.elsewhere().shorten(id).await.expect("shortened");
        let length = content.len() as u64;
        assert_eq!((upload.id, upload.offset, upload.begun.length), (id, length, length));
        let error = world.blobs.append(id, length, body(&bytes(2, 1), 1), None).await;
        assert!(matches!(error, Err(AppendError::TooLong)), "{error:?}");
        assert_eq!(world.blobs.finish(id).await.expect("finished").sha256, sha256(&content));
        assert_eq!(world.blobs.shorten(id).await.expect("it is as long as it is").offset, length);
        world.blobs.abort(id).await.expect("forgotten");
        assert!(matches!(world.blobs.shorten(id).await, Err(FinishError::Gone)));
    })
    .await;
}

#[tokio::test]
async fn a_finished_upload_takes_the_place_of_the_blob_that_was_there() {
    each(async |world| {
        for length in [100, 9 * MIB] {
            let content = bytes(length as u64, length);
            let id = world.begin(length).await;
            world.blobs.put(&target(id), bytes(2, 50)).await.expect("put");
            world.blobs.append(id, 0, body(&content, MIB), None).await.expect("appended");
            let (_, old) = world.blobs.get(&target(id), None).await.expect("an answer").expect("it is there");
            world.blobs.finish(id).await.expect("finished");
            assert_eq!(collect(old).await, bytes(2, 50), "whoever reads the old one gets all of it");
            assert_eq!(sha256(&world.read(&target(id)).await), sha256(&content));
        }
    })
    .await;
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    each(async |world| {
        let content = bytes(1, 12 * MIB);
        for length in [0, 100, 12 * MIB] {
            let id = world.begin(20 * MIB).await;
            world.blobs.append(id, 0, body(&content.slice(..length), MIB), None).await.expect("appended");
            assert!(!world.everything().is_empty());
            assert!(world.elsewhere().abort(id).await.expect("aborted"));
            assert!(!world.blobs.abort(id).await.expect("an answer"));
            assert_eq!(world.blobs.upload(id).await.expect("an answer"), None);
            assert!(world.blobs.uploads().await.expect("listed").is_empty());
            assert_eq!(world.everything(), Vec::<String>::new(), "after {length} bytes");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_aborted_while_it_comes_leaves_nothing_either() {
    each(async |world| {
        let id = world.begin(40 * MIB).await;
        let (send, chunks) = mpsc::channel(1);
        let chunks = stream::unfold(chunks, |mut chunks| async { Some((chunks.recv().await?, chunks)) });
        let blobs = world.blobs.clone();
        let appending = tokio::spawn(async move { blobs.append(id, 0, chunks.map(Ok::<_, ()>), None).await });
        let chunk = bytes(1, MIB);
        for _ in 0..20 {
            send.send(chunk.clone()).await.expect("it listens");
        }
        assert!(world.elsewhere().abort(id).await.expect("aborted"));
        for _ in 0..20 {
            // it may have noticed by now
            let _ = send.send(chunk.clone()).await;
        }
        drop(send);
        let outcome = appending.await.expect("it ran");
        assert!(matches!(outcome, Err(AppendError::Gone)), "{outcome:?}");
        assert_eq!(world.everything(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn uploads_are_listed_for_whoever_sweeps() {
    each(async |world| {
        let mut ids = Vec::new();
        for n in 0..5 {
            let id = world.begin(10).await;
            world.blobs.append(id, 0, body(&bytes(1, n), 10), None).await.expect("appended");
            ids.push((id, n as u64));
        }
        world.blobs.put(&key("files/other"), bytes(1, 1)).await.expect("put");
        let mut listed: Vec<_> = world.elsewhere().uploads().await.expect("listed").into_iter().collect();
        listed.sort_by_key(|upload| upload.offset);
        assert_eq!(listed.iter().map(|upload| (upload.id, upload.offset)).collect::<Vec<_>>(), ids);
        assert!(listed.iter().all(|upload| upload.begun == crate::world::begun(upload.id, 10) && !upload.finished));
        assert_eq!(world.blobs.list(None).await.expect("listed"), [(key("files/other"), 1)]);
    })
    .await;
}
