//! Opening an account: by either name or both, once, however often and by however many it is asked.

use crate::support::person::{PASSWORD, registration, unused_name};
use crate::support::{Answer, Person, Platform, eventually};
use futures::future::join_all;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The first journey: from an HTTP request to durable events, a profile and rows.
#[tokio::test]
async fn somebody_registers_and_everything_follows() {
    let platform = Platform::start().await;
    let answer = platform.post("/api/auth/register").json(registration("ada")).send().await.expect(201);
    assert_eq!(answer.body["user"]["username"], "ada");
    assert_eq!(answer.body["user"]["email"], "ada@example.org");
    assert_eq!(answer.body["user"]["roles"], json!([]));
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 900);
    let ada = Person::signed_in(&answer);

    let profile = platform.profile_of(&ada).await;
    assert_eq!(profile.body["user_id"], json!(ada.id));
    assert_eq!(profile.body["handle"], "ada");
    assert_eq!(profile.body["display_name"], "Ada");
    the_log_tells_who_and_why(&platform, &ada);
    every_way_to_be_called(&platform).await;
    names_that_are_none(&platform).await;
    passwords_that_are_none(&platform).await;
    names_that_look_alike(&platform).await;
    a_handle_gives_way(&platform).await;
}

/// Every event is a whole CloudEvent that says what it follows from.
fn the_log_tells_who_and_why(platform: &Platform, ada: &Person) {
    let about = platform.events_about(ada.id);
    let kinds: Vec<_> = about.iter().map(|entry| entry.kind()).collect();
    let registered = "identity.user.registered.v1";
    assert_eq!(kinds, [registered, "identity.user.email_verification_requested.v1", "profile.profile.created.v1"]);
    let correlation = about[0].id("correlationid");
    for entry in &about {
        assert_eq!(entry.event["specversion"], "1.0");
        assert!(entry.event["source"].as_str().is_some_and(|source| source.starts_with('/')), "{}", entry.event);
        assert_eq!(entry.id("correlationid"), correlation, "one saga: {}", entry.event);
        entry.id("causationid");
        assert_eq!(entry.event["sequence"].as_str().map(str::len), Some(20), "sorts as a number does");
    }
    assert_eq!(about[0].event["authtype"], "unauthenticated");
    assert_eq!(about[2].event["authtype"], "system");
    let sealed = &about[0].event["data"]["email"]["$sealed"];
    assert!(sealed.as_str().is_some_and(|text| text.starts_with(&ada.id.to_string())), "sealed for its person");
}

async fn every_way_to_be_called(platform: &Platform) {
    let ways = [
        (json!({ "username": "bertha", "password": PASSWORD }), "bertha", None),
        (json!({ "email": "Carl.Otto@Example.org", "password": PASSWORD, "name": "Carl" }), "carl-otto", Some("Carl")),
        (json!({ "username": "Dörte", "email": "d@example.org", "password": PASSWORD }), "dorte", None),
    ];
    for (body, handle, name) in ways {
        let answer = platform.post("/api/auth/register").json(body.clone()).send().await.expect(201);
        assert_eq!(answer.body["user"]["username"], body["username"]);
        assert_eq!(answer.body["user"]["email"], body["email"]);
        let profile = platform.profile_of(&Person::signed_in(&answer)).await;
        assert_eq!(profile.body["handle"], handle);
        if let Some(name) = name {
            assert_eq!(profile.body["display_name"], name);
        }
    }
}

async fn names_that_are_none(platform: &Platform) {
    let bad = [
        (json!({}), "name_required"),
        (json!({ "username": "ab" }), "username_invalid"),
        (json!({ "username": "has space" }), "username_invalid"),
        (json!({ "username": "-dash" }), "username_invalid"),
        (json!({ "email": "nobody" }), "email_invalid"),
        (json!({ "email": "a@b" }), "email_invalid"),
        (json!({ "email": "a b@example.org" }), "email_invalid"),
        (json!({ "username": unused_name("ok"), "name": "x".repeat(101) }), "name_invalid"),
    ];
    for (mut body, code) in bad {
        body["password"] = json!(PASSWORD);
        platform.post("/api/auth/register").json(body).send().await.problem(422, code);
    }
}

async fn passwords_that_are_none(platform: &Platform) {
    let name = unused_name("weak");
    platform
        .post("/api/auth/register")
        .json(json!({ "username": name, "password": "kurz123" }))
        .send()
        .await
        .problem(422, "password_weak");
    platform.post("/api/auth/register").json(json!({ "username": name })).send().await.refused(422);
    platform
        .post("/api/auth/register")
        .json(json!({ "username": name, "password": 12345678 }))
        .send()
        .await
        .refused(422);
    platform
        .post("/api/auth/register")
        .json(json!({ "username": name, "password": PASSWORD }))
        .send()
        .await
        .expect(201);
}

async fn names_that_look_alike(platform: &Platform) {
    let taken = [
        (json!({ "username": "ADA" }), "username_taken"),
        (json!({ "username": "Ａda" }), "username_taken"),
        (json!({ "email": "ADA@example.ORG" }), "email_taken"),
        (json!({ "username": unused_name("other"), "email": "ada@example.org" }), "email_taken"),
        (json!({ "username": "ada", "email": "other@example.org" }), "username_taken"),
    ];
    for (mut body, code) in taken {
        body["password"] = json!(PASSWORD);
        platform.post("/api/auth/register").json(body).send().await.problem(409, code);
    }
    let free = json!({ "email": "other@example.org", "password": PASSWORD });
    platform.post("/api/auth/register").json(free).send().await.expect(201);
}

/// A taken handle never undoes a registration.
async fn a_handle_gives_way(platform: &Platform) {
    let body = json!({ "email": "ada@elsewhere.example", "password": PASSWORD });
    let answer = platform.post("/api/auth/register").json(body).send().await.expect(201);
    let profile = platform.profile_of(&Person::signed_in(&answer)).await;
    assert_eq!(profile.body["handle"], "ada2");
}

/// The races: one name wanted by a hundred, one key used by a hundred.
#[tokio::test]
async fn a_hundred_at_once() {
    let platform = Platform::start().await;
    one_name_for_a_hundred(&platform, |n| json!({ "username": "wanted", "email": format!("w{n}@example.org") })).await;
    one_name_for_a_hundred(&platform, |n| json!({ "username": format!("only{n}"), "email": "one@example.org" })).await;
    one_key_for_a_hundred_registrations(&platform).await;
    one_key_for_a_hundred_changes(&platform).await;
    one_key_for_two_requests(&platform).await;
    platform.settle().await;
    platform.check().await;
}

async fn one_name_for_a_hundred(platform: &Platform, body: impl Fn(usize) -> Value) {
    let before = platform.count("identity.user.registered.v1");
    let answers = join_all((0..100).map(|n| {
        let mut body = body(n);
        body["password"] = json!(PASSWORD);
        platform.post("/api/auth/register").json(body).send()
    }))
    .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((won.len(), lost.len()), (1, 99), "{:?}", lost.iter().find(|answer| answer.status != 409));
    for answer in lost {
        let code = answer.body["code"].clone();
        assert!(code == "username_taken" || code == "email_taken", "{answer:?}");
        answer.refused(409);
    }
    assert_eq!(platform.count("identity.user.registered.v1"), before + 1);
}

async fn one_key_for_a_hundred_registrations(platform: &Platform) {
    let before = platform.count("identity.user.registered.v1");
    let name = unused_name("key");
    let answers = join_all((0..100).map(|_| {
        platform.post("/api/auth/register").header("idempotency-key", "one").json(registration(&name)).send()
    }))
    .await;
    all_equal(answers, 201);
    assert_eq!(platform.count("identity.user.registered.v1"), before + 1);
}

async fn one_key_for_a_hundred_changes(platform: &Platform) {
    let person = platform.somebody_with_profile().await;
    let before = platform.events_about(person.id).len();
    let answers = join_all((0..100).map(|_| {
        let change = json!({ "display_name": "Ada the first", "bio": "once" });
        platform.put("/api/profile").by(&person).header("idempotency-key", "one").json(change).send()
    }))
    .await;
    all_equal(answers, 200);
    assert_eq!(platform.events_about(person.id).len(), before + 1, "one effect");
}

/// One body, one version, one token.
fn all_equal(answers: Vec<Answer>, status: u16) {
    let first = answers[0].clone().expect(status);
    let mut kinds = BTreeSet::new();
    for answer in answers {
        kinds.insert((answer.status, answer.text.clone(), answer.header("etag").map(str::to_owned)));
    }
    assert_eq!(kinds.len(), 1, "{first:?}\n{:?}", kinds.iter().find(|kind| kind.1 != first.text));
}

async fn one_key_for_two_requests(platform: &Platform) {
    let person = platform.somebody_with_profile().await;
    let put = |key: &str, name: &str| {
        let change = json!({ "display_name": name });
        platform.put("/api/profile").by(&person).header("idempotency-key", key).json(change).send()
    };
    let first = put("mine", "One").await.expect(200);
    put("mine", "Two").await.problem(422, "idempotency_key_reused");
    let again = put("mine", "One").await.expect(200);
    assert_eq!((again.text.clone(), again.version()), (first.text.clone(), first.version()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    put("another", "Two").await.expect(200);

    let other = platform.somebody_with_profile().await;
    let change = json!({ "display_name": "Three" });
    platform.put("/api/profile").by(&other).header("idempotency-key", "mine").json(change).send().await.expect(200);
    for bad in ["", &"x".repeat(256), "schl\u{fc}ssel"] {
        let change = json!({ "display_name": "Four" });
        let request = platform.put("/api/profile").by(&person).header("idempotency-key", bad).json(change);
        request.send().await.problem(400, "idempotency_key_invalid");
    }

    let name = unused_name("twice");
    let register = |body: Value| platform.post("/api/auth/register").header("idempotency-key", "reg").json(body).send();
    register(registration(&name)).await.expect(201);
    let mut other = registration(&name);
    other["password"] = json!("ein ganz anderes Wort 9");
    register(other).await.problem(422, "idempotency_key_reused");
}

/// Whether an account exists is told by nothing but «name taken».
#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let platform = Platform::start().await;
    let known = platform.somebody_with_profile().await;
    let normal = |answer: Answer| {
        let mut body = answer.body.clone();
        for changing in ["request_id", "trace_id", "instance"] {
            body.as_object_mut().map(|body| body.remove(changing));
        }
        (answer.status, body, answer.header("retry-after").map(str::to_owned))
    };
    let pairs = [
        (
            "/api/auth/login",
            json!({ "username": known.username, "password": "wrong password 1" }),
            json!({ "username": "nobody-at-all", "password": "wrong password 1" }),
        ),
        (
            "/api/auth/login",
            json!({ "email": known.email, "password": "wrong password 1" }),
            json!({ "email": "nobody@example.org", "password": "wrong password 1" }),
        ),
        ("/api/auth/forgot-password", json!({ "email": known.email }), json!({ "email": "nobody@example.org" })),
        ("/api/auth/resend-verification", json!({ "email": known.email }), json!({ "email": "nobody@example.org" })),
    ];
    for (path, there, not_there) in pairs {
        let there = normal(platform.post(path).json(there).send().await);
        let not_there = normal(platform.post(path).json(not_there).send().await);
        assert_eq!(there, not_there, "{path}");
        assert!(there.0 != 404 && there.0 < 500, "{path}: {there:?}");
    }
    let admin = platform.admin().await;
    platform
        .put(&format!("/api/users/{}", known.id))
        .by(&admin)
        .header("if-match", "*")
        .json(json!({ "status": "suspended" }))
        .send()
        .await
        .expect(200);
    eventually("a suspended person is refused", async || {
        let answer = normal(platform.login(&known.username, PASSWORD).await);
        (answer.0 == 401).then_some(answer)
    })
    .await;
    let suspended = normal(platform.login(&known.username, PASSWORD).await);
    assert_eq!(suspended, normal(platform.login("nobody-at-all", PASSWORD).await), "suspension is not told");
    hashing_takes_as_long(&platform, &platform.somebody().await).await;
}

/// A login for nobody costs a hash too. Compared by order of magnitude: without the hash it would be a hundredth.
async fn hashing_takes_as_long(platform: &Platform, known: &Person) {
    let mut times = [vec![], vec![]];
    for _ in 0..7 {
        for (slot, name) in [known.username.as_str(), "nobody-at-all"].iter().enumerate() {
            let start = std::time::Instant::now();
            platform.login(name, "wrong password 1").await.refused(401);
            times[slot].push(start.elapsed());
        }
    }
    times.iter_mut().for_each(|times| times.sort());
    let (there, not_there) = (times[0][3], times[1][3]);
    assert!(not_there * 3 > there && there * 3 > not_there, "known {there:?}, unknown {not_there:?}");
}
