//! Personal data: readable with its key, erased without, and nowhere on disk in the clear.

use crate::kit::*;
use events::{Message, Personal};
use nats::{SendError, Sync, streams};
use std::path::Path;
use uuid::Uuid;

const CANARY: &str = "ada-canary@example.org";

fn personal(subject: Uuid, name: &str) -> Message<events::Command> {
    let create =
        events::profile::Command::Create { handle: name.into(), display_name: Some(Personal::new(CANARY.into())) };
    command(subject, create)
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_fields_survive_the_way_and_erasure_ends_them() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let (person, other) = (Uuid::now_v7(), Uuid::now_v7());
    told(&world.bus, &personal(person, "ada")).await;
    told(&world.bus, &personal(other, "grace")).await;
    let texts = |events: Vec<nats::Delivered>| -> Vec<String> {
        let named = events.iter().map(|event| json(&event.opened)["data"]["display_name"].to_string());
        named.filter(|text| text != "null").collect()
    };
    let open = format!(r#"{{"$personal":"{CANARY}"}}"#);
    assert_eq!(texts(world.all(streams::EVENTS).await), [open.clone(), open.clone()]);
    let raw = world.all(streams::EVENTS).await;
    let created = raw.iter().find(|event| event.subject.ends_with(&person.to_string())).expect("an event");
    let value = json(&created.raw);
    let sealed = value["data"]["display_name"]["$sealed"].as_str().expect("sealed");
    let portable = nats::portable(value["id"].as_str().expect("text").parse().expect("an id"), sealed);
    let ring = world.bus.keyring();
    assert_eq!(ring.open_text(std::slice::from_ref(&portable)).await.expect("keys"), [Some(CANARY.to_owned())]);

    world.keys.erase(person);
    world.bus.say("vault.erased", person.to_string().into_bytes());
    eventually("the key to be forgotten", async || texts(world.all(streams::EVENTS).await)[0] == r#"{"$erased":true}"#)
        .await;
    assert_eq!(texts(world.all(streams::EVENTS).await)[1], open);
    assert_eq!(ring.open_text(&[portable]).await.expect("keys"), [None]);
    assert!(matches!(world.bus.send(&personal(person, "ada")).await, Err(SendError::Erased)));
    world.settled().await;
    assert!(!contains(server.dir(), CANARY.as_bytes()), "the canary is in the server's files");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_field_moved_to_another_message_stays_sealed() {
    let keys = Keys::default();
    let ring = keys.ring();
    let message = |id: Uuid| serde_json::json!({ "id": id, "subject": Uuid::nil(), "data": { "a": { "$personal": 7 }, "b": [{ "$personal": "x", "about": Uuid::max() }] } });
    let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
    let sealed = ring.seal(message(id).to_string().into_bytes()).await.expect("sealed");
    let text = String::from_utf8(sealed).expect("text");
    assert!(!text.contains("$personal") && text.contains(&Uuid::max().to_string()));
    assert_eq!(json(&ring.open(&text.clone().into()).await.expect("opened")), message(id));
    let moved = text.replace(&id.to_string(), &other.to_string());
    assert_eq!(ring.open(&moved.clone().into()).await.expect("keys"), moved.as_bytes());
}

#[tokio::test]
async fn what_only_looks_like_a_personal_field_does_not_pass() {
    let ring = Keys::default().ring();
    let with =
        |data: &str| format!(r#"{{"id":"{}","subject":"{}","data":{data}}}"#, Uuid::nil(), Uuid::nil()).into_bytes();
    let inside = with(r#"{"text":"{\"$personal\":1}"}"#);
    assert_eq!(ring.seal(inside.clone()).await.expect("a text is a text"), inside);
    for odd in [r#"{"$personal":1,"more":2}"#, r#"{"more":2,"$personal":1}"#, r#"{"$personal":{"$personal":1}}"#] {
        assert!(matches!(ring.seal(with(odd)).await, Err(SendError::Unavailable(_))), "{odd}");
    }
}

/// Whether a text is in any file under a folder. Compressed blocks are small enough here to hold it literally.
fn contains(dir: &Path, text: &[u8]) -> bool {
    std::fs::read_dir(dir).expect("a folder").flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            contains(&path, text)
        } else {
            std::fs::read(&path).is_ok_and(|bytes| memchr::memmem::find(&bytes, text).is_some())
        }
    })
}
