//! Uploads that come in pieces, from one process or another, and are the same in the end.

use blobs::{AppendError, Stored};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use crate::world::{Dice, MIB, World, begun, body, broken, bytes, each, sha256, target};

#[tokio::test]
async fn cut_twenty_times_it_is_the_same_in_the_end() {
    each(async |world| {
        let content = bytes(7, 11 * MIB + 4321);
        let id = world.begin(content.len()).await;
        let mut dice = Dice(2026);
        for _ in 0..20 {
            let blobs = world.elsewhere();
            let at = blobs.upload(id).await.expect("an answer").expect("an upload").offset as usize;
            let piece = content.slice(at..at + dice.below((content.len() - at) / 6));
            let error = blobs.append(id, at as u64, broken(&piece, 1 + dice.below(300_000)), None).await;
            let expected = (at + piece.len()) as u64;
            assert!(matches!(error, Err(AppendError::Broken { offset }) if offset == expected), "{error:?}");
        }
        let at = world.offset(id).await;
        assert!(at > 9 * MIB as u64, "the cuts should get into the second part, but ended at {at}");
        let rest = content.slice(at as usize..);
        assert_eq!(world.blobs.append(id, at, body(&rest, 77_777), None).await.expect("all"), content.len() as u64);
        finished_well(world, id, &content).await;
    })
    .await;
}

#[tokio::test]
async fn odd_pieces_over_several_parts() {
    each(async |world| {
        let content = bytes(9, 20 * MIB);
        let id = world.begin(content.len()).await;
        let mut at = 0_usize;
        for size in [1, MIB - 1, MIB, 6 * MIB + 1, 11 * MIB + 12_345, usize::MAX] {
            let piece = content.slice(at..(at.saturating_add(size)).min(content.len()));
            at += piece.len();
            let offset = world.elsewhere().append(id, (at - piece.len()) as u64, body(&piece, 65_537), None).await;
            assert_eq!(offset.expect("appended"), at as u64);
            assert_eq!(world.offset(id).await, at as u64);
        }
        assert_eq!(at, content.len());
        finished_well(world, id, &content).await;
    })
    .await;
}

#[tokio::test]
async fn whole_parts_leave_no_rest() {
    each(async |world| {
        let content = bytes(3, 16 * MIB);
        let id = world.begin(content.len()).await;
        world.blobs.append(id, 0, body(&content, 1_000_000), None).await.expect("appended");
        finished_well(world, id, &content).await;
    })
    .await;
}

#[tokio::test]
async fn nothing_at_all_is_complete_at_once() {
    each(async |world| {
        let id = world.begin(0).await;
        assert_eq!(world.blobs.append(id, 0, body(&Bytes::new(), 1), None).await.expect("nothing came"), 0);
        finished_well(world, id, &Bytes::new()).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_said_at_the_beginning_stays() {
    each(async |world| {
        let id = world.begin(10).await;
        world.blobs.append(id, 0, body(&bytes(1, 4), 4), None).await.expect("appended");
        let mut other = begun(id, 99);
        other.note = serde_json::json!("another note");
        world.elsewhere().begin(id, &other).await.expect("begun before");
        let upload = world.blobs.upload(id).await.expect("an answer").expect("an upload");
        assert_eq!((upload.id, upload.begun, upload.offset, upload.finished), (id, begun(id, 10), 4, false));
        assert_eq!(world.blobs.list(None).await.expect("listed"), []);
    })
    .await;
}

#[tokio::test]
async fn long_pieces_are_safe_before_their_end() {
    each(async |world| {
        let chunk = bytes(5, MIB);
        let id = world.begin(70 * MIB).await;
        let (blobs, come) = (world.blobs.clone(), repeated(&chunk, 65).chain(stream::pending()));
        let appending = tokio::spawn(async move { blobs.append(id, 0, come, None).await });
        while world.offset(id).await < 64 * MIB as u64 {
            assert!(!appending.is_finished());
            tokio::task::yield_now().await;
        }
        // whoever asked goes away: what has come by then is kept, and nobody is shut out
        appending.abort();
        let offset = loop {
            match world.blobs.append(id, 1, repeated(&chunk, 1), None).await {
                Err(AppendError::Busy) => tokio::task::yield_now().await,
                Err(AppendError::Offset { is }) => break is as usize,
                other => panic!("{other:?}"),
            }
        };
        assert!(offset == 64 * MIB || offset == 65 * MIB, "{offset}");
        let rest = 70 - offset / MIB;
        world.blobs.append(id, offset as u64, repeated(&chunk, rest), None).await.expect("appended");
        assert_eq!(world.blobs.finish(id).await.expect("finished").sha256, sha256(&chunk.repeat(70)));
    })
    .await;
}

#[tokio::test]
async fn what_is_too_long_in_the_end_was_not_safe_before() {
    each(async |world| {
        let chunk = bytes(5, MIB);
        let id = world.begin(65 * MIB).await;
        world.blobs.append(id, 0, body(&chunk.slice(..77), 7), None).await.expect("appended");
        let error = world.blobs.append(id, 77, repeated(&chunk, 65), None).await;
        assert!(matches!(error, Err(AppendError::TooLong)), "{error:?}");
        assert_eq!(world.offset(id).await, 77);
        let (content, at) = (bytes(6, MIB), 77);
        let error = world.elsewhere().append(id, at, broken(&content, 1000), None).await;
        assert!(matches!(error, Err(AppendError::Broken { offset }) if offset == at + MIB as u64), "{error:?}");
        world.blobs.abort(id).await.expect("aborted");
        assert_eq!(world.everything(), Vec::<String>::new());
    })
    .await;
}

fn repeated(chunk: &Bytes, times: usize) -> impl Stream<Item = Result<Bytes, ()>> + Send + use<> {
    stream::iter(std::iter::repeat_n(chunk.clone(), times).map(Ok))
}

async fn finished_well(world: &World, id: uuid::Uuid, content: &Bytes) {
    let stored = world.elsewhere().finish(id).await.expect("finished");
    let head = content[..content.len().min(4096)].to_vec();
    assert_eq!(stored, Stored { size: content.len() as u64, sha256: sha256(content), head });
    assert_eq!(sha256(&world.read(&target(id)).await), sha256(content));
    assert!(world.blobs.abort(id).await.expect("forgotten"));
    assert!(world.blobs.delete(&target(id)).await.expect("deleted"));
    assert_eq!(world.everything(), Vec::<String>::new());
}
