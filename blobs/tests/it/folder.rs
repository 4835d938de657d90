//! What only a folder has to take care of.

use bytes::Bytes;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use crate::world::{World, body, bytes, key, target};

#[tokio::test]
async fn nobody_else_can_look_and_nobody_writes_to_a_blob() {
    let world = World::folder();
    let content = bytes(1, 1000);
    let id = world.begin(1000).await;
    world.blobs.append(id, 0, body(&content, 99), None).await.expect("appended");
    let staged = world.root().join(format!(".uploads/{id}"));
    world.blobs.finish(id).await.expect("finished");
    world.blobs.put(&key("a/b"), content).await.expect("put");
    let mode = |path: &std::path::Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    for dir in [world.root(), world.root().join("a"), world.root().join(".uploads"), staged.clone()] {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
    }
    assert_eq!(mode(&staged.join("state.json")), 0o600);
    assert_eq!(mode(&world.root().join("a/b")), 0o400);
    assert_eq!(mode(&world.root().join(target(id).as_str())), 0o400);
}

#[tokio::test]
async fn fetching_copies_nothing_where_a_link_will_do() {
    let world = World::folder();
    world.blobs.put(&key("a/b"), Bytes::from_static(b"content")).await.expect("put");
    let to = world.scratch("fetched");
    assert_eq!(world.blobs.fetch(&key("a/b"), &to).await.expect("fetched"), Some(7));
    let inode = |path| fs::metadata(path).expect("it is there").ino();
    assert_eq!(inode(&to), inode(&world.root().join("a/b")));
    // whoever has fetched it keeps it
    world.blobs.put(&key("a/b"), Bytes::from_static(b"other")).await.expect("put");
    assert_eq!(fs::read(&to).expect("read"), b"content");
}

#[tokio::test]
async fn fetching_copies_where_there_are_no_links() {
    // another file system than that of the folder for temporary files
    let Ok(far) = tempfile::tempdir_in("/dev/shm") else { return };
    let world = World::folder();
    world.blobs.put(&key("a"), Bytes::from_static(b"content")).await.expect("put");
    let to = far.path().join("fetched");
    assert_eq!(world.blobs.fetch(&key("a"), &to).await.expect("fetched"), Some(7));
    assert_eq!(fs::read(&to).expect("read"), b"content");
}

#[tokio::test]
async fn a_folder_is_no_blob_and_a_blob_no_folder() {
    let world = World::folder();
    world.blobs.put(&key("a/b"), Bytes::from_static(b"x")).await.expect("put");
    for name in ["a", "a/b/c"] {
        assert_eq!(world.blobs.head(&key(name)).await.expect("an answer"), None, "{name}");
        assert!(world.blobs.get(&key(name), None).await.expect("an answer").is_none(), "{name}");
        assert!(!world.blobs.delete(&key(name)).await.expect("an answer"), "{name}");
        assert_eq!(world.blobs.fetch(&key(name), &world.scratch("to")).await.expect("an answer"), None, "{name}");
        world.blobs.put(&key(name), Bytes::new()).await.expect_err("the name is taken");
    }
    assert_eq!(world.blobs.delete_all(&key("a/b")).await.expect("an answer"), 0);
    assert_eq!(world.read(&key("a/b")).await, b"x");
    assert_eq!(world.everything(), ["a/b", "a"], "a failed put left something");
}

#[tokio::test]
async fn what_a_dead_process_left_half_done_goes_away_and_the_rest_stays() {
    let world = World::folder();
    let drafts = world.root().join(".drafts");
    let old = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    for name in ["old", "young"] {
        fs::write(drafts.join(name), "half").expect("written");
        fs::create_dir(drafts.join(format!("{name}-upload"))).expect("made");
        fs::write(drafts.join(format!("{name}-upload/data")), "half").expect("written");
    }
    for name in ["old", "old-upload"] {
        File::open(drafts.join(name)).expect("opened").set_modified(old).expect("set");
    }
    world.elsewhere();
    let mut left: Vec<_> = fs::read_dir(&drafts).expect("a folder").map(|e| e.expect("an entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["young", "young-upload"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puts_and_deletes_of_neighbours_do_not_disturb_each_other() {
    let world = World::folder();
    let work = ["d/e/one", "d/e/two", "d/three"].map(|name| {
        let (blobs, key) = (world.elsewhere(), key(name));
        tokio::spawn(async move {
            for _ in 0..150 {
                blobs.put(&key, Bytes::from_static(b"x")).await.expect("put");
                assert!(blobs.delete(&key).await.expect("an answer"));
            }
        })
    });
    for work in work {
        work.await.expect("it worked");
    }
    assert_eq!(world.everything(), Vec::<String>::new());
}
