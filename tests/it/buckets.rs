//! The bytes in an S3 bucket instead of a folder: the same system, and nothing is left over there either.

use crate::support::films::clip;
use crate::support::hls::{beside, master, media};
use crate::support::moto;
use crate::support::platform::Setup;
use crate::support::{Person, Platform, eventually};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

#[tokio::test]
async fn a_film_lives_in_a_bucket() {
    let bucket = format!("films-{}", Uuid::new_v4());
    moto::ask("PUT", &format!("/{bucket}"), b"");
    let url = format!("s3://{bucket}?endpoint=http://127.0.0.1:{}&region=eu-1&allow_http=true", moto::port());
    let setup = Setup::default().variable("REPRISE_BLOBS", &url).variable("REPRISE_ORPHAN_AGE", "1");
    let setup = setup.variable("AWS_ACCESS_KEY_ID", "test").variable("AWS_SECRET_ACCESS_KEY", "test");
    let platform = setup.start().await;
    let ada = platform.somebody_with_profile().await;
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(clip(folder.path(), "640x360", 5)).expect("the clip");

    let id = platform.draft(&ada, "In a bucket").await;
    let said = [("filename", "bucket.mp4"), ("purpose", "video"), ("video_id", &*id)];
    let place = platform.begin_upload(&ada, source.len(), &said).await;
    let (first, rest) = source.split_at(source.len() / 2);
    platform.piece(&ada, &place, 0, first).await.expect(204);
    platform.piece(&ada, &place, first.len(), rest).await.expect(204);
    let video = platform.video_ready(&ada, &id).await;
    it_is_served(&platform, &ada, video["playback"].as_str().expect("it can be played")).await;
    let file = format!("{}{}", platform.url, place.replace("/tus/", "/files/"));
    let stored = platform.client.get(file).bearer_auth(&ada.access_token).send().await.expect("an answer");
    assert_eq!(Sha256::digest(stored.bytes().await.expect("a body")), Sha256::digest(&source));

    let kept: BTreeSet<String> = moto::everything(&bucket).into_iter().collect();
    let lost = [format!("files/{}", Uuid::now_v7()), format!("videos/{}/1.1/rung-ab/360p/00001.m4s", Uuid::now_v7())];
    for name in lost.iter().map(String::as_str).chain(["README"]) {
        moto::ask("PUT", &format!("/{bucket}/{name}"), b"left by a crash");
    }
    let mut expected = kept;
    expected.insert("README".to_owned());
    let holds = async |expected: &BTreeSet<String>| {
        eventually("only what is known or somebody else's is left", async || {
            let found: BTreeSet<String> = moto::everything(&bucket).into_iter().collect();
            (found == *expected).then_some(())
        })
        .await;
    };
    holds(&expected).await;

    let given_up = platform.begin_upload(&ada, 1000, &[("purpose", "video")]).await;
    platform.piece(&ada, &given_up, 0, &[1; 500]).await.expect(204);
    let end = platform.delete(&given_up).header("tus-resumable", "1.0.0").by(&ada);
    end.send().await.expect(204);
    platform.delete(&format!("/api/videos/{id}")).by(&ada).send().await.expect(200);
    holds(&["README".to_owned()].into()).await;
    platform.settle().await;
    assert!(platform.files().is_empty(), "nothing lies in the folder");
    platform.check().await;
}

/// The master playlist, a size, and a part of a segment.
async fn it_is_served(platform: &Platform, ada: &Person, playback: &str) {
    let text = platform.get(playback).by(ada).send().await.expect(200).text;
    let size = beside(playback, &master(&text).0[0].uri);
    let film = media(&platform.get(&size).by(ada).send().await.expect(200).text);
    let request = platform.get(&beside(&size, &film.segments[0].0)).by(ada).header("range", "bytes=4-7");
    assert_eq!(request.send().await.expect(206).text, "styp", "segments begin so (ISO 14496-12, 8.16.2)");
}
