//! Several gateways are one: what happens at one counts at all, and none of them is ever silently stale.

use crate::support::person::{PASSWORD, registration, unused_name};
use crate::support::process::signal;
use crate::support::roles::Roles;
use crate::support::sockets::Sockets;
use crate::support::{Person, Request, eventually};
use futures::future::join_all;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use std::time::{Duration, Instant};

/// Two gateways, and two projectors that stand still for a while.
#[tokio::test]
async fn two_gateways_are_one() {
    let mut roles = Roles::start().await;
    let person = roles.somebody().await;
    eventually("the profile follows", async || {
        let answer = at(&roles, 1, Method::GET, "/api/profile").by(&person).send().await;
        (answer.status == 200).then_some(())
    })
    .await;
    one_key_at_both(&roles, &person).await;
    what_ends_at_one_ends_at_both(&roles, &person).await;
    what_is_said_is_heard_at_both(&mut roles, &person).await;
    never_silently_stale(&mut roles, &person).await;
    roles.check().await;
}

fn at(roles: &Roles, gateway: usize, method: Method, path: &str) -> Request {
    Request::new(&crate::support::platform::client(), method, &format!("{}{path}", roles.gateways[gateway]))
}

/// The same request under the same key, at both at the same time: one effect, one answer.
async fn one_key_at_both(roles: &Roles, person: &Person) {
    let answers = join_all((0..20).map(|n| {
        let request = at(roles, n % 2, Method::PUT, "/api/profile").by(person).header("idempotency-key", "both");
        request.json(json!({ "display_name": "Once" })).send()
    }))
    .await;
    let first = answers[0].clone().expect(200);
    for answer in answers {
        assert_eq!((answer.status, &answer.text), (200, &first.text), "{answer:?}");
    }
    let name = unused_name("both");
    let answers = join_all((0..6).map(|n| {
        let request = at(roles, n % 2, Method::POST, "/api/auth/register").header("idempotency-key", "both");
        request.json(registration(&name)).send()
    }))
    .await;
    let first = answers[0].clone().expect(201);
    for answer in answers {
        assert_eq!((answer.status, &answer.text), (201, &first.text), "{answer:?}");
    }
}

/// Signed out here, refused there, within a second.
async fn what_ends_at_one_ends_at_both(roles: &Roles, person: &Person) {
    let body = json!({ "username": person.username, "password": PASSWORD });
    let login = at(roles, 0, Method::POST, "/api/auth/login").json(body).send().await.expect(200);
    let session = Person::signed_in(&login);
    at(roles, 1, Method::GET, "/api/auth/validate-token").by(&session).send().await.expect(200);
    let answer = at(roles, 0, Method::POST, "/api/auth/logout").by(&session).send().await;
    assert!(answer.status < 300, "{answer:?}");
    let start = Instant::now();
    eventually("the other gateway refuses it", async || {
        let answer = at(roles, 1, Method::GET, "/api/auth/validate-token").by(&session).send().await;
        (answer.status == 401).then_some(())
    })
    .await;
    assert!(start.elapsed() < Duration::from_secs(1), "it took {:?}", start.elapsed());
}

/// Each gateway tells its own sockets; no gateway knows of the other.
async fn what_is_said_is_heard_at_both(roles: &mut Roles, person: &Person) {
    let sockets = Sockets::start();
    let here = sockets.of(&roles.gateways[0], person).await;
    let there = sockets.of(&roles.gateways[1], person).await;
    let said = json!({ "event": "notification", "data": { "text": "to all of you" } }).to_string();
    let mut service = roles.system().stranger("notification");
    service.publish(&format!("rt.user.{}", person.id), said.as_bytes()).expect("it may be said");
    service.flush().expect("it is said");
    for socket in [&here, &there] {
        assert_eq!(socket.event("notification").await["text"], "to all of you");
    }
}

/// While no projector works, whoever asks for their own change is told to wait; whoever does not ask is answered.
async fn never_silently_stale(roles: &mut Roles, person: &Person) {
    let projectors = [0, 1].map(|n| roles.running[&format!("projector.{n}")].pid());
    projectors.iter().for_each(|pid| signal(*pid, Signal::STOP));
    let change = json!({ "display_name": "Not yet seen" });
    let answer = at(roles, 0, Method::PUT, "/api/profile").by(person).json(change).send().await.expect(200);
    let start = Instant::now();
    let read = at(roles, 1, Method::GET, "/api/profile").by(person).after(&answer).send().await;
    let read = read.problem(503, "projection_behind");
    assert!(read.header("retry-after").is_some(), "{read:?}");
    assert!(start.elapsed() < Duration::from_secs(10), "it waits, but not for ever: {:?}", start.elapsed());
    let old = at(roles, 1, Method::GET, "/api/profile").by(person).send().await.expect(200);
    assert_ne!(old.body["display_name"], "Not yet seen");
    projectors.iter().for_each(|pid| signal(*pid, Signal::CONT));
    eventually("it is seen", async || {
        let read = at(roles, 1, Method::GET, "/api/profile").by(person).after(&answer).send().await;
        (read.status == 200 && read.body["display_name"] == "Not yet seen").then_some(())
    })
    .await;
}
