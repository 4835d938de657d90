//! Faults: whatever dies, at whatever step, every promise is kept once, every row is the fold of the log, and no saga
//! hangs. A fault that did not happen fails the test too.

#[cfg(feature = "crash-points")]
mod ending;
mod media;

use crate::support::roles::{Log, ROLES};
use crate::support::system::System;
use crate::support::{Person, Roles, eventually};
use reqwest::Method;
use serde_json::{Value, json};

/// Where a process may die on the way from a request to a row, and which process that is.
#[cfg(feature = "crash-points")]
const STEPS: &[(&str, &str)] = &[
    ("gateway", "command.sending"),
    ("gateway", "command.sent"),
    ("gateway", "command.answered"),
    ("vault", "vault.registered"),
    ("vault", "vault.session_started"),
    ("vault", "vault.relayed"),
    ("vault", "vault.followed"),
    ("service identity", "command.received"),
    ("service identity", "events.appended"),
    ("service identity", "command.decided"),
    ("service identity", "command.told"),
    ("service profile", "event.received"),
    ("service profile", "event.handled"),
    ("service profile", "command.received"),
    ("service profile", "events.appended:2"),
    ("service profile", "command.told:3"),
    ("service notification", "event.received"),
    ("service notification", "event.handled"),
    ("projector", "rows.written"),
    ("projector", "rows.committed"),
];

/// One process of each role dies at each step of the saga while people work, and comes back.
#[cfg(feature = "crash-points")]
#[tokio::test]
async fn any_step_may_be_the_last() {
    let mut roles = Roles::alone().await;
    let load = roles.load(6);
    load.progress(10).await;
    for (role, point) in STEPS {
        eprintln!("{role} dies at {point}");
        roles.kill(role, 0);
        roles.spawn(role, 0, Some(point));
        roles.died(role, 0).await;
        roles.spawn(role, 0, None);
        load.progress(2).await;
    }
    load.progress(20).await;
    let promises = load.stop().await;
    assert!(promises.repeated > 0, "something broke, so somebody had to ask again");
    roles.check().await;
    promises.are_kept(&roles.system().opened().await);
    last_requests_succeed(&roles).await;
}

/// Two of each: one of each role is killed while the other works, then the servers themselves.
#[tokio::test]
async fn any_process_may_be_killed() {
    let mut roles = Roles::start().await;
    let load = roles.load(4);
    load.progress(10).await;
    for (n, role) in ROLES.into_iter().enumerate() {
        eprintln!("kill -9 {role}");
        roles.kill(role, n % 2);
        load.progress(15).await;
        roles.spawn(role, n % 2, None);
        load.progress(5).await;
    }
    eprintln!("kill -9 Postgres");
    roles.postgres.kill();
    roles.postgres.restart().expect("Postgres starts again");
    load.progress(20).await;
    eprintln!("kill -9 nats-server");
    let Log::One(server) = &mut roles.log else { unreachable!("one server") };
    server.kill();
    server.restart().expect("nats-server starts again");
    load.progress(20).await;
    eprintln!("kill -9 everything");
    for role in ROLES {
        roles.kill(role, 0);
        roles.kill(role, 1);
    }
    for role in ROLES {
        roles.spawn(role, 0, None);
        roles.spawn(role, 1, None);
    }
    load.progress(20).await;
    let promises = load.stop().await;
    assert!(promises.repeated > 0, "something broke, so somebody had to ask again");
    roles.check().await;
    promises.are_kept(&roles.system().opened().await);
    last_requests_succeed(&roles).await;
}

/// Three nats-servers: the leader of each stream in turn dies under load and comes back.
#[tokio::test]
async fn the_leader_of_three_may_be_killed() {
    let mut roles = Roles::on_three().await;
    let load = roles.load(4);
    load.progress(10).await;
    for stream in ["EVENTS", "ASKED", "COMMANDS"] {
        let leader = leader(&mut roles, stream).await;
        eprintln!("kill -9 {leader}, leader of {stream}");
        let Log::Three(cluster) = &mut roles.log else { unreachable!("three servers") };
        let node = leader.trim_start_matches('n').parse::<usize>().expect("n0, n1, n2");
        cluster.nodes[node].kill();
        load.progress(15).await;
        let Log::Three(cluster) = &mut roles.log else { unreachable!("three servers") };
        cluster.nodes[node].restart().expect("it comes back");
        load.progress(10).await;
    }
    let promises = load.stop().await;
    roles.check().await;
    promises.are_kept(&roles.system().opened().await);
    last_requests_succeed(&roles).await;
}

async fn leader(roles: &mut Roles, stream: &str) -> String {
    let system = roles.system();
    eventually(&format!("{stream} has a leader"), async || {
        let info = system.stranger("operator").ask(&format!("$JS.API.STREAM.INFO.{stream}"), &json!({})).ok()??.json();
        info["cluster"]["leader"].as_str().map(str::to_owned)
    })
    .await
}

/// Every consumer goes back to the beginning and every message is delivered again: nothing happens twice.
#[tokio::test]
async fn everything_may_be_delivered_twice() {
    let mut roles = Roles::alone().await;
    let load = roles.load(3);
    load.progress(60).await;
    let promises = load.stop().await;
    roles.check().await;
    let system = roles.system();
    let before = (system.last("EVENTS").await, pages(&system).await);
    deliver_everything_again(&system);
    roles.check().await;
    assert_eq!(system.last("EVENTS").await, before.0, "nothing happened twice");
    assert_eq!(pages(&system).await, before.1);
    promises.are_kept(&system.opened().await);
}

/// Every consumer of commands and events begins again from the beginning.
fn deliver_everything_again(system: &System) {
    let mut again = 0;
    for stream in ["COMMANDS", "ASKED", "EVENTS"] {
        let mut stranger = system.stranger("provisioner");
        let names = stranger.ask(&format!("$JS.API.CONSUMER.NAMES.{stream}"), &json!({})).expect("a connection");
        let names = names.expect("an answer").json();
        let names = names["consumers"].as_array().expect("a list").iter().filter_map(Value::as_str);
        // those of a rebuild are gone in a moment
        for name in names.filter(|name| !name.contains('-')) {
            let answer = stranger.ask(&format!("$JS.API.CONSUMER.RESET.{stream}.{name}"), &json!({ "seq": 1 }));
            let answer = answer.expect("a connection").expect("an answer").json();
            assert!(answer["error"].is_null(), "{stream} {name}: {answer}");
            again += 1;
        }
    }
    assert!(again >= 4, "the consumers of commands and events");
}

async fn pages(system: &System) -> Vec<Vec<Value>> {
    vec![system.page("user_page", "id").await, system.page("profile_page", "user_id").await]
}

/// Guards against a pass because everything failed: after all of it, people register and change things.
async fn last_requests_succeed(roles: &Roles) {
    let somebody: Person = roles.somebody().await;
    eventually("a last change succeeds", async || {
        let request = roles.request(Method::PUT, "/api/profile").by(&somebody).json(json!({ "bio": "the end" }));
        request.try_send().await.ok().filter(|answer| answer.status == 200)
    })
    .await;
}
