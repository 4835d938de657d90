//! The loop: one outcome per command, whatever is delivered twice, and poison stays by itself.

use crate::kit::*;
use events::{Event, Message, profile};
use kernel::{Service, ask};
use nats::{Status, Sync, streams};
use serde_json::json;
use std::collections::HashSet;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_command_becomes_an_event_and_an_outcome() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let subject = Uuid::now_v7();
    let first = told(&world.bus, &command(subject, begin("ada"))).await;
    assert_eq!((first.status, first.version), (Status::Accepted, 1));
    let second = told(&world.bus, &command(subject, count())).await;
    assert_eq!((second.status, second.version, second.refusal), (Status::Accepted, 2, None));
    let already = told(&world.bus, &command(subject, nothing())).await;
    assert_eq!((already.status, already.version, already.position), (Status::Accepted, 2, second.position));
    let refused = told(&world.bus, &command(Uuid::now_v7(), nothing())).await;
    assert_eq!((refused.status, refused.refusal.expect("refused").code.as_str()), (Status::Rejected, "not_begun"));
    let events = world.events_of(subject).await;
    assert_eq!(events[0]["type"], "profile.profile.created.v1");
    assert_eq!(events[0]["sequence"], "00000000000000000001");
    assert_eq!(events[0]["data"]["display_name"]["$personal"], "ada in words");
    assert_eq!(events[1]["causationid"], second.id.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_did_not_see_is_refused() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let subject = Uuid::now_v7();
    let seen = |version| Message { ifmatch: Some(events::Sequence(version)), ..command(subject, count()) };
    assert_eq!(told(&world.bus, &seen(0)).await.status, Status::Accepted);
    let stale = told(&world.bus, &seen(0)).await;
    assert_eq!(stale.refusal.map(|refusal| refusal.kind), Some(kernel::Kind::Stale));
    assert_eq!(told(&world.bus, &seen(1)).await.version, 2);
}

/// Nobody decides: whoever waited hears that it will be decided, and then it is, whatever became of the first copy.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_told_in_time_is_stored_before_anybody_hears_so() {
    let server = embedded::Nats::scratch();
    for lost in [true, false] {
        let world = World::new(&server.url, Sync::Interval, 1).await;
        let asked = command(Uuid::now_v7(), count());
        let reply = world.bus.ask(&asked, std::time::Duration::from_millis(100)).await.expect("the log takes it");
        assert_eq!(reply, nats::Reply::Later);
        if lost {
            let stream = async_nats::jetstream::new(raw(&server.url).await).get_stream(streams::ASKED).await;
            stream.expect("a stream").purge().await.expect("purged");
        }
        let service = world.run(counter()).await;
        eventually("it is decided", async || world.events_of(asked.subject).await.len() == 1).await;
        world.settled().await;
        assert_eq!(world.events_of(asked.subject).await.len(), 1);
        let told: Vec<_> = world.outcomes().await.into_iter().filter(|outcome| outcome.id == asked.id).collect();
        assert!(!told.is_empty() && told.iter().all(|one| one.position == told[0].position), "{told:?}");
        world.stop.cancel();
        service.await.expect("no panic").expect("stopped");
    }
}

/// Whoever was not told in time sends a second copy, and both may be decided at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn two_copies_of_a_command_are_one() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let (client, subject) = (raw(&server.url).await, Uuid::now_v7());
    for _ in 0..200 {
        let asked = Message { replyto: Some("_INBOX_gone".into()), ..command(subject, count()) };
        let json = serde_json::to_vec(&asked).expect("JSON");
        for begins in ["ask", "cmd"] {
            let place = format!("{begins}.profile.profile.{subject}");
            client.publish(place, json.clone().into()).await.expect("published");
        }
    }
    client.flush().await.expect("flushed");
    world.settled().await;
    let versions: Vec<_> = world.events_of(subject).await.iter().map(|event| event["sequence"].clone()).collect();
    assert_eq!(versions, (1..=200).map(|n| serde_json::json!(format!("{n:020}"))).collect::<Vec<_>>());
}

/// A process that fell behind is given a command which another has decided meanwhile, on what came since.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_another_process_decided_leads_to_nothing_new() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let subject = Uuid::now_v7();
    let [first, others, asked, next] = std::array::from_fn(|_| command(subject, count()));
    told(&world.bus, &first).await;
    let context = async_nats::jetstream::new(raw(&server.url).await);
    for (version, cause) in [(2, others.id), (3, asked.id)] {
        let mut event = world.events_of(subject).await.remove(0);
        event["id"] = json!(Uuid::new_v5(&cause, b"0"));
        event["causationid"] = json!(cause);
        event["sequence"] = json!(format!("{version:020}"));
        let place = format!("evt.profile.profile.{subject}");
        context.publish(place, event.to_string().into()).await.expect("sent").await.expect("stored");
    }
    let outcome = told(&world.bus, &asked).await;
    assert_eq!((outcome.status, outcome.version, outcome.position), (Status::Accepted, 3, 3));
    assert_eq!(told(&world.bus, &next).await.version, 4);
    assert_eq!(world.events_of(subject).await[3]["sequence"], format!("{:020}", 4));
}

/// Outcomes that nobody asks for any more share a message, and each is found in it.
#[tokio::test(flavor = "multi_thread")]
async fn outcomes_of_one_moment_share_a_message() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let commands: Vec<_> = (0..200).map(|_| command(Uuid::now_v7(), count())).collect();
    let outcomes = futures::future::join_all(commands.iter().map(|one| told(&world.bus, one))).await;
    world.settled().await;
    let stored = world.outcomes().await;
    assert_eq!(stored.len(), 200);
    assert!(outcomes.iter().all(|outcome| stored.contains(outcome)));
    let messages = world.all(streams::OUTCOMES).await.len();
    assert!(messages < 100, "{messages} messages");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_with_one_id_are_one() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let other = world.another().await;
    let (id, subject) = (Uuid::new_v5(&Uuid::nil(), b"key"), Uuid::now_v7());
    let same = with_id(id, subject, count());
    let asked = (0..100).map(|n| {
        let (bus, same) = (if n % 2 == 0 { world.bus.clone() } else { other.clone() }, same.clone());
        async move { told(&bus, &same).await }
    });
    let outcomes: Vec<_> = futures::future::join_all(asked).await;
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
    assert_eq!(world.events_of(subject).await.len(), 1);
}

/// Everything that was asked is put into the log a second time, past the window in which ids are remembered.
#[tokio::test(flavor = "multi_thread")]
async fn every_command_twice_is_once() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let subjects: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
    let mut first = vec![];
    for n in 0..40 {
        let body = if n % 7 == 3 { nothing() } else { count() };
        let id = Uuid::new_v5(&Uuid::nil(), &[n]);
        first.push(told(&world.bus, &with_id(id, subjects[n as usize % 5], body)).await);
    }
    world.settled().await;
    let before = world.all(streams::EVENTS).await.len();
    let client = raw(&server.url).await;
    for asked in world.all(streams::ASKED).await {
        client.publish(asked.subject, asked.raw).await.expect("published");
    }
    client.flush().await.expect("flushed");
    world.settled().await;
    assert_eq!(world.all(streams::EVENTS).await.len(), before);
    for outcome in first {
        assert_eq!(world.bus.outcome(outcome.id).await.expect("an answer"), Some(outcome));
    }
}

/// The outcome is lost with the process that decided; the events tell it again.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_was_not_stored_is_found_in_the_events() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    let stop = world.stop.child_token();
    let service = tokio::spawn(nats::run_service(world.another().await, counter(), stop.clone()));
    let subject = Uuid::now_v7();
    let id = Uuid::new_v5(&Uuid::nil(), b"lost");
    let outcome = told(&world.bus, &with_id(id, subject, count())).await;
    told(&world.bus, &command(subject, count())).await;
    world.settled().await;
    stop.cancel();
    service.await.expect("no panic").expect("stopped");
    let client = raw(&server.url).await;
    let context = async_nats::jetstream::new(client.clone());
    context.get_stream(streams::OUTCOMES).await.expect("a stream").purge().await.expect("purged");
    let asked = &world.all(streams::ASKED).await[0];
    client.publish(asked.subject.clone(), asked.raw.clone()).await.expect("published");
    client.flush().await.expect("flushed");
    world.run(counter()).await;
    world.settled().await;
    let again = world.bus.outcome(id).await.expect("an answer").expect("an outcome");
    assert_eq!((again.status, again.version, again.position), (outcome.status, 1, outcome.position));
    assert_eq!(world.events_of(subject).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_dead_and_its_neighbours_go_on() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let subject = Uuid::now_v7();
    told(&world.bus, &command(subject, begin("ada"))).await;
    let (panics, before) = (command(subject, poison()), told(&world.bus, &command(subject, count())).await);
    let dead = told(&world.bus, &panics).await;
    assert_eq!(dead.refusal.expect("refused").code, "not_handled");
    assert_eq!(told(&world.bus, &command(subject, count())).await.version, before.version + 1);
    // words nobody knows, and no words at all
    let client = raw(&server.url).await;
    let unknown = serde_json::json!({ "specversion": "1.0", "id": Uuid::now_v7(), "source": "/tests", "subject": subject,
        "time": "2026-11-21T00:00:00Z", "correlationid": Uuid::now_v7(), "authtype": "system",
        "type": "profile.profile.dance.v1", "data": {} });
    for text in [unknown.to_string(), "{ not json".to_owned()] {
        client.publish(format!("cmd.profile.profile.{subject}"), text.into()).await.expect("published");
    }
    eventually("the dead", async || {
        world.all(streams::DEAD).await.iter().filter(|dead| dead.subject == "dead.profile").count() == 3
    })
    .await;
    world.settled().await;
    assert_eq!(told(&world.bus, &command(subject, count())).await.version, before.version + 2);
    assert!(world.all(streams::DEAD).await.iter().all(|dead| !String::from_utf8_lossy(&dead.raw).contains("in words")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_asks_once_however_often_it_sees_the_event() {
    fn count_when_begun(event: &Message<Event>) -> Vec<kernel::Ask> {
        match &event.body {
            Event::User(_) => vec![ask(event.subject, count())],
            _ => vec![],
        }
    }
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    let person = Uuid::now_v7();
    let event = serde_json::json!({ "specversion": "1.0", "id": Uuid::now_v7(), "source": "/tests", "subject": person,
        "time": "2026-11-21T00:00:00Z", "correlationid": person, "causationid": person, "authtype": "system",
        "sequence": "00000000000000000001", "type": "identity.user.email_verified.v1", "data": {} });
    let client = raw(&server.url).await;
    for _ in 0..3 {
        client.publish(format!("evt.identity.user.{person}"), event.to_string().into()).await.expect("published");
    }
    client.flush().await.expect("flushed");
    // others who follow the same events
    for name in ["vault", "notification", "storage", "video"] {
        world.run(Service::new(name).reacts("nothing", |_| vec![])).await;
    }
    let service = || counter().reacts("count_when_begun", count_when_begun);
    world.run(service()).await;
    world.run(service()).await;
    eventually("the reaction", async || !world.events_of(person).await.is_empty()).await;
    world.settled().await;
    let events = world.events_of(person).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["correlationid"], person.to_string());
    assert_eq!(world.all(streams::COMMANDS).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_aggregate_is_loaded_from_its_snapshot_and_other_logic_ignores_it() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    let stop = world.stop.child_token();
    let service = tokio::spawn(nats::run_service(world.another().await, counter(), stop.clone()));
    let subject = Uuid::now_v7();
    told(&world.bus, &command(subject, begin("ada"))).await;
    let many: Vec<_> = (0..450).map(|_| command(subject, count())).collect();
    futures::future::join_all(many.iter().map(|one| told(&world.bus, one))).await;
    eventually("the snapshot", async || {
        world
            .all(streams::SNAPSHOTS)
            .await
            .last()
            .is_some_and(|snapshot| json(&snapshot.raw)["version"].as_u64() >= Some(400))
    })
    .await;
    stop.cancel();
    service.await.expect("no panic").expect("stopped");
    let snapshots = world.all(streams::SNAPSHOTS).await;
    assert_eq!(snapshots.len(), 1);
    assert!(!String::from_utf8_lossy(&snapshots[0].raw).contains("in words"));
    // one whose snapshot says something else than the events shows whether it was used
    let mut forged = json(&snapshots[0].raw);
    forged["version"] = 1_000_000.into();
    forged["sequence"] = world.bus.last_sequence(streams::EVENTS).await.expect("an answer").into();
    let client = raw(&server.url).await;
    client.publish(snapshots[0].subject.clone(), forged.to_string().into()).await.expect("published");
    client.flush().await.expect("flushed");
    let other = Service::new("profile").decides::<Counter<2>>("profile");
    let stop = world.stop.child_token();
    let service = tokio::spawn(nats::run_service(world.another().await, other, stop.clone()));
    assert_eq!(told(&world.bus, &command(subject, nothing())).await.version, 451);
    stop.cancel();
    service.await.expect("no panic").expect("stopped");
    world.run(counter()).await;
    assert_eq!(told(&world.bus, &command(subject, nothing())).await.version, 1_000_000);
}

/// Events of one aggregate that lie far apart are expensive to find: a snapshot spares looking for those before it.
#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_that_was_quiet_while_the_log_grew_gets_a_snapshot() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let subject = Uuid::now_v7();
    told(&world.bus, &command(subject, begin("ada"))).await;
    told(&world.bus, &command(subject, count())).await;
    let client = raw(&server.url).await;
    for lot in 1..=101 {
        for _ in 0..1_000 {
            client.publish(format!("evt.other.other.{subject}"), "{}".into()).await.expect("published");
        }
        // the server drops what it cannot take in
        let grown = async || world.bus.last_sequence(streams::EVENTS).await.is_ok_and(|last| last >= lot * 1_000);
        eventually("the log to grow", grown).await;
    }
    assert!(world.all(streams::SNAPSHOTS).await.is_empty());
    let told = told(&world.bus, &command(subject, count())).await;
    assert_eq!(told.version, 3);
    eventually("the snapshot", async || !world.all(streams::SNAPSHOTS).await.is_empty()).await;
    assert_eq!(json(&world.all(streams::SNAPSHOTS).await[0].raw)["version"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn group_commit_takes_everything_once() {
    let server = embedded::Nats::scratch_with("max_payload: 8MB\njetstream { sync_interval: always }\n");
    let world = World::new(&server.url, Sync::Always, 1).await;
    world.run(counter()).await;
    world.run(counter()).await;
    let subjects: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    let commands: Vec<_> = (0..300)
        .map(|n| command(subjects[n % 20], if n % 3 == 0 { rename(&format!("n{}", n % 5)) } else { count() }))
        .collect();
    let outcomes = futures::future::join_all(commands.iter().map(|one| told(&world.bus, one))).await;
    world.settled().await;
    for subject in subjects {
        let versions: Vec<u64> = world
            .events_of(subject)
            .await
            .iter()
            .map(|event| event["sequence"].as_str().expect("text").parse().expect("a number"))
            .collect();
        assert_eq!(versions, (1..=versions.len() as u64).collect::<Vec<_>>());
    }
    let ids: HashSet<_> = world.outcomes().await.into_iter().map(|outcome| outcome.id).collect();
    assert_eq!(ids.len(), commands.len());
    assert!(outcomes.iter().any(|outcome| outcome.status == Status::Rejected));
    let _ = profile::Visibility::Public;
}
