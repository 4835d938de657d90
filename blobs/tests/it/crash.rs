//! What a process leaves behind that dies in the midst of something.

use blobs::{AppendError, FinishError};
use futures::{StreamExt, stream};
use std::fs;
use std::path::Path;
use uuid::Uuid;

use crate::moto;
use crate::world::{MIB, World, body, bytes, sha256, target};

/// What a folder looks like after `kill -9`: more data than the state knows of, and a state half written.
#[tokio::test]
async fn a_folder_goes_on_where_its_state_is() {
    let world = World::folder();
    let content = bytes(1, 3 * MIB);
    let id = world.begin(content.len()).await;
    world.blobs.append(id, 0, body(&content.slice(..MIB + 77), 9999), None).await.expect("appended");
    let dir = world.root().join(".uploads").join(id.to_string());
    let copy = world.scratch("copy");
    copy_dir(&dir, &copy);
    world.blobs.append(id, MIB as u64 + 77, body(&content.slice(MIB + 77..), 9999), None).await.expect("appended");

    let state = fs::read(copy.join("state.json")).expect("the state before");
    fs::write(dir.join("state.json"), &state).expect("written");
    fs::write(dir.join("state.new"), &state[..state.len() / 2]).expect("written");
    let mut data = fs::read(dir.join("data")).expect("the data");
    data.truncate(2 * MIB);
    data.extend([0xff; 1000]);
    fs::write(dir.join("data"), &data).expect("written");

    let blobs = world.elsewhere();
    assert_eq!(world.offset(id).await, MIB as u64 + 77);
    assert!(matches!(blobs.finish(id).await, Err(FinishError::Incomplete { .. })));
    blobs.append(id, MIB as u64 + 77, body(&content.slice(MIB + 77..), MIB), None).await.expect("appended");
    assert_eq!(blobs.finish(id).await.expect("finished").sha256, sha256(&content));
    assert_eq!(sha256(&world.read(&target(id)).await), sha256(&content));
    blobs.abort(id).await.expect("forgotten");
    blobs.delete(&target(id)).await.expect("deleted");
    assert_eq!(world.everything(), Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_that_lost_what_it_acknowledged_says_so() {
    let world = World::folder();
    let id = world.begin(100).await;
    world.blobs.append(id, 0, body(&bytes(1, 100), 10), None).await.expect("appended");
    let data = world.root().join(format!(".uploads/{id}/data"));
    fs::write(&data, bytes(1, 99)).expect("written");
    let error = world.blobs.append(id, 100, body(&bytes(1, 0), 10), None).await;
    assert!(matches!(error, Err(AppendError::Fault(_))), "{error:?}");
    assert!(matches!(world.blobs.finish(id).await, Err(FinishError::Fault(_))));
    assert_eq!(world.blobs.head(&target(id)).await.expect("an answer"), None);
}

/// Between writing down that it is finished and giving it its name, and after that.
#[tokio::test]
async fn a_folder_finishes_what_a_crash_interrupted() {
    let world = World::folder();
    let content = bytes(1, 1000);
    let id = world.begin(content.len()).await;
    world.blobs.append(id, 0, body(&content, 100), None).await.expect("appended");
    let dir = world.root().join(".uploads").join(id.to_string());
    let first = world.blobs.finish(id).await.expect("finished");
    fs::rename(world.root().join(target(id).as_str()), dir.join("data")).expect("as before");
    assert_eq!(world.elsewhere().finish(id).await.expect("finished"), first);
    assert_eq!(world.read(&target(id)).await, content);
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

/// A process that dies while it appends: nobody lets go of the lock, and a tail it began with is in a part now.
#[tokio::test]
async fn a_bucket_waits_for_a_dead_process_and_then_goes_on() {
    let world = World::s3();
    let content = bytes(1, 67 * MIB);
    let id = world.begin(content.len()).await;
    world.blobs.append(id, 0, body(&content.slice(..100), 10), None).await.expect("appended");
    let (blobs, come) = (world.elsewhere(), content.slice(100..66 * MIB));
    let process = tokio::runtime::Runtime::new().expect("a runtime");
    process.spawn(async move { blobs.append(id, 100, body(&come, MIB).chain(stream::pending()), None).await });
    while world.offset(id).await < 64 * MIB as u64 {
        tokio::task::yield_now().await;
    }
    process.shutdown_background();

    let (at, rest) = (64 * MIB as u64, content.slice(64 * MIB..));
    let error = world.blobs.append(id, at, body(&rest, MIB), None).await;
    assert!(matches!(error, Err(AppendError::Busy)), "{error:?}");
    let blobs = world.elsewhere();
    blobs.append(id, at, body(&rest, MIB), None).await.expect("it is dead");
    assert_eq!(blobs.finish(id).await.expect("finished").sha256, sha256(&content));
    assert_eq!(sha256(&world.read(&target(id)).await), sha256(&content));
    blobs.abort(id).await.expect("forgotten");
    blobs.delete(&target(id)).await.expect("deleted");
    assert_eq!(world.everything(), Vec::<String>::new());
}

/// The server has put the parts together, and nobody wrote that down.
#[tokio::test]
async fn a_bucket_finishes_what_a_crash_interrupted() {
    for length in [100, 9 * MIB, 16 * MIB] {
        let world = World::s3();
        let content = bytes(1, length);
        let id = world.begin(content.len()).await;
        world.blobs.append(id, 0, body(&content, MIB), None).await.expect("appended");
        let before = state_of(&world, id);
        let tail = tail_of(&world, &before, id);
        let first = world.blobs.finish(id).await.expect("finished");
        put(&world, &format!(".uploads/{id}/state.json"), before.as_bytes());
        if let Some((name, bytes)) = tail {
            put(&world, &name, &bytes);
        }
        assert_eq!(world.elsewhere().finish(id).await.expect("finished"), first);
        assert_eq!(sha256(&world.read(&target(id)).await), sha256(&content));
    }
}

/// The parts are gone and something else is called so: that is not what was uploaded.
#[tokio::test]
async fn a_bucket_does_not_take_another_blob_for_the_upload() {
    let world = World::s3();
    let content = bytes(1, 9 * MIB);
    let id = world.begin(content.len()).await;
    world.blobs.append(id, 0, body(&content, MIB), None).await.expect("appended");
    let state: serde_json::Value = serde_json::from_str(&state_of(&world, id)).expect("a state");
    let multipart = state["multipart"].as_str().expect("there is a whole part");
    let bucket = world.bucket.as_deref().expect("a bucket");
    moto::ask("DELETE", &format!("/{bucket}/pre/fix/{}?uploadId={multipart}", target(id)), b"");
    world.blobs.put(&target(id), bytes(2, 9 * MIB)).await.expect("put");
    let error = world.blobs.finish(id).await.expect_err("the parts are gone");
    assert!(error.to_string().contains("are gone"), "{error}");
    assert!(!world.blobs.upload(id).await.expect("an answer").expect("an upload").finished);
}

fn state_of(world: &World, id: Uuid) -> String {
    let bucket = world.bucket.as_deref().expect("a bucket");
    moto::ask("GET", &format!("/{bucket}/pre/fix/.uploads/{id}/state.json"), b"")
}

fn tail_of(world: &World, state: &str, id: Uuid) -> Option<(String, Vec<u8>)> {
    let state: serde_json::Value = serde_json::from_str(state).expect("a state");
    let name = format!(".uploads/{id}/tail-{}", state["tail"].as_str()?);
    // what is in it does not matter when the blob is there already, except for its length
    Some((name, bytes(1, 100).to_vec())).filter(|_| world.bucket.is_some())
}

fn put(world: &World, name: &str, bytes: &[u8]) {
    let bucket = world.bucket.as_deref().expect("a bucket");
    moto::ask("PUT", &format!("/{bucket}/pre/fix/{name}"), bytes);
}
