//! What is not appended, and why.

use blobs::{AppendError, Checksum};
use bytes::Bytes;
use futures::{StreamExt, stream};
use sha1::{Digest, Sha1};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::world::{MIB, body, broken, bytes, each, sha256};

#[tokio::test]
async fn a_piece_belongs_where_the_upload_is() {
    each(async |world| {
        let content = bytes(1, 1000);
        let id = world.begin(1000).await;
        world.blobs.append(id, 0, body(&content.slice(..400), 7), None).await.expect("appended");
        for wrong in [0, 399, 401, 1000, u64::MAX] {
            let error = world.blobs.append(id, wrong, body(&content, 100), None).await;
            assert!(matches!(error, Err(AppendError::Offset { is: 400 })), "{wrong}: {error:?}");
        }
        assert_eq!(world.blobs.append(id, 400, body(&content.slice(400..), 7), None).await.expect("the rest"), 1000);
        assert_eq!(world.blobs.finish(id).await.expect("finished").sha256, sha256(&content));
    })
    .await;
}

#[tokio::test]
async fn an_upload_has_no_more_than_its_length() {
    each(async |world| {
        let id = world.begin(3 * MIB).await;
        world.blobs.append(id, 0, body(&bytes(1, 100), 10), None).await.expect("appended");
        // the excess shows only in the last chunk
        let error = world.blobs.append(id, 100, body(&bytes(2, 3 * MIB), MIB), None).await;
        assert!(matches!(error, Err(AppendError::TooLong)), "{error:?}");
        assert_eq!(world.offset(id).await, 100);
        let rest = bytes(3, 3 * MIB - 100);
        assert_eq!(world.blobs.append(id, 100, body(&rest, MIB), None).await.expect("the rest"), 3 * MIB as u64);
        let error = world.blobs.append(id, 3 * MIB as u64, body(&bytes(4, 1), 1), None).await;
        assert!(matches!(error, Err(AppendError::TooLong)), "{error:?}");
        let whole = [bytes(1, 100), rest].concat();
        assert_eq!(world.blobs.finish(id).await.expect("finished").sha256, sha256(&whole));
    })
    .await;
}

#[tokio::test]
async fn there_must_be_an_upload() {
    each(async |world| {
        let id = Uuid::new_v4();
        let error = world.blobs.append(id, 0, body(&bytes(1, 1), 1), None).await;
        assert!(matches!(error, Err(AppendError::Gone)), "{error:?}");
        assert_eq!(world.blobs.upload(id).await.expect("an answer"), None);
        assert!(!world.blobs.abort(id).await.expect("an answer"));
        assert_eq!(world.everything(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_checksum_decides_about_all_of_a_piece() {
    each(async |world| {
        let content = bytes(1, 14 * MIB);
        let (first, second) = (content.slice(..5 * MIB), content.slice(5 * MIB..));
        let id = world.begin(content.len()).await;
        let right = Checksum::Sha256(sha256(&first));
        world.blobs.append(id, 0, body(&first, 50_000), Some(right)).await.expect("it is right");
        let at = first.len() as u64;

        // long enough for whole parts, which are on the server when the checksum turns out wrong
        for wrong in [Checksum::Sha256([7; 32]), Checksum::Sha1([7; 20]), right] {
            let error = world.blobs.append(id, at, body(&bytes(2, second.len()), MIB), Some(wrong)).await;
            assert!(matches!(error, Err(AppendError::Checksum)), "{error:?}");
            assert_eq!(world.offset(id).await, at);
        }
        let right = Checksum::Sha1(Sha1::digest(&second).into());
        let error = world.blobs.append(id, at, broken(&second, MIB), Some(right)).await;
        assert!(matches!(error, Err(AppendError::Broken { offset }) if offset == at), "{error:?}");
        assert_eq!(world.offset(id).await, at);

        let end = world.elsewhere().append(id, at, body(&second, MIB), Some(right)).await.expect("it is right");
        assert_eq!(end, content.len() as u64);
        assert_eq!(world.blobs.finish(id).await.expect("finished").sha256, sha256(&content));
    })
    .await;
}

#[tokio::test]
async fn while_one_appends_the_other_waits() {
    each(async |world| {
        let content = bytes(1, 2 * MIB);
        let id = world.begin(content.len()).await;
        let (send, mut chunks) = mpsc::channel::<Bytes>(1);
        let (asked, first_asked) = oneshot::channel();
        let mut asked = Some(asked);
        let held = stream::poll_fn(move |cx| {
            asked.take().map(|asked| asked.send(()));
            chunks.poll_recv(cx)
        });
        let blobs = world.blobs.clone();
        let one = tokio::spawn(async move { blobs.append(id, 0, held.map(Ok::<_, ()>), None).await });
        first_asked.await.expect("the body is asked for when the upload is open");

        // with the patience of the same process: elsewhere() would take a silent one for dead
        let other = world.blobs.append(id, 0, body(&bytes(2, 100), 10), None).await;
        assert!(matches!(other, Err(AppendError::Busy)), "{other:?}");
        for chunk in [content.slice(..MIB + 5), content.slice(MIB + 5..)] {
            send.send(chunk).await.expect("it listens");
        }
        drop(send);
        assert_eq!(one.await.expect("it ran").expect("appended"), content.len() as u64);
        let late = world.blobs.append(id, 0, body(&bytes(2, 100), 10), None).await;
        assert!(matches!(late, Err(AppendError::Offset { .. })), "{late:?}");
        assert_eq!(world.blobs.finish(id).await.expect("finished").sha256, sha256(&content));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_at_once_one_gets_through() {
    each(async |world| {
        let (rounds, size) = (12, 300_000);
        let id = world.begin(rounds * size).await;
        let mut expected = Vec::new();
        for round in 0..rounds {
            let pieces = [0, 1].map(|who| bytes((round * 2 + who) as u64, size));
            let [one, two] = [0, 1].map(|who| {
                let (blobs, piece, at) = (world.blobs.clone(), pieces[who].clone(), (round * size) as u64);
                tokio::spawn(async move { blobs.append(id, at, body(&piece, 100_000), None).await })
            });
            let through = [one.await.expect("it ran"), two.await.expect("it ran")].map(|outcome| match outcome {
                Ok(offset) => offset == ((round + 1) * size) as u64,
                Err(AppendError::Busy | AppendError::Offset { .. }) => false,
                other => panic!("{other:?}"),
            });
            let winner = match through {
                [true, false] => 0,
                [false, true] => 1,
                both => panic!("round {round}: {both:?}"),
            };
            expected.extend_from_slice(&pieces[winner]);
        }
        assert_eq!(world.blobs.finish(id).await.expect("finished").sha256, sha256(&expected));
    })
    .await;
}
