//! What holds when nothing is switched off: rates, the strict policy, and that nobody can lock another out.

use crate::support::person::registration;
use crate::support::{Answer, Person, Setup};
use serde_json::json;

/// The defaults, as a stranger meets them.
#[tokio::test]
async fn defaults_are_strict_and_fair() {
    let setup = Setup::default().variable("REPRISE_RATE_LIMITS", "on").variable("REPRISE_PASSWORD_POLICY", "strict");
    let platform = setup.start().await;
    let post = |path: &str, body: serde_json::Value| platform.post(path).json(body).send();
    for weak in ["password1", "ada-lovelace", "kurz"] {
        let body = json!({ "username": "ada-lovelace", "password": weak });
        post("/api/auth/register", body).await.problem(422, "password_weak");
    }
    let answer = post("/api/auth/register", registration("ada-lovelace")).await.expect(201);
    let ada = Person::signed_in(&answer);
    platform.profile_of(&ada).await;

    // somebody signed in has a wider class than a stranger
    let own = platform.get("/api/profile").by(&ada).send().await.expect(200);
    assert!(limit(&own) > limit(&platform.get("/api/profiles/ada-lovelace").send().await.expect(200)), "{own:?}");

    // an attacker is slowed down and told for how long
    let mut slowed = None;
    for n in 0..60 {
        let answer =
            post("/api/auth/login", json!({ "username": "ada-lovelace", "password": format!("wrong {n}") })).await;
        if answer.status == 429 {
            slowed = Some(answer.refused(429));
            break;
        }
        answer.problem(401, "invalid_credentials");
    }
    let slowed = slowed.expect("sixty guesses are too many");
    assert!(
        slowed.header("retry-after").and_then(|text| text.parse::<u64>().ok()).is_some_and(|s| s > 0),
        "{slowed:?}"
    );
    // a person writes a few messages in a quarter of an hour, under whatever names
    let form = json!({ "name": "Ada", "email": "ada@example.org", "subject": "Hello", "message": "Hello" });
    let write = || platform.post("/api/contact").json(form.clone());
    for _ in 0..10 {
        write().send().await.expect(201);
    }
    assert_eq!(limit(&write().by(&ada).send().await.problem(429, "rate_limited")), 10);

    // whoever is signed in notices nothing of it
    platform.get("/api/auth/validate-token").by(&ada).send().await.expect(200);
    platform
        .post("/api/auth/refresh-token")
        .json(json!({ "refresh_token": ada.refresh_token }))
        .send()
        .await
        .expect(200);
}

/// The quota in `RateLimit-Policy`.
#[track_caller]
fn limit(answer: &Answer) -> u64 {
    let policy = answer.header("ratelimit-policy").unwrap_or_else(|| panic!("no RateLimit-Policy: {answer:?}"));
    assert!(answer.header("ratelimit").is_some(), "{answer:?}");
    let quota = policy.split(';').find_map(|part| part.trim().strip_prefix("q="));
    quota.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no quota: {answer:?}"))
}
