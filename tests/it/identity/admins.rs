//! Admins: how the first one comes to be, what they may do to others, and that nobody else may.

use super::sessions::refused_within_a_second;
use crate::support::person::{PASSWORD, registration, unused_name};
use crate::support::{Person, Platform, eventually};
use serde_json::{Value, json};

/// The first admin, the next ones, and what they do.
#[tokio::test]
async fn admins_and_what_they_may() {
    let platform = Platform::start().await;
    let admin = the_secret_serves_once(&platform).await;
    nobody_else_may(&platform).await;
    an_admin_makes_another(&platform, &admin).await;
    suspension_counts_at_once(&platform, &admin).await;
    failed_sign_ins_hinder_nobody(&platform, &admin).await;
    roles_come_and_go(&platform, &admin).await;
    people_are_found(&platform, &admin).await;
    nobody_does_it_to_themselves(&platform, &admin).await;
    platform.settle().await;
    platform.check().await;
}

fn with_secret(name: &str, secret: &str) -> Value {
    let mut body = registration(name);
    body["bootstrap_secret"] = json!(secret);
    body
}

async fn the_secret_serves_once(platform: &Platform) -> Person {
    let path = "/api/auth/register-admin";
    platform.post(path).json(registration(&unused_name("root"))).send().await.problem(403, "bootstrap_refused");
    platform
        .post(path)
        .json(with_secret(&unused_name("root"), "guessed"))
        .send()
        .await
        .problem(403, "bootstrap_refused");
    let secret = platform.bootstrap_secret().await;
    let answer = platform.post(path).json(with_secret("boss", &secret)).send().await.expect(201);
    assert_eq!(answer.body["user"]["roles"], json!(["admin"]));
    platform.post(path).json(with_secret(&unused_name("root"), &secret)).send().await.refused(403);
    Person::signed_in(&answer)
}

async fn nobody_else_may(platform: &Platform) {
    let (one, other) = (platform.somebody_with_profile().await, platform.somebody_with_profile().await);
    let path = format!("/api/users/{}", other.id);
    let before = platform.last_position();
    platform.post("/api/auth/register-admin").by(&one).json(registration("boss2")).send().await.refused(403);
    platform.get("/api/users").by(&one).send().await.problem(403, "admin_required");
    platform.get("/api/users").send().await.problem(401, "unauthenticated");
    platform.put(&path).by(&one).header("if-match", "*").json(json!({ "roles": ["admin"] })).send().await.refused(403);
    let own = format!("/api/users/{}", one.id);
    platform.put(&own).by(&one).header("if-match", "*").json(json!({ "roles": ["admin"] })).send().await.refused(403);
    platform.post(&format!("{path}/toggle-status")).by(&one).send().await.refused(403);
    platform.delete(&path).by(&one).header("if-match", "*").send().await.refused(403);
    platform.put(&format!("{path}/profile")).by(&one).json(json!({ "bio": "mine" })).send().await.refused(403);
    platform.put(&format!("{path}/preferences")).by(&one).json(json!({ "theme": "dark" })).send().await.refused(403);
    platform.settle().await;
    assert_eq!(platform.last_position(), before, "refusals are not events");
}

async fn an_admin_makes_another(platform: &Platform, admin: &Person) {
    let body = registration(&unused_name("boss"));
    let answer = platform.post("/api/auth/register-admin").by(admin).json(body).send().await.expect(201);
    assert_eq!(answer.body["user"]["roles"], json!(["admin"]));
    let second = Person::signed_in(&answer);
    platform.get("/api/users").by(&second).send().await.expect(200);
}

async fn suspension_counts_at_once(platform: &Platform, admin: &Person) {
    let person = platform.somebody_with_profile().await;
    let path = format!("/api/users/{}", person.id);
    let body = json!({ "status": "suspended", "reason": "spam" });
    let answer = platform.put(&path).by(admin).header("if-match", "*").json(body).send().await.expect(200);
    refused_within_a_second(platform, &person).await;
    platform.login(&person.username, PASSWORD).await.problem(401, "invalid_credentials");
    let refused = platform.post("/api/auth/refresh-token").json(json!({ "refresh_token": person.refresh_token }));
    refused.send().await.problem(401, "refresh_refused");
    let answer = platform.post(&format!("{path}/toggle-status")).by(admin).after(&answer).send().await.expect(200);
    let shown = platform.get(&path).by(admin).after(&answer).send().await.expect(200);
    assert_eq!(shown.body["status"], "active");
    eventually("they may come in again", async || {
        let answer = platform.login(&person.username, PASSWORD).await;
        (answer.status == 200).then_some(())
    })
    .await;
    let suspended = platform.post(&format!("{path}/toggle-status")).by(admin).after(&answer).send().await.expect(200);
    let shown = platform.get(&path).by(admin).after(&suspended).send().await.expect(200);
    assert_eq!(shown.body["status"], "suspended", "a toggle toggles");
}

/// A failed sign-in is an event of the account, and comes when it likes.
async fn failed_sign_ins_hinder_nobody(platform: &Platform, admin: &Person) {
    let person = platform.somebody_with_profile().await;
    let path = format!("/api/users/{}", person.id);
    for status in ["suspended", "active", "active", "suspended", "suspended", "active"] {
        platform.login(&person.username, "wrong password 1").await.problem(401, "invalid_credentials");
        let body = json!({ "roles": ["moderator"], "status": status });
        let answer = platform.put(&path).by(admin).header("if-match", "*").json(body).send().await.expect(200);
        assert_eq!((&answer.body["status"], &answer.body["roles"]), (&json!(status), &json!(["moderator"])));
        let shown = platform.get(&path).by(admin).after(&answer).send().await.expect(200);
        assert_eq!(shown.body["status"], status);
    }
}

async fn roles_come_and_go(platform: &Platform, admin: &Person) {
    let person = platform.somebody_with_profile().await;
    let path = format!("/api/users/{}", person.id);
    for roles in [json!(["moderator"]), json!(["admin", "moderator"]), json!(["admin"])] {
        let answer = platform
            .put(&path)
            .by(admin)
            .header("if-match", "*")
            .json(json!({ "roles": roles }))
            .send()
            .await
            .expect(200);
        let shown = platform.get(&path).by(admin).after(&answer).send().await.expect(200);
        assert_eq!(shown.body["roles"], roles);
    }
    let now = eventually("a sign-in brings the role", async || {
        let answer = platform.login(&person.username, PASSWORD).await;
        (answer.status == 200 && answer.body["user"]["roles"] == json!(["admin"])).then_some(answer)
    })
    .await;
    let now = Person::signed_in(&now);
    platform.get("/api/users").by(&now).send().await.expect(200);
    platform.put(&path).by(admin).header("if-match", "*").json(json!({ "roles": [] })).send().await.expect(200);
    eventually("the right is gone with the role", async || {
        let status = platform.get("/api/users").by(&now).send().await.status;
        (status == 401 || status == 403).then_some(())
    })
    .await;
    platform
        .put(&path)
        .by(admin)
        .header("if-match", "*")
        .json(json!({ "roles": ["emperor"] }))
        .send()
        .await
        .refused(422);
}

async fn people_are_found(platform: &Platform, admin: &Person) {
    for n in 0..5 {
        let body = registration(&format!("needle{n}"));
        platform.post("/api/auth/register").json(body).send().await.expect(201);
    }
    platform.settle().await;
    let mut found = vec![];
    let mut after = String::new();
    loop {
        let path = format!("/api/users?search=needle&limit=2{after}");
        let page = platform.get(&path).by(admin).send().await.expect(200);
        let users = page.body["users"].as_array().expect("a list");
        assert!(users.len() <= 2);
        found.extend(users.iter().map(|user| user["username"].as_str().unwrap_or_default().to_owned()));
        let Some(next) = page.body["next"].as_str() else { break };
        assert!(page.header("link").is_some_and(|link| link.contains("rel=\"next\"")), "{page:?}");
        after = format!("&after={next}");
    }
    found.sort();
    assert_eq!(found, ["needle0", "needle1", "needle2", "needle3", "needle4"]);
    platform.get("/api/users?after=forged").by(admin).send().await.problem(400, "cursor_invalid");
    let suspended = platform.get("/api/users?status=suspended").by(admin).send().await.expect(200);
    let all = suspended.body["users"].as_array().expect("a list");
    assert!(!all.is_empty() && all.iter().all(|user| user["status"] == "suspended"), "{suspended:?}");
    let missing = uuid::Uuid::from_u128(7);
    platform.get(&format!("/api/users/{missing}")).by(admin).send().await.problem(404, "user_missing");
    let change = platform
        .put(&format!("/api/users/{missing}"))
        .by(admin)
        .header("if-match", "*")
        .json(json!({ "status": "suspended" }));
    change.send().await.problem(404, "user_missing");
}

/// There is always an admin left.
async fn nobody_does_it_to_themselves(platform: &Platform, admin: &Person) {
    let path = format!("/api/users/{}", admin.id);
    platform
        .put(&path)
        .by(admin)
        .header("if-match", "*")
        .json(json!({ "status": "suspended" }))
        .send()
        .await
        .problem(409, "not_on_yourself");
    platform
        .put(&path)
        .by(admin)
        .header("if-match", "*")
        .json(json!({ "roles": [] }))
        .send()
        .await
        .problem(409, "not_on_yourself");
    platform.post(&format!("{path}/toggle-status")).by(admin).send().await.problem(409, "not_on_yourself");
    let version = platform.get(&path).by(admin).send().await.expect(200).header("etag").expect("an ETag").to_owned();
    platform.delete(&path).by(admin).header("if-match", &version).send().await.problem(409, "not_on_yourself");
}
