//! Commands as they are: asked with and without waiting, and what `/api/operations` says of them for ever after.

use crate::support::{Answer, Person, Platform, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

/// Waiting, not waiting, and the command endpoint.
#[tokio::test]
async fn commands_and_their_operations() {
    let platform = Platform::start().await;
    not_waiting_for_it(&platform).await;
    refusals_are_outcomes_too(&platform).await;
    operations_are_private(&platform).await;
    a_command_as_a_cloud_event(&platform).await;
    nobody_speaks_for_others(&platform).await;
    traces_go_through(&platform).await;
    platform.check().await;
}

/// Follows `Location` until the operation has ended.
async fn ended(platform: &Platform, person: &Person, answer: Answer) -> Answer {
    let answer = answer.expect(202);
    let location = answer.header("location").expect("a 202 says where").to_owned();
    assert!(location.contains("/api/operations/"), "{answer:?}");
    let path = location[location.find("/api/").expect("a path")..].to_owned();
    platform.get(&path).by(person).send().await.expect(200);
    eventually("the operation has ended", async || {
        let operation = platform.get(&path).by(person).send().await.expect(200);
        (operation.body["status"] != "pending").then_some(operation)
    })
    .await
}

async fn not_waiting_for_it(platform: &Platform) {
    let ada = platform.somebody_with_profile().await;
    for (n, prefer) in ["respond-async", "wait=0", "respond-async, wait=0"].iter().enumerate() {
        let change = json!({ "display_name": format!("Later {n}") });
        let answer = platform.put("/api/profile").by(&ada).header("prefer", prefer).json(change).send().await;
        assert!(answer.header("preference-applied").is_some(), "{answer:?}");
        let id = answer.body["id"].clone();
        let operation = ended(platform, &ada, answer).await;
        assert_eq!((&operation.body["id"], &operation.body["status"]), (&id, &json!("accepted")));
        assert_eq!(operation.body["kind"], "profile.profile.update.v1");
        assert_eq!(operation.body["version"], json!(n + 2));
    }
    let change = json!({ "display_name": "At once" });
    let answer = platform.put("/api/profile").by(&ada).header("prefer", "wait=3").json(change).send().await.expect(200);
    assert_eq!(answer.header("preference-applied"), Some("wait=3"));
    for n in 0..20 {
        let change = json!({ "display_name": format!("Quick {n}") });
        let put = platform.put("/api/profile").by(&ada).header("prefer", "respond-async").json(change).send().await;
        ended(platform, &ada, put).await;
    }
}

async fn refusals_are_outcomes_too(platform: &Platform) {
    let (ada, eve) = (platform.somebody_with_profile().await, platform.somebody_with_profile().await);
    let taken = platform.get("/api/profile").by(&eve).send().await.expect(200).text_at("/handle");
    let request = platform.put("/api/profile/handle").by(&ada).header("prefer", "respond-async");
    let answer = request.json(json!({ "handle": taken })).send().await;
    let operation = ended(platform, &ada, answer).await;
    assert_eq!(operation.body["status"], "rejected");
    assert_eq!(
        operation.body.pointer("/problem/code").or(operation.body.pointer("/refusal/code")),
        Some(&json!("handle_taken")),
        "{operation:?}"
    );
}

async fn operations_are_private(platform: &Platform) {
    let (ada, eve) = (platform.somebody_with_profile().await, platform.somebody_with_profile().await);
    let request = platform.put("/api/profile").by(&ada).header("prefer", "respond-async");
    let answer = request.json(json!({ "bio": "mine" })).send().await.expect(202);
    let path = format!("/api/operations/{}", answer.text_at("/id"));
    platform.get(&path).by(&eve).send().await.problem(404, "operation_missing");
    platform.get(&path).send().await.problem(404, "operation_missing");
    platform.get(&path).by(&ada).send().await.expect(200);
    let missing = format!("/api/operations/{}", Uuid::from_u128(7));
    platform.get(&missing).by(&ada).send().await.problem(404, "operation_missing");
    platform.get("/api/operations/seven").by(&ada).send().await.refused(400);
}

/// The same command, structured and binary, as `application/cloudevents+json` and as `ce-` headers.
async fn a_command_as_a_cloud_event(platform: &Platform) {
    let ada = platform.somebody_with_profile().await;
    let event = command(ada.id, "profile.profile.update.v1", json!({ "bio": "structured" }));
    let media = "application/cloudevents+json";
    let answer = platform.post("/api/commands").by(&ada).body(media, event.to_string()).send().await.expect(200);
    let shown = platform.get("/api/profile").by(&ada).after(&answer).send().await.expect(200);
    assert_eq!(shown.body["bio"], "structured");

    let request = platform.post("/api/commands").by(&ada);
    let request = request.header("ce-specversion", "1.0").header("ce-id", &Uuid::from_u128(9).to_string());
    let request = request.header("ce-type", "profile.profile.update.v1").header("ce-source", "/test");
    let request = request.header("ce-subject", &ada.id.to_string());
    let answer = request.body("application/json", json!({ "bio": "binary" }).to_string()).send().await.expect(200);
    let shown = platform.get("/api/profile").by(&ada).after(&answer).send().await.expect(200);
    assert_eq!(shown.body["bio"], "binary");

    let before = platform.last_position();
    let post = |media: &str, body: String| platform.post("/api/commands").by(&ada).body(media, body).send();
    post(media, "{}".to_owned()).await.refused_within(400..=422);
    post(media, command(ada.id, "profile.profile.fly.v1", json!({})).to_string()).await.refused_within(400..=422);
    post(media, command(ada.id, "profile.profile.update.v1", json!({ "bio": 7 })).to_string())
        .await
        .refused_within(400..=422);
    post("text/plain", event.to_string()).await.refused(415);
    platform.post("/api/commands").body(media, event.to_string()).send().await.refused(401);
    assert_eq!(platform.last_position(), before);
}

fn command(subject: Uuid, kind: &str, data: Value) -> Value {
    json!({ "specversion": "1.0", "id": Uuid::from_u128(8), "source": "/test", "subject": subject, "type": kind, "data": data,
        "datacontenttype": "application/json" })
}

/// What a client writes into attributes that are the platform's own does not count; what is another's is refused.
async fn nobody_speaks_for_others(platform: &Platform) {
    let (ada, eve) = (platform.somebody_with_profile().await, platform.somebody_with_profile().await);
    let media = "application/cloudevents+json";
    let mut forged = command(ada.id, "profile.profile.update.v1", json!({ "bio": "owned" }));
    for (name, value) in [
        ("authtype", json!("system")),
        ("authid", json!(ada.id)),
        ("authclaims", json!("{\"roles\":[\"admin\"]}")),
        ("correlationid", json!(Uuid::from_u128(1))),
        ("replyto", json!("_INBOX_vault.x")),
    ] {
        forged[name] = value;
        platform.post("/api/commands").by(&eve).body(media, forged.to_string()).send().await.refused_within(400..=422);
    }
    let before = platform.last_position();
    let others = [
        ("identity.user.set_status.v1", json!({ "status": "suspended" }), ada.id),
        ("identity.user.assign_role.v1", json!({ "role": "admin" }), eve.id),
        ("identity.user.verify_email.v1", json!({}), eve.id),
        ("identity.user.erase.v1", json!({}), ada.id),
        ("identity.session.end.v1", json!({ "user": ada.id, "reason": "revoked" }), ada.id),
        ("profile.profile.erase.v1", json!({}), ada.id),
        (
            "identity.user.register.v1",
            json!({ "username": "ghost", "credential": Uuid::from_u128(3), "roles": ["admin"] }),
            Uuid::from_u128(4),
        ),
    ];
    for (kind, data, subject) in others {
        let body = command(subject, kind, data).to_string();
        let answer = platform.post("/api/commands").by(&eve).body(media, body).send().await;
        assert!([403, 404, 409, 422].contains(&answer.status), "{kind}: {answer:?}");
    }
    platform.settle().await;
    assert_eq!(platform.last_position(), before, "nothing of it happened");
    assert!(!platform.events().iter().any(|entry| entry.id("correlationid") == Uuid::from_u128(1)));
}

/// One trace and one correlation from the request to the last event.
async fn traces_go_through(platform: &Platform) {
    let ada = platform.somebody_with_profile().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request =
        platform.put("/api/profile").by(&ada).header("traceparent", &format!("00-{trace}-b7ad6b7169203331-01"));
    let answer =
        request.header("x-request-id", "my-request-7").json(json!({ "bio": "traced" })).send().await.expect(200);
    assert_eq!(answer.header("x-request-id"), Some("my-request-7"));
    let last = platform.events_about(ada.id).pop().expect("an event");
    assert!(last.event["traceparent"].as_str().is_some_and(|text| text.contains(trace)), "{}", last.event);
    let long = "x".repeat(2000);
    let answer = platform.get("/api/profile").by(&ada).header("x-request-id", &long).send().await.expect(200);
    assert_ne!(answer.header("x-request-id"), Some(long.as_str()));
}
