//! Forgetting a person, and what is never written anywhere: canaries are looked for in the raw files of both servers,
//! in every message and in every log.

use crate::rebuild::owner;
use crate::support::person::{PASSWORD, registration};
use crate::support::platform::reprise;
use crate::support::{Person, Platform, eventually};
use memchr::memmem;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

const NAME: &str = "canaryq7x";
const EMAIL: &str = "canary.k3v9z@sealed-mail.example";
const SECRET: &str = "Kanarienvogel-m8w2-geheim";
const CHANGED: &str = "Kanarienvogel-p5t1-anders";

/// One person comes, leaves traces everywhere a person can, and is forgotten.
#[tokio::test]
async fn a_person_is_forgotten() {
    let platform = Platform::start().await;
    let admin = platform.admin().await;
    let (canary, secrets) = a_life(&platform).await;
    platform.settle().await;
    platform.check().await;
    let plain = messages(&platform);
    assert!(found(&plain, NAME), "the handle is in the clear, so this search finds what is there");
    assert!(!found(&plain, EMAIL), "the address is sealed in every stream");

    erased(&platform, &admin, &canary).await;
    the_key_is_gone_for_ever(&platform, &admin, &canary).await;
    rebuilds_go_on(&platform, &canary).await;
    names_are_free_again(&platform).await;
    let bootstrap = platform.bootstrap_secret().await;
    platform.settle().await;
    let plain = messages(&platform);
    for secret in secrets.iter().map(String::as_str).chain([SECRET, CHANGED, EMAIL]) {
        assert!(!found(&plain, secret), "in a stream: {secret}");
    }

    let folder = platform.stop();
    let files = files(folder.path());
    assert!(files.iter().any(|file| holds(file, NAME)), "the search finds what is there");
    let everywhere = secrets.iter().map(String::as_str).chain([SECRET, CHANGED, EMAIL]);
    for needle in everywhere {
        let places: Vec<_> = files.iter().filter(|file| holds(file, needle)).collect();
        assert!(places.is_empty(), "{needle} is in {places:?}");
    }
    // the one-time secret stands on the page for whoever started the platform, and nowhere else
    let page = folder.path().join("up.log");
    let places: Vec<_> =
        files.iter().filter(|file| **file != page && !in_keys(file) && holds(file, &bootstrap)).collect();
    assert!(places.is_empty(), "the one-time secret is in {places:?}");
}

fn in_keys(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "keys")
}

/// Everything a person does, and every secret that was exchanged while doing it.
async fn a_life(platform: &Platform) -> (Person, Vec<String>) {
    let body = json!({ "username": NAME, "email": EMAIL, "password": SECRET, "name": "Canary" });
    let answer = platform.post("/api/auth/register").json(body).send().await.expect(201);
    let first = Person::signed_in(&answer);
    platform.profile_of(&first).await;
    let verify = platform.mail(EMAIL, "token=").await.token();
    platform.post("/api/auth/verify-email").json(json!({ "token": verify })).send().await.expect(200);
    let login =
        platform.post("/api/auth/login").json(json!({ "email": EMAIL, "password": SECRET })).send().await.expect(200);
    let second = Person::signed_in(&login);
    platform
        .post("/api/auth/login")
        .json(json!({ "email": EMAIL, "password": "Kanarienvogel-falsch" }))
        .send()
        .await
        .refused(401);
    let body = json!({ "refresh_token": second.refresh_token });
    let third = Person::signed_in(&platform.post("/api/auth/refresh-token").json(body).send().await.expect(200));
    let body = json!({ "current_password": SECRET, "new_password": CHANGED });
    platform.put("/api/auth/change-password").by(&third).json(body).send().await.expect(200);
    platform.post("/api/auth/forgot-password").json(json!({ "email": EMAIL })).send().await;
    eventually("a mail", async || (platform.mails(EMAIL, "token=").len() > 1).then_some(())).await;
    let reset = platform.mails(EMAIL, "token=").pop().expect("a mail").token();
    platform
        .put("/api/profile")
        .by(&third)
        .json(json!({ "bio": "Sings", "location": "A cage" }))
        .send()
        .await
        .expect(200);
    let tokens = [&first, &second, &third].map(|one| [one.access_token.clone(), one.refresh_token.clone()]);
    // the header and the claims of a token are no secret; the signature makes it one
    let signature = |token: &String| token.rsplit('.').next().unwrap_or_default().to_owned();
    let secrets =
        tokens.iter().flatten().map(signature).chain([verify, reset, "Kanarienvogel-falsch".to_owned()]).collect();
    (Person { id: third.id, ..third }, secrets)
}

async fn erased(platform: &Platform, admin: &Person, canary: &Person) {
    let path = format!("/api/users/{}", canary.id);
    platform.delete(&path).by(admin).header("if-match", "\"99\"").send().await.problem(412, "stale");
    let shown = platform.get(&path).by(admin).send().await.expect(200);
    let tag = shown.header("etag").expect("an ETag").to_owned();
    let answer = platform.delete(&path).by(admin).header("if-match", &tag).send().await;
    assert!([200, 204].contains(&answer.status), "{answer:?}");
    eventually("the token is refused", async || {
        (platform.get("/api/profile").by(canary).send().await.status == 401).then_some(())
    })
    .await;
    platform.settle().await;
    let shown = platform.get(&path).by(admin).send().await;
    assert!([200, 404, 410].contains(&shown.status), "{shown:?}");
    for gone in [NAME, EMAIL, "Canary"] {
        assert!(!shown.text.contains(gone), "{shown:?}");
    }
    for path in [format!("/u/{NAME}"), format!("/api/profiles/{NAME}"), format!("/api/users/{}/profile", canary.id)] {
        let answer = platform.get(&path).by(admin).send().await;
        assert!([404, 410].contains(&answer.status), "{answer:?}");
    }
    for (name, password) in [(NAME, SECRET), (EMAIL, CHANGED)] {
        platform.login(name, password).await.problem(401, "invalid_credentials");
    }
}

async fn the_key_is_gone_for_ever(platform: &Platform, admin: &Person, canary: &Person) {
    let mut owner = owner(platform).await;
    let wrapped: Option<Vec<u8>> = sqlx::query_scalar("select wrapped from vault.person where id = $1")
        .bind(canary.id)
        .fetch_one(&mut owner)
        .await
        .expect("a tombstone");
    assert_eq!(wrapped, None, "the key is destroyed");
    let path = format!("/api/users/{}/profile", canary.id);
    platform.put(&path).by(admin).json(json!({ "bio": "back" })).send().await.refused_within(404..=410);
    let again: Option<Vec<u8>> = sqlx::query_scalar("select wrapped from vault.person where id = $1")
        .bind(canary.id)
        .fetch_one(&mut owner)
        .await
        .expect("a tombstone");
    assert_eq!(again, None, "and never made again");
    let opened = platform.system().opened().await;
    let registered = opened.iter().find(|entry| entry.about() == canary.id).expect("the log stays");
    assert_eq!(registered.event["data"]["email"], json!({ "$erased": true }), "readers are told");
    assert_eq!(registered.event["data"]["username"], json!({ "$erased": true }));
}

async fn rebuilds_go_on(platform: &Platform, canary: &Person) {
    for page in ["user_page", "profile_page"] {
        let mut rebuild = reprise();
        rebuild.args(["projection", "rebuild", page, "--data"]).arg(platform.data());
        let output = rebuild.output().expect("it starts");
        assert!(output.status.success(), "{page}: {}", String::from_utf8_lossy(&output.stderr));
    }
    platform.check().await;
    let rows = platform.system().page("profile_page", "user_id").await;
    assert!(!rows.iter().any(|row| row["user_id"] == json!(canary.id)));
}

async fn names_are_free_again(platform: &Platform) {
    let mut body = registration(NAME);
    body["password"] = json!(PASSWORD);
    body["email"] = json!("another@example.org");
    let answer = platform.post("/api/auth/register").json(body).send().await.expect(201);
    let profile = platform.profile_of(&Person::signed_in(&answer)).await;
    assert_eq!(profile.body["handle"], NAME, "the handle too");
}

/// Every message of every stream, as it is stored: files may be compressed.
fn messages(platform: &Platform) -> Vec<u8> {
    let system = platform.system();
    let mut all = vec![];
    for stream in ["EVENTS", "COMMANDS", "ASKED", "OUTCOMES", "SCHEDULES", "DEAD", "SNAPSHOTS"] {
        for entry in system.stored(stream) {
            all.extend(entry.subject.as_bytes());
            all.extend(entry.event.to_string().as_bytes());
        }
    }
    all
}

fn found(bytes: &[u8], needle: &str) -> bool {
    memmem::find(bytes, needle.as_bytes()).is_some()
}

/// All files but the mails, which are addressed to people.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![];
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "mail") {
            all.extend(files(&path));
        } else if path.is_file() {
            all.push(path);
        }
    }
    all
}

fn holds(file: &Path, needle: &str) -> bool {
    found(&fs::read(file).unwrap_or_default(), needle)
}
