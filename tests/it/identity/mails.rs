//! What comes by mail: proofs of an address, rights to a new password. And passwords themselves.

use super::sessions::refused_within_a_second;
use crate::support::person::PASSWORD;
use crate::support::{Person, Platform, eventually};
use serde_json::json;

const NEW: &str = "vier Wolken über Bergen 48";

/// Proving an address, and every way to another password.
#[tokio::test]
async fn mails_and_passwords() {
    let platform = Platform::start().await;
    welcome(&platform).await;
    an_address_is_proven(&platform).await;
    a_password_is_changed(&platform).await;
    a_forgotten_password_is_set_anew(&platform).await;
    platform.settle().await;
    platform.check().await;
}

async fn welcome(platform: &Platform) {
    let person = platform.somebody_with_profile().await;
    platform.mail(&person.email, "token=").await;
    let welcome = platform.mail(&person.email, "Welcome to Reprise").await;
    assert!(welcome.text.contains("/u/"), "it leads to the page: {}", welcome.text);
    platform.settle().await;
    let all = platform.mails(&person.email, "");
    assert_eq!(all.iter().filter(|mail| mail.text.contains("token=")).count(), 1, "one proof: {all:?}");
    for mail in all {
        assert!(!mail.text.contains(PASSWORD), "a mail never carries a password");
    }
}

async fn an_address_is_proven(platform: &Platform) {
    let person = platform.somebody_with_profile().await;
    let first = platform.mail(&person.email, "token=").await;
    let link = platform.client.get(first.link()).send().await.expect("the link leads somewhere");
    assert!(link.status().is_success(), "{} -> {}", first.link(), link.status());
    let not_yet = platform.events_about(person.id);
    let proven = |kind: &str| kind == "identity.user.email_verified.v1";
    assert!(
        !not_yet.iter().any(|entry| proven(entry.kind())),
        "looking at a link, as mail scanners do, proves nothing"
    );

    let verify = |token: String| platform.post("/api/auth/verify-email").json(json!({ "token": token })).send();
    verify("nonsense".to_owned()).await.problem(422, "verification_token_invalid");
    verify(first.token()).await.expect(200);
    verify(first.token()).await.expect(200);
    eventually("the proof is in the log", async || {
        platform.events_about(person.id).into_iter().find(|entry| proven(entry.kind()))
    })
    .await;
    let count = platform.events_about(person.id).iter().filter(|entry| proven(entry.kind())).count();
    assert_eq!(count, 1);
    platform.post("/api/auth/resend-verification").by(&person).json(json!({})).send().await;
    platform.settle().await;
    assert_eq!(platform.mails(&person.email, "token=").len(), 1, "a proven address is not asked again");

    let other = platform.somebody_with_profile().await;
    platform.mail(&other.email, "token=").await;
    let answer = platform.post("/api/auth/resend-verification").by(&other).json(json!({})).send().await;
    assert!(answer.status < 300, "{answer:?}");
    eventually("another mail", async || (platform.mails(&other.email, "token=").len() == 2).then_some(())).await;
    let last = platform.mails(&other.email, "token=").pop().expect("two mails");
    verify(last.token()).await.expect(200);
}

async fn a_password_is_changed(platform: &Platform) {
    let person = platform.somebody().await;
    let elsewhere = Person::signed_in(&platform.login(&person.username, PASSWORD).await.expect(200));
    let change = |old: &str, new: &str| {
        let body = json!({ "current_password": old, "new_password": new });
        platform.put("/api/auth/change-password").by(&person).json(body).send()
    };
    change("not it", NEW).await.problem(422, "password_wrong");
    change(PASSWORD, "kurz").await.problem(422, "password_weak");
    change(PASSWORD, NEW).await.expect(200);
    refused_within_a_second(platform, &elsewhere).await;
    platform.get("/api/auth/validate-token").by(&person).send().await.expect(200);
    platform.login(&person.username, PASSWORD).await.problem(401, "invalid_credentials");
    platform.login(&person.username, NEW).await.expect(200);
    let body = json!({ "current_password": NEW, "new_password": PASSWORD });
    platform.put("/api/auth/change-password").json(body).send().await.problem(401, "unauthenticated");
    eventually("the change is in the log", async || {
        let log = platform.events_about(person.id);
        log.into_iter().find(|entry| entry.kind() == "identity.user.password_changed.v1")
    })
    .await;
}

async fn a_forgotten_password_is_set_anew(platform: &Platform) {
    let person = platform.somebody_with_profile().await;
    platform.mail(&person.email, "token=").await;
    let before = platform.mails(&person.email, "token=").len();
    let answer = platform.post("/api/auth/forgot-password").json(json!({ "email": person.email })).send().await;
    assert!(answer.status < 300, "{answer:?}");
    eventually("a mail with the right to a new password", async || {
        (platform.mails(&person.email, "token=").len() > before).then_some(())
    })
    .await;
    let mail = platform.mails(&person.email, "token=").pop().expect("it was there");
    let page = platform.client.get(mail.link()).send().await.expect("the link leads somewhere");
    assert!(page.status().is_success(), "{} -> {}", mail.link(), page.status());
    let token = mail.token();
    let reset = |token: &str, new: &str| {
        platform.post("/api/auth/reset-password").json(json!({ "token": token, "password": new })).send()
    };
    reset("nonsense", NEW).await.problem(422, "reset_token_invalid");
    reset(&token, "kurz").await.problem(422, "password_weak");
    reset(&token, NEW).await.expect(200);
    reset(&token, PASSWORD).await.problem(422, "reset_token_invalid");
    refused_within_a_second(platform, &person).await;
    platform.login(&person.username, PASSWORD).await.problem(401, "invalid_credentials");
    platform.login(&person.email, NEW).await.expect(200);
}
