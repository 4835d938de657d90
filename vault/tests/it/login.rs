//! Signing in.

use crate::world::*;
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use vault::api::*;

#[tokio::test]
async fn either_name_signs_in_however_it_is_written() {
    let world = World::start().await;
    let (person, _) = world.person("ada").await;
    for name in ["ada", " ADA ", "Ａda", "ada@example.org", "Ada@Example.ORG"] {
        assert_eq!(tokens(world.login(name, PASSWORD).await).user, person.id, "{name}");
    }
}

#[tokio::test]
async fn nothing_tells_a_wrong_password_from_a_missing_account() {
    let world = World::start().await;
    let (person, _) = world.person("ada").await;
    let hashes = count_hashes();
    let wrong = world.login("ada", "wrong horse battery").await;
    let of_known = hashes.swap(0, Ordering::SeqCst);
    let missing = world.login("nobody", "wrong horse battery").await;
    let of_unknown = hashes.swap(0, Ordering::SeqCst);
    assert_eq!((&wrong, of_known), (&SigningIn::Refused, 1));
    assert_eq!((missing, of_unknown), (wrong, of_known));
    let failures = format!("cmd.identity.user.{}", person.id);
    let said = world.until_said("COMMANDS", &failures, &["identity.user.record_login_failure.v1"]).await;
    assert_eq!(said[0]["data"]["reason"], "wrong_password");
    assert_eq!(world.said("COMMANDS", "cmd.identity.user.*").await.len(), 1);
}

#[tokio::test]
async fn bcrypt_hashes_are_accepted_and_replaced() {
    let world = World::start().await;
    let (_, _) = world.person("ada").await;
    let old = bcrypt::hash(PASSWORD, 4).expect("hash").replacen("$2b$", "$2y$", 1);
    world.sql(&format!("update vault.account set hash = '{old}'")).await;
    assert_eq!(world.login("ada", "wrong horse battery").await, SigningIn::Refused);
    tokens(world.login("ada", PASSWORD).await);
    assert_eq!(world.count("select count(*) from vault.account where hash like '$argon2id$%m=64,t=1,p=1$%'").await, 1);
    tokens(world.login("ada", PASSWORD).await);
}

#[tokio::test]
async fn a_hash_with_other_parameters_is_replaced() {
    let mut world = World::start().await;
    world.person("ada").await;
    world.stop_vault().await;
    world.set_argon(vault::Argon { memory: 128, passes: 2, lanes: 1 });
    world.start_vault().await;
    tokens(world.login("ada", PASSWORD).await);
    assert_eq!(world.count("select count(*) from vault.account where hash like '$argon2id$%m=128,t=2,p=1$%'").await, 1);
    tokens(world.login("ada", PASSWORD).await);
}

#[tokio::test]
async fn two_at_once_have_a_session_each() {
    let world = World::start().await;
    let (person, _) = world.person("ada").await;
    let (one, two) = tokio::join!(world.login("ada", PASSWORD), world.login("ada", PASSWORD));
    assert_ne!(tokens(one).session, tokens(two).session);
    assert_eq!(world.sessions(&person).await.len(), 3);
}

#[tokio::test]
async fn a_hundred_at_once_are_answered_or_told_to_come_back() {
    let mut config = config();
    (config.hash_queue, config.throttle) = (4, false);
    config.argon = vault::Argon { memory: 8192, passes: 2, lanes: 1 };
    let world = World::with(config).await;
    world.person("ada").await;
    let answers = futures::future::join_all((0..100).map(|_| world.login("ada", PASSWORD))).await;
    let slow =
        answers.iter().filter(|answer| matches!(answer, SigningIn::Slow { retry_after } if *retry_after > 0)).count();
    let signed_in = answers.iter().filter(|answer| matches!(answer, SigningIn::SignedIn { .. })).count();
    assert_eq!(slow + signed_in, 100, "{answers:?}");
    assert!(slow > 0 && signed_in > 4, "{slow} were told to come back, {signed_in} signed in");
}

#[tokio::test]
async fn guesses_are_slowed_and_the_person_is_not() {
    let world = World::start().await;
    world.person("ada").await;
    let mut slow = 0;
    for _ in 0..40 {
        match world.login_from("ada", "wrong horse battery", "198.51.100.9").await {
            SigningIn::Slow { retry_after } => slow += usize::from(retry_after > 0),
            answer => assert_eq!(answer, SigningIn::Refused),
        }
    }
    assert!(slow >= 5, "{slow}");
    tokens(world.login_from("ada", PASSWORD, "192.0.2.7").await);
    pass(chrono::TimeDelta::minutes(2));
    tokens(world.login_from("ada", PASSWORD, "198.51.100.9").await);
}

#[tokio::test]
async fn questions_that_make_no_sense_are_answered() {
    let world = World::start().await;
    let wait = Duration::from_secs(5);
    for (subject, question) in [("vault.login", serde_json::json!({"identifier": 7})), ("vault.refresh", "x".into())] {
        let answer: serde_json::Value = world.bus.request(subject, &question, wait).await.expect("an answer");
        assert_eq!(answer, serde_json::json!({"failure": "malformed"}));
    }
    assert_eq!(world.refresh(&"no token".into()).await, SigningIn::Refused);
    assert_eq!(world.login(&"x".repeat(100_000), &"y".repeat(100_000)).await, SigningIn::Refused);
}

/// Counts how often the time of a hash is recorded, in this process.
fn count_hashes() -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    metrics::set_global_recorder(Hashes(count.clone())).expect("the only recorder");
    count
}

struct Hashes(Arc<AtomicUsize>);

struct Count(Arc<AtomicUsize>);

impl HistogramFn for Count {
    fn record(&self, _seconds: f64) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Recorder for Hashes {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        match key.name() {
            "reprise_hash_seconds" => Histogram::from_arc(Arc::new(Count(self.0.clone()))),
            _ => Histogram::noop(),
        }
    }
}
