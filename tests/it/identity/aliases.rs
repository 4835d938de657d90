//! The paths that earlier systems' clients use. Each does what the canonical path does, and answers in the shape those
//! clients read: `token` beside `access_token`, `name` beside `display_name`.

use crate::support::person::{PASSWORD, registration, unused_name};
use crate::support::{Person, Platform};
use reqwest::Method;
use serde_json::json;

const NEW: &str = "fünf Wolken über Bergen 49";

/// Three families of clients, each through a whole life.
#[tokio::test]
async fn clients_of_earlier_systems_are_at_home() {
    let platform = Platform::start().await;
    video_portal(&platform).await;
    record_catalogue(&platform).await;
    account_monolith(&platform).await;
    versions_are_one(&platform).await;
    platform.settle().await;
    platform.check().await;
}

/// S1: `/api/auth/*` and `/api/users/*`.
async fn video_portal(platform: &Platform) {
    let name = unused_name("pak");
    let answer = platform.post("/api/auth/register").json(registration(&name)).send().await.expect(201);
    assert_eq!(answer.body["token"], answer.body["access_token"]);
    let person = Person::signed_in(&answer);
    platform.profile_of(&person).await;
    let body = json!({ "email": person.email, "password": PASSWORD });
    platform.post("/api/auth/login").json(body).send().await.expect(200);
    let body = json!({ "refreshToken": person.refresh_token });
    let refreshed = platform.post("/api/auth/refresh-token").json(body).send().await.expect(200);
    let person = Person::signed_in(&refreshed);
    let body = json!({ "currentPassword": PASSWORD, "newPassword": NEW });
    platform.put("/api/auth/change-password").by(&person).json(body).send().await.expect(200);
    platform.get("/api/auth/validate-token").by(&person).send().await.expect(200);

    let own = format!("/api/users/{}", person.id);
    let shown = platform.get(&own).by(&person).send().await.expect(200);
    assert_eq!((&shown.body["id"], &shown.body["username"]), (&json!(person.id), &json!(name)));
    let change =
        platform.put(&format!("{own}/profile")).by(&person).json(json!({ "name": "Paula" })).send().await.expect(200);
    let profile = platform.get(&format!("{own}/profile")).by(&person).after(&change).send().await.expect(200);
    assert_eq!((&profile.body["name"], &profile.body["display_name"]), (&json!("Paula"), &json!("Paula")));
    let preferences = json!({ "preferences": { "theme": "dark", "autoplay": false, "volume": 7 } });
    platform.put(&format!("{own}/preferences")).by(&person).json(preferences.clone()).send().await.expect(200);
    let answer = platform.post("/api/auth/logout").by(&person).json(json!({})).send().await;
    assert!(answer.status < 300, "{answer:?}");
    video_portal_admins(platform, &person).await;
}

/// What S1's admins do, with what their clients send: no `If-Match`.
async fn video_portal_admins(platform: &Platform, person: &Person) {
    let admin = platform.admin().await;
    let path = format!("/api/users/{}", person.id);
    platform.settle().await;
    let all = platform.get("/api/users").by(&admin).send().await.expect(200);
    assert!(all.body["users"].as_array().is_some_and(|users| users.len() > 1), "{all:?}");
    let change = platform.put(&path).by(&admin).json(json!({ "name": "Renamed" })).send().await.expect(200);
    let profile = platform.get(&format!("{path}/profile")).by(&admin).after(&change).send().await.expect(200);
    assert_eq!(profile.body["name"], "Renamed");
    let toggled = platform.post(&format!("{path}/toggle-status")).by(&admin).send().await.expect(200);
    assert_eq!(toggled.body["status"], "suspended");
    let answer = platform.delete(&path).by(&admin).send().await;
    assert!([200, 204].contains(&answer.status), "{answer:?}");
}

/// S3: only a username and a password, under `/api/v1`.
async fn record_catalogue(platform: &Platform) {
    let name = unused_name("vinyl");
    let body = json!({ "username": name, "password": PASSWORD });
    let answer = platform.post("/api/v1/auth/signup").json(body.clone()).send().await.expect(201);
    assert!(answer.body["token"].is_string(), "{answer:?}");
    let person = Person::signed_in(&answer);
    platform.profile_of(&person).await;
    let login = platform.post("/api/v1/auth/login").json(body).send().await.expect(200);
    let token = login.text_at("/token");
    let profile = platform.get("/api/v1/users/profile").token(&token).send().await.expect(200);
    assert_eq!(profile.body["username"], json!(name));
    assert_eq!(profile.body["user_id"], json!(person.id));
    let change = platform.put("/api/v1/users/profile").token(&token).json(json!({ "bio": "45 rpm" })).send().await;
    assert!(change.status == 200 || change.status == 405, "{change:?}");
}

/// S4: an address, a password and a name; answers with `token`.
async fn account_monolith(platform: &Platform) {
    let email = format!("{}@example.org", unused_name("mono"));
    let body = json!({ "email": email, "password": PASSWORD, "name": "Mona Lith" });
    let answer = platform.post("/api/register").json(body).send().await.expect(201);
    assert_eq!(answer.body["token"], answer.body["access_token"]);
    let person = Person::signed_in(&answer);
    platform.profile_of(&person).await;
    let login =
        platform.post("/api/login").json(json!({ "email": email, "password": PASSWORD })).send().await.expect(200);
    let token = login.text_at("/token");
    let profile = platform.get("/api/profile").token(&token).send().await.expect(200);
    assert_eq!((&profile.body["name"], &profile.body["email"]), (&json!("Mona Lith"), &json!(email)));
    let change = platform.put("/api/profile").token(&token).json(json!({ "name": "Mona" })).send().await.expect(200);
    assert_eq!(change.body["name"], "Mona");
    let profile = platform.get("/api/profile").token(&token).after(&change).send().await.expect(200);
    assert_eq!(profile.body["name"], "Mona");
    let body = json!({ "oldPassword": PASSWORD, "newPassword": NEW });
    platform.put("/api/change-password").token(&token).json(body).send().await.expect(200);
    platform.post("/api/login").json(json!({ "email": email, "password": NEW })).send().await.expect(200);
    platform.get("/api/health").send().await.expect(200);
    platform.get("/health").send().await.expect(200);
    platform.get("/livez").send().await.expect(200);
}

/// What is found under `/api/` is found under `/api/v1/`, and says the same.
async fn versions_are_one(platform: &Platform) {
    let person = platform.somebody_with_profile().await;
    let document = platform.get("/openapi.json").send().await.expect(200);
    let paths = document.body["paths"].as_object().expect("paths").clone();
    let plain = paths.keys().filter(|path| path.starts_with("/api/") && !path.starts_with("/api/v1/"));
    for path in plain.map(|path| path.replace("{id}", &person.id.to_string()).replace("{handle}", &person.username)) {
        let other = path.replacen("/api/", "/api/v1/", 1);
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            if method != Method::GET && path.ends_with("logout") {
                continue;
            }
            // without a body and without rights: the same refusal on both, and nothing happens
            let one = platform.request(method.clone(), &path).send().await;
            let two = platform.request(method.clone(), &other).send().await;
            assert_eq!((one.status, &one.body["code"]), (two.status, &two.body["code"]), "{method} {path}");
        }
    }
    let (one, two) = (platform.get("/api/profile").by(&person), platform.get("/api/v1/profile").by(&person));
    assert_eq!(one.send().await.expect(200).body, two.send().await.expect(200).body);
}
