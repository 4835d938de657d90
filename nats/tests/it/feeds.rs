//! Ordered reading: everything once, in order, whatever happens, and soon.

use crate::kit::*;
use nats::{Start, Sync, streams};
use std::time::{Duration, Instant};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn pages_have_no_gap_and_nothing_twice_across_a_restart() {
    across_a_restart("gateway", 2_500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_in_bulk_has_no_gap_and_nothing_twice_across_a_restart() {
    across_a_restart("projector", 20_000).await;
}

async fn across_a_restart(role: &str, many: u64) {
    let mut server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    let reader = connected(&server.url, role, Sync::Interval, &world.keys).await;
    let client = raw(&server.url).await;
    let context = async_nats::jetstream::new(client);
    let publish = async |from: u64, to: u64| {
        for some in (from..to).collect::<Vec<_>>().chunks(1000) {
            let sent = some.iter().map(|n| context.publish(format!("evt.t.t.{}", n % 50), n.to_string().into()));
            for sent in futures::future::join_all(sent).await {
                sent.expect("sent").await.expect("stored");
            }
        }
    };
    publish(0, many).await;
    let mut feed = reader.feed(streams::EVENTS, vec![], Start::Sequence(0));
    let mut got: Vec<u64> = vec![];
    let read = |messages: &[nats::Delivered]| -> Vec<u64> {
        messages
            .iter()
            .map(|message| std::str::from_utf8(&message.raw).expect("text").parse().expect("a number"))
            .collect()
    };
    while got.len() < many as usize / 2 {
        let some = feed.next(333, Duration::from_secs(5)).await.expect("read");
        assert!(some.iter().zip(got.len() as u64 + 1..).all(|(message, sequence)| message.sequence == sequence));
        got.extend(read(&some));
    }
    // whatever is under way breaks off
    server.kill();
    feed.next(10, Duration::from_millis(100)).await.map(|some| got.extend(read(&some))).ok();
    server.restart().expect("it starts again");
    eventually("the log", async || world.bus.last_sequence(streams::EVENTS).await.is_ok()).await;
    publish(many, many + 100).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while got.len() < many as usize + 100 && Instant::now() < deadline {
        got.extend(read(&feed.next(1000, Duration::from_millis(200)).await.unwrap_or_default()));
    }
    got.sort_unstable();
    assert_eq!(got, (0..many + 100).collect::<Vec<_>>());
    let mut some = world.bus.feed(streams::EVENTS, vec!["evt.t.*.7".into()], Start::Sequence(many + 50));
    let filtered = some.next(1000, Duration::from_secs(1)).await.expect("read");
    assert_eq!((filtered.len(), some.position()), (1, many + 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_is_read_within_milliseconds() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    told(&world.bus, &command(Uuid::now_v7(), count())).await;
    let last = world.bus.last_sequence(streams::EVENTS).await.expect("an answer");
    let mut feed = world.bus.feed(streams::EVENTS, vec![], Start::Sequence(last));
    assert!(feed.next(1, Duration::from_millis(50)).await.expect("read").is_empty());
    let mut times = vec![];
    for _ in 0..20 {
        let asked = command(Uuid::now_v7(), count());
        let (outcome, read) = tokio::join!(told(&world.bus, &asked), async {
            let read = feed.next(1, Duration::from_secs(5)).await.expect("read");
            (read, Instant::now())
        });
        assert_eq!(read.0[0].sequence, outcome.position);
        times.push((Instant::now() - read.1).max(Duration::ZERO));
    }
    // without hints it would be a quarter of a second
    times.sort_unstable();
    assert!(times[10] < Duration::from_millis(100), "{times:?}");
}
