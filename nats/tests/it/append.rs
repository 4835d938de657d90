//! Races and lost acknowledgements on one node and on three; see `cluster` for the latter.

use crate::kit::*;
use nats::{Status, Sync, streams};
use std::collections::HashMap;
use uuid::Uuid;

/// Many processes, one aggregate: nothing is lost and nothing is there twice.
pub async fn races_on_one_subject(world: &World) {
    for _ in 0..3 {
        world.run(counter()).await;
    }
    let subject = Uuid::now_v7();
    let commands: Vec<_> = (0..60).map(|_| command(subject, count())).collect();
    let outcomes = futures::future::join_all(commands.iter().map(|one| told(&world.bus, one))).await;
    assert!(outcomes.iter().all(|outcome| outcome.status == Status::Accepted), "{outcomes:?}");
    let mut versions: Vec<_> = outcomes.iter().map(|outcome| outcome.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=60).collect::<Vec<_>>());
    assert_eq!(world.events_of(subject).await.len(), 60);
}

/// Many want one name: one gets it, and it can be had again after it was given back.
pub async fn races_on_one_name(world: &World) {
    for _ in 0..2 {
        world.run(counter()).await;
    }
    let subjects: Vec<Uuid> = (0..30).map(|_| Uuid::now_v7()).collect();
    let commands: Vec<_> = subjects.iter().map(|subject| command(*subject, begin("ada"))).collect();
    let outcomes = futures::future::join_all(commands.iter().map(|one| told(&world.bus, one))).await;
    let winners: Vec<_> = outcomes.iter().filter(|outcome| outcome.status == Status::Accepted).collect();
    assert_eq!(winners.len(), 1);
    let losers = outcomes.iter().filter_map(|outcome| outcome.refusal.as_ref());
    assert!(losers.clone().all(|refusal| refusal.code == "name_taken" && refusal.kind == kernel::Kind::Conflict));
    assert_eq!(losers.count(), 29);
    let (winner, loser) =
        (winners[0].subject, outcomes.iter().find(|outcome| outcome.refusal.is_some()).expect("a loser").subject);
    let renamed = told(&world.bus, &command(winner, rename("grace"))).await;
    assert_eq!((renamed.status, renamed.version), (Status::Accepted, 3));
    assert_eq!(told(&world.bus, &command(loser, begin("ada"))).await.status, Status::Accepted);
    assert_eq!(told(&world.bus, &command(winner, rename("ada"))).await.status, Status::Rejected);
    assert_eq!(told(&world.bus, &command(winner, rename("grace"))).await.status, Status::Accepted);
    let claims: HashMap<String, usize> =
        world.all(streams::EVENTS).await.into_iter().filter(|event| event.subject.contains(".claim.")).fold(
            HashMap::new(),
            |mut claims, event| {
                *claims.entry(event.subject).or_default() += 1;
                claims
            },
        );
    let mut written: Vec<_> = claims.into_values().collect();
    written.sort_unstable();
    assert_eq!(written, [1, 3]);
}

/// What was stored although nobody heard of it is stored once when it is tried again.
pub async fn lost_acknowledgements(world: &World) {
    let subject = Uuid::now_v7();
    let twice = with_id(Uuid::new_v5(&Uuid::nil(), b"lost ack"), subject, begin("ada"));
    // the same command decided by two who do not know of each other, as after a lost acknowledgement
    let client = raw(&world.url).await;
    world.run(counter()).await;
    told(&world.bus, &twice).await;
    world.settled().await;
    let asked = &world.all(streams::ASKED).await[0];
    async_nats::jetstream::new(client.clone())
        .get_stream(streams::OUTCOMES)
        .await
        .expect("a stream")
        .purge()
        .await
        .expect("purged");
    world.run(counter()).await;
    world.run(counter()).await;
    for _ in 0..6 {
        client.publish(asked.subject.clone(), asked.raw.clone()).await.expect("published");
    }
    client.flush().await.expect("flushed");
    world.settled().await;
    eventually("an outcome", async || world.bus.outcome(twice.id).await.ok().flatten().is_some()).await;
    let outcome = world.bus.outcome(twice.id).await.expect("an answer").expect("an outcome");
    assert_eq!((outcome.status, outcome.version), (Status::Accepted, 1));
    assert_eq!(world.events_of(subject).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_winner_per_version_on_one_node() {
    let server = embedded::Nats::scratch();
    races_on_one_subject(&World::new(&server.url, Sync::Interval, 1).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_holder_per_name_on_one_node() {
    let server = embedded::Nats::scratch();
    races_on_one_name(&World::new(&server.url, Sync::Interval, 1).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_holder_per_name_in_group_commits() {
    let server = embedded::Nats::scratch();
    races_on_one_name(&World::new(&server.url, Sync::Always, 1).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_acknowledgement_on_one_node() {
    let server = embedded::Nats::scratch();
    lost_acknowledgements(&World::new(&server.url, Sync::Interval, 1).await).await;
}
