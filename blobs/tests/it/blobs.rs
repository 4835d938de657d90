//! Whole blobs.

use bytes::Bytes;
use futures::{StreamExt, stream};
use std::fs;
use std::ops::Range;

use crate::world::{MIB, World, bytes, collect, each, key, sha256};

#[tokio::test]
async fn what_was_put_is_there_until_it_is_deleted() {
    each(async |world| {
        let (blobs, key) = (&world.blobs, key("a/b/c.bin"));
        assert_eq!(blobs.head(&key).await.expect("an answer"), None);
        assert!(blobs.get(&key, None).await.expect("an answer").is_none());
        assert!(!blobs.delete(&key).await.expect("an answer"));

        blobs.put(&key, Bytes::from_static(b"first")).await.expect("put");
        let first = blobs.head(&key).await.expect("an answer").expect("it is there");
        assert_eq!(first.size, 5);
        assert!(!first.etag.is_empty() && !first.etag.contains('"'), "{}", first.etag);
        let age = chrono::Utc::now() - first.modified;
        assert!(age.num_seconds().abs() < 60, "{age}");
        blobs.put(&key, Bytes::from_static(b"the second")).await.expect("put");
        let (second, body) = blobs.get(&key, None).await.expect("an answer").expect("it is there");
        assert_eq!(second.size, 10);
        assert_ne!(second.etag, first.etag);
        assert_eq!(collect(body).await, b"the second");

        assert!(world.elsewhere().delete(&key).await.expect("deleted"));
        assert!(!blobs.delete(&key).await.expect("an answer"));
        assert_eq!(blobs.head(&key).await.expect("an answer"), None);
        assert_eq!(world.everything(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_range_is_what_lies_in_the_blob() {
    each(async |world| {
        let (key, empty) = (key("r"), key("empty"));
        world.blobs.put(&key, Bytes::from_static(b"0123456789")).await.expect("put");
        world.blobs.put(&empty, Bytes::new()).await.expect("put");
        let cases: [(Range<u64>, &[u8]); 9] = [
            (0..10, b"0123456789"),
            (0..1, b"0"),
            (9..10, b"9"),
            (3..7, b"3456"),
            (5..99, b"56789"),
            (0..u64::MAX, b"0123456789"),
            (10..11, b""),
            (99..100, b""),
            (4..4, b""),
        ];
        for (range, expected) in cases {
            let got = world.blobs.get(&key, Some(range.clone())).await.expect("an answer");
            let (found, body) = got.expect("it is there");
            assert_eq!(found.size, 10, "{range:?}");
            assert_eq!(collect(body).await, expected, "{range:?}");
        }
        let (found, body) = world.blobs.get(&empty, Some(0..1)).await.expect("an answer").expect("it is there");
        assert_eq!((found.size, collect(body).await.len()), (0, 0));
        assert!(world.blobs.get(&crate::world::key("none"), Some(0..1)).await.expect("an answer").is_none());
    })
    .await;
}

#[tokio::test]
async fn files_go_in_and_out() {
    each(async |world| {
        for (name, length) in [("none", 0), ("small", 12_345), ("large", 20 * MIB + 7)] {
            let (content, key) = (bytes(length as u64, length), key(&format!("files/{name}")));
            let (from, to) = (world.scratch("from"), world.scratch("to"));
            fs::write(&from, &content).expect("written");
            fs::write(&to, "something else").expect("written");
            assert_eq!(world.blobs.put_file(&key, &from).await.expect("put"), length as u64);
            assert_eq!(sha256(&world.read(&key).await), sha256(&content));
            for _ in 0..2 {
                assert_eq!(world.blobs.fetch(&key, &to).await.expect("fetched"), Some(length as u64));
                assert_eq!(sha256(&fs::read(&to).expect("read")), sha256(&content));
            }
            assert!(from.exists());
            fs::remove_file(&to).expect("ours to remove");
            assert_eq!(world.blobs.head(&key).await.expect("an answer").expect("still there").size, length as u64);
        }
        assert_eq!(world.blobs.fetch(&key("files/other"), &world.scratch("to")).await.expect("an answer"), None);
        assert!(!world.scratch("to").exists());
        world.blobs.put_file(&key("files/other"), &world.scratch("nowhere")).await.expect_err("there is no such file");
        assert_eq!(world.blobs.delete_all(&key("files")).await.expect("deleted"), 3);
        assert_eq!(world.everything(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_prefix_is_a_whole_segment() {
    each(async |world| {
        let blobs = &world.blobs;
        for name in ["run/1/a", "run/1/b/c", "run/10/a", "run/1-a", "run-1", "z"] {
            blobs.put(&key(name), Bytes::from(name.to_owned())).await.expect("put");
        }
        let names = async |prefix: Option<&str>| -> Vec<String> {
            let prefix = prefix.map(key);
            let all = world.elsewhere().list(prefix.as_ref()).await.expect("listed");
            all.into_iter()
                .map(|(key, size)| {
                    assert_eq!(size, key.as_str().len() as u64);
                    key.to_string()
                })
                .collect()
        };
        assert_eq!(names(None).await, ["run-1", "run/1-a", "run/1/a", "run/1/b/c", "run/10/a", "z"]);
        assert_eq!(names(Some("run/1")).await, ["run/1/a", "run/1/b/c"]);
        assert_eq!(names(Some("ru")).await, [""; 0]);
        assert_eq!(blobs.delete_all(&key("run/1")).await.expect("deleted"), 2);
        assert_eq!(blobs.delete_all(&key("run/1")).await.expect("deleted"), 0);
        assert_eq!(blobs.delete_all(&key("z")).await.expect("deleted"), 0);
        assert_eq!(names(None).await, ["run-1", "run/1-a", "run/10/a", "z"]);
        assert!(!world.everything().iter().any(|name| name == "run/1"), "an empty folder was left");
    })
    .await;
}

#[tokio::test]
async fn more_blobs_than_one_answer_of_a_server_holds() {
    let world = World::s3();
    let put = async |n: usize| world.blobs.put(&key(&format!("many/{n:04}")), Bytes::from_static(b"x")).await;
    stream::iter(0..1003).map(put).buffer_unordered(8).for_each(async |put| put.expect("put")).await;
    let listed = world.blobs.list(Some(&key("many"))).await.expect("listed");
    assert_eq!(listed.len(), 1003);
    assert_eq!(listed[1002].0, key("many/1002"));
    assert_eq!(world.blobs.delete_all(&key("many")).await.expect("deleted"), 1003);
    assert_eq!(world.everything(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_one_blob_or_the_other() {
    each(async |world| {
        let (key, contents) = (key("a/changing"), [bytes(1, MIB), bytes(2, MIB / 2)]);
        world.blobs.put(&key, contents[0].clone()).await.expect("put");
        let (blobs, name, all) = (world.elsewhere(), key.clone(), contents.clone());
        let writer = tokio::spawn(async move {
            for n in 0..40 {
                blobs.put(&name, all[n % 2].clone()).await.expect("put");
            }
        });
        while !writer.is_finished() {
            let read = world.read(&key).await;
            assert!(contents.iter().any(|content| **content == *read), "{} bytes of neither", read.len());
        }
        writer.await.expect("it wrote");
    })
    .await;
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_a_fault_that_tells_no_secret() {
    let credentials = blobs::Credentials { id: "hunter1".into(), secret: "hunter2".into() };
    // the name of no bucket: the server answers with a document
    let setting = format!("s3://none/x?endpoint=http://127.0.0.1:{}&allow_http=true", crate::moto::port());
    let store = blobs::Blobs::bucket(&setting, Some(credentials)).expect("a store");
    let fault = store.put(&key("a"), Bytes::new()).await.expect_err("there is no such bucket");
    let told = format!("{:#}", anyhow::Error::from(fault));
    assert!(told.starts_with("cannot write a: ") && told.contains("NoSuchBucket"), "{told}");
    assert!(!told.contains("hunter") && !told.contains('<'), "{told}");
}
