//! Coming in, staying in, going out: tokens rotate, a stolen one ends the family, and what is over is over at once.

use crate::support::person::PASSWORD;
use crate::support::{Answer, Person, Platform, eventually};
use serde_json::json;
use std::time::{Duration, Instant};

/// All that a session goes through.
#[tokio::test]
async fn a_session_from_login_to_the_end() {
    let platform = Platform::start().await;
    coming_in_by_either_name(&platform).await;
    tokens_rotate(&platform).await;
    a_lost_answer_is_forgiven(&platform).await;
    a_replay_ends_the_family(&platform).await;
    two_at_once_are_one(&platform).await;
    signing_out(&platform).await;
    tokens_tell_whose_they_are(&platform).await;
    sessions_are_listed_and_ended(&platform).await;
    platform.settle().await;
    platform.check().await;
}

async fn refresh(platform: &Platform, token: &str) -> Answer {
    platform.post("/api/auth/refresh-token").json(json!({ "refresh_token": token })).send().await
}

async fn coming_in_by_either_name(platform: &Platform) {
    let person = platform.somebody().await;
    let bodies = [
        json!({ "username": person.username, "password": PASSWORD }),
        json!({ "email": person.email, "password": PASSWORD }),
        json!({ "username": person.email.to_uppercase(), "password": PASSWORD }),
        json!({ "identifier": person.username, "password": PASSWORD }),
    ];
    for body in bodies {
        let answer = platform.post("/api/auth/login").json(body).send().await.expect(200);
        let again = Person::signed_in(&answer);
        assert_eq!(again.id, person.id);
        platform.get("/api/auth/validate-token").by(&again).send().await.expect(200);
    }
    platform.login(&person.username, "not the password").await.problem(401, "invalid_credentials");
    eventually("a failed sign-in is in the log", async || {
        platform.events_about(person.id).into_iter().find(|entry| entry.kind() == "identity.user.login_failed.v1")
    })
    .await;
}

async fn tokens_rotate(platform: &Platform) {
    let person = platform.somebody().await;
    let mut token = person.refresh_token.clone();
    for _ in 0..3 {
        let answer = refresh(platform, &token).await.expect(200);
        let next = Person::signed_in(&answer);
        assert_eq!(next.id, person.id);
        assert_ne!(next.refresh_token, token);
        platform.get("/api/auth/validate-token").by(&next).send().await.expect(200);
        token = next.refresh_token;
    }
    for bad in ["", "x", "not.a.token", &token[1..]] {
        let answer = refresh(platform, bad).await;
        assert!(answer.status == 401 || answer.status == 422, "{answer:?}");
    }
    refresh(platform, &token).await.expect(200);
}

async fn a_lost_answer_is_forgiven(platform: &Platform) {
    let person = platform.somebody().await;
    let lost = Person::signed_in(&refresh(platform, &person.refresh_token).await.expect(200));
    let found = Person::signed_in(&refresh(platform, &person.refresh_token).await.expect(200));
    assert_eq!(found.id, lost.id);
    platform.get("/api/auth/validate-token").by(&found).send().await.expect(200);
    refresh(platform, &found.refresh_token).await.expect(200);
    assert!(!kinds(platform, person.id).contains(&"identity.session.reuse_detected.v1".to_owned()));
}

async fn a_replay_ends_the_family(platform: &Platform) {
    let person = platform.somebody().await;
    let second = Person::signed_in(&refresh(platform, &person.refresh_token).await.expect(200));
    let third = Person::signed_in(&refresh(platform, &second.refresh_token).await.expect(200));
    refresh(platform, &person.refresh_token).await.problem(401, "refresh_refused");
    refresh(platform, &third.refresh_token).await.problem(401, "refresh_refused");
    refused_within_a_second(platform, &third).await;
    eventually("the theft is in the log", async || {
        let log = platform.events();
        let detected = log.iter().find(|entry| {
            entry.kind() == "identity.session.reuse_detected.v1" && entry.event["data"]["user"] == json!(person.id)
        })?;
        let after = log.iter().filter(|entry| entry.about() == detected.about());
        after.into_iter().find(|entry| entry.kind() == "identity.session.ended.v1").map(|_| ())
    })
    .await;
    platform.login(&person.username, PASSWORD).await.expect(200);
}

/// Two tabs refresh at the same moment: nobody is thrown out.
async fn two_at_once_are_one(platform: &Platform) {
    let person = platform.somebody().await;
    let (one, two) = tokio::join!(refresh(platform, &person.refresh_token), refresh(platform, &person.refresh_token));
    let (one, two) = (one.expect(200), two.expect(200));
    let last = if one.text == two.text { one } else { two };
    refresh(platform, &last.text_at("/refresh_token")).await.expect(200);
}

async fn signing_out(platform: &Platform) {
    let person = platform.somebody().await;
    let other = Person::signed_in(&platform.login(&person.username, PASSWORD).await.expect(200));
    let answer = platform.post("/api/auth/logout").by(&person).send().await;
    assert!(answer.status == 200 || answer.status == 204, "{answer:?}");
    refused_within_a_second(platform, &person).await;
    refresh(platform, &person.refresh_token).await.problem(401, "refresh_refused");
    platform.get("/api/auth/validate-token").by(&other).send().await.expect(200);
    platform.post("/api/auth/logout").send().await.refused(401);
}

/// Revocation travels by event and counts at every gateway within a second.
pub async fn refused_within_a_second(platform: &Platform, person: &Person) {
    let start = Instant::now();
    eventually("the token is refused", async || {
        let answer = platform.get("/api/auth/validate-token").by(person).send().await;
        (answer.status == 401).then(|| answer.refused(401))
    })
    .await;
    assert!(start.elapsed() < Duration::from_secs(1), "it took {:?}", start.elapsed());
}

async fn tokens_tell_whose_they_are(platform: &Platform) {
    let person = platform.somebody().await;
    let state = platform.get("/api/auth/validate-token").by(&person).send().await.expect(200);
    assert_eq!(state.body["valid"], true);
    assert_eq!(state.body["user"]["id"], json!(person.id));
    platform.get("/api/auth/validate-token").send().await.problem(401, "unauthenticated");
    let keys = platform.get("/.well-known/jwks.json").send().await.expect(200);
    let key = &keys.body["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    assert!(key.get("d").is_none(), "the private part is nobody's");
    let header = jsonwebtoken::decode_header(&person.access_token).expect("a JWT");
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(header.kid.as_deref(), key["kid"].as_str());
}

async fn sessions_are_listed_and_ended(platform: &Platform) {
    let person = platform.somebody().await;
    let request = platform.post("/api/auth/login").header("user-agent", "Another/1.0");
    let body = json!({ "username": person.username, "password": PASSWORD });
    let elsewhere = Person::signed_in(&request.json(body).send().await.expect(200));
    let list = platform.get("/api/auth/sessions").by(&person).send().await.expect(200);
    let sessions = list.body["sessions"].as_array().expect("a list").clone();
    assert_eq!(sessions.len(), 2, "{list:?}");
    let other = sessions.iter().find(|session| session["current"] == false).expect("the other one");
    assert_eq!(other["agent"], "Another/1.0");
    let stranger = platform.somebody().await;
    let path = format!("/api/auth/sessions/{}", other["id"].as_str().expect("an id"));
    platform.delete(&path).by(&stranger).send().await.problem(404, "session_missing");
    let answer = platform.delete(&path).by(&person).send().await;
    assert!(answer.status == 200 || answer.status == 204, "{answer:?}");
    refused_within_a_second(platform, &elsewhere).await;
    platform.get("/api/auth/validate-token").by(&person).send().await.expect(200);
    platform.delete(&path).by(&person).send().await.problem(404, "session_missing");
}

fn kinds(platform: &Platform, user: uuid::Uuid) -> Vec<String> {
    let about = |entry: &crate::support::log::Entry| entry.event["data"]["user"] == json!(user);
    platform.events().iter().filter(|entry| about(entry)).map(|entry| entry.kind().to_owned()).collect()
}
