//! Poison: messages that nobody can handle, put into the streams behind everybody's back. They are parked with a
//! reason, they are never skipped silently, and their neighbours go on.

use crate::support::log::Entry;
use crate::support::{Platform, eventually, patiently};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// In `COMMANDS` and in `EVENTS`.
#[tokio::test]
async fn poison_is_parked_and_neighbours_go_on() {
    let platform = Platform::start().await;
    let ada = platform.somebody_with_profile().await;
    platform.settle().await;
    platform.check().await;
    commands(&platform, ada.id).await;
    let answer = platform.put("/api/profile").by(&ada).json(json!({ "bio": "still here" })).send().await.expect(200);
    platform.get("/api/profile").by(&ada).after(&answer).send().await.expect(200);
    platform.somebody_with_profile().await;
    platform.check().await;

    events(&platform, ada.id).await;
    let bert = platform.somebody_with_profile().await;
    let answer = platform.put("/api/profile").by(&bert).json(json!({ "bio": "next door" })).send().await.expect(200);
    platform.get("/api/profile").by(&bert).after(&answer).send().await.expect(200);
}

/// What nobody can decide: each for another reason.
async fn commands(platform: &Platform, person: Uuid) {
    let system = platform.system();
    let whole = |kind: &str, data: Value| {
        json!({ "specversion": "1.0", "id": Uuid::from_u128(77), "source": "/gateway", "subject": person, "type": kind,
            "time": "2026-11-20T00:00:00Z", "correlationid": Uuid::from_u128(77), "authtype": "system", "data": data })
        .to_string()
    };
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let poison: Vec<(String, Vec<u8>)> = vec![
        (format!("cmd.profile.profile.{person}"), b"not even JSON".to_vec()),
        (format!("cmd.profile.profile.{person}"), b"\xff\xfe\x00".to_vec()),
        (format!("cmd.profile.profile.{person}"), vec![]),
        (format!("cmd.profile.profile.{person}"), deep.into_bytes()),
        (format!("cmd.profile.profile.{person}"), whole("profile.profile.fly.v1", json!({})).into_bytes()),
        (format!("cmd.profile.profile.{person}"), whole("profile.profile.update.v9", json!({})).into_bytes()),
        (format!("cmd.profile.profile.{person}"), whole("profile.profile.update.v1", json!({ "bio": 7 })).into_bytes()),
        (format!("cmd.profile.spaceship.{person}"), whole("profile.profile.update.v1", json!({})).into_bytes()),
        ("cmd.profile.profile.not-a-uuid".to_owned(), whole("profile.profile.update.v1", json!({})).into_bytes()),
        (format!("cmd.identity.user.{person}"), vec![b'x'; 500_000]),
    ];
    let count = poison.len();
    let mut gateway = system.stranger("gateway");
    for (subject, payload) in poison {
        let stored = gateway.store(&subject, &payload).expect("the gateway may write commands");
        assert!(stored["seq"].is_u64(), "{subject}: {stored}");
    }
    let parked = patiently("the poison is parked", Duration::from_secs(60), async || {
        let dead = reasons(&system.stored("DEAD"));
        (dead.len() >= count).then_some(dead)
    })
    .await;
    assert_eq!(parked.len(), count, "{parked:?}");
    assert!(parked.iter().all(|reason| reason.len() > 10), "each says why: {parked:?}");
}

/// The reasons of what is parked; the server's own advisories are not counted.
fn reasons(dead: &[Entry]) -> Vec<String> {
    let own = dead.iter().filter(|entry| entry.subject.starts_with("dead."));
    own.map(|entry| entry.headers.get("reprise-reason").cloned().unwrap_or_default()).collect()
}

/// An event that no reader understands: projections set its key aside and say so, reactions park it.
async fn events(platform: &Platform, person: Uuid) {
    let system = platform.system();
    let version = |entry: &Entry| entry.subject.ends_with(&format!("profile.{person}"));
    let next = platform.events().iter().filter(|entry| version(entry)).count() + 1;
    let broken = json!({ "specversion": "1.0", "id": Uuid::from_u128(78), "source": "/services/profile", "subject": person,
        "type": "profile.profile.updated.v1", "time": "2026-11-20T00:00:00Z", "correlationid": Uuid::from_u128(78),
        "causationid": Uuid::from_u128(79), "authtype": "system", "sequence": format!("{next:020}"), "data": { "bio": 7 } });
    let dead = system.stored("DEAD").len();
    let mut profile = system.stranger("profile");
    let subject = format!("evt.profile.profile.{person}");
    profile.store(&subject, broken.to_string().as_bytes()).expect("profile may write its events");
    let mut identity = system.stranger("identity");
    identity
        .store(&format!("evt.identity.user.{}", Uuid::from_u128(80)), b"{\"type\":\"nonsense\"")
        .expect("so may identity");
    patiently("the consumers of events park it", Duration::from_secs(60), async || {
        (system.stored("DEAD").len() > dead).then_some(())
    })
    .await;
    eventually("the projection says which key stands still", async || {
        let pool = system.rows().await;
        let sql = "select key from projection.quarantine where projection = 'profile_page'";
        let keys: Vec<String> = sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap_or_default();
        keys.into_iter().find(|key| key.contains(&person.to_string()))
    })
    .await;
}
