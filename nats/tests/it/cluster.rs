//! Three nodes, three copies: the same answers, and an acknowledged command survives its leader.

use crate::append::{lost_acknowledgements, races_on_one_name, races_on_one_subject};
use crate::kit::*;
use nats::{Start, Status, Sync, streams};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_answer_as_one() {
    let cluster = embedded::Nats::cluster(3);
    let world = World::new(&cluster.url(), Sync::Interval, 3).await;
    lost_acknowledgements(&world).await;
    races_on_one_subject(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_have_one_holder_per_name() {
    let cluster = embedded::Nats::cluster(3);
    races_on_one_name(&World::new(&cluster.url(), Sync::Always, 3).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_leader_loses_nothing() {
    let mut cluster = embedded::Nats::cluster(3);
    let world = World::new(&cluster.url(), Sync::Interval, 3).await;
    for _ in 0..2 {
        world.run(counter()).await;
    }
    let subjects: Arc<Vec<Uuid>> = Arc::new((0..8).map(|_| Uuid::now_v7()).collect());
    let clients: Vec<_> =
        (0..8).map(|client| tokio::spawn(asks(world.bus.clone(), subjects.clone(), client))).collect();
    eventually("some load", async || world.bus.last_sequence(streams::EVENTS).await.is_ok_and(|last| last > 100)).await;
    let context = async_nats::jetstream::new(raw(&cluster.url()).await);
    let info = context.get_stream(streams::EVENTS).await.expect("a stream").cached_info().clone();
    let leader = info.cluster.and_then(|cluster| cluster.leader).expect("a leader");
    let leader: usize = leader.trim_start_matches('n').parse().expect("nodes are numbered");
    cluster.nodes[leader].kill();
    let mut feed = world.bus.feed(streams::EVENTS, vec![], Start::Sequence(0));
    let reading = tokio::spawn(async move {
        let mut read: Vec<u64> = vec![];
        while read.len() < 960 {
            let some = feed.next(100, Duration::from_millis(500)).await.unwrap_or_default();
            read.extend(some.iter().map(|event| event.sequence));
        }
        read
    });
    let mut taken: Vec<Uuid> = vec![];
    for client in clients {
        taken.extend(client.await.expect("no panic"));
    }
    cluster.nodes[leader].restart().expect("it starts again");
    world.settled().await;
    check(&world, &taken, &subjects).await;
    let read =
        tokio::time::timeout(Duration::from_secs(30), reading).await.expect("everything is read").expect("no panic");
    assert_eq!(read, (1..=read.len() as u64).collect::<Vec<_>>());
}

/// Sends until it has been taken a while; answers what was taken for certain.
async fn asks(bus: nats::Bus, subjects: Arc<Vec<Uuid>>, client: usize) -> Vec<Uuid> {
    let mut taken = vec![];
    for n in 0..120 {
        let asked = command(subjects[(n + client) % subjects.len()], count());
        while bus.ask(&asked, Duration::from_secs(5)).await.is_err() {}
        taken.push(asked.id);
    }
    taken
}

/// Every command that was taken has one outcome, and versions have no gap.
async fn check(world: &World, taken: &[Uuid], subjects: &[Uuid]) {
    let mut outcomes: HashMap<Uuid, Vec<nats::Outcome>> = HashMap::new();
    for outcome in world.outcomes().await {
        outcomes.entry(outcome.id).or_default().push(outcome);
    }
    for id in taken {
        let told = &outcomes[id];
        let same = |outcome: &nats::Outcome| (outcome.status, outcome.position) == (Status::Accepted, told[0].position);
        assert!(told.iter().all(same), "{told:?}");
    }
    let mut causes = HashSet::new();
    for subject in subjects {
        let events = world.events_of(*subject).await;
        for (n, event) in events.iter().enumerate() {
            assert_eq!(event["sequence"], format!("{:020}", n + 1), "{:#?}", &events[n.saturating_sub(2)..=n]);
            assert!(causes.insert(event["causationid"].to_string()), "one command, two events");
        }
    }
    assert_eq!(causes.len(), taken.len());
}
