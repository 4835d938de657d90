//! Ordered reading: everything once, in order, whatever happens, and soon.

use crate::kit::*;
use nats::{Start, Sync, streams};
use std::time::{Duration, Instant};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_has_no_gap_and_nothing_twice_across_a_restart() {
    let mut server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    let client = raw(&server.url).await;
    let context = async_nats::jetstream::new(client);
    let publish = async |from: u64, to: u64| {
        let sent = (from..to).map(|n| context.publish(format!("evt.t.t.{}", n % 50), n.to_string().into()));
        for sent in futures::future::join_all(sent).await {
            sent.expect("sent").await.expect("stored");
        }
    };
    publish(0, 2500).await;
    let mut feed = world.bus.feed(streams::EVENTS, vec![], Start::Sequence(0));
    let mut got: Vec<u64> = vec![];
    while got.len() < 2500 {
        for message in feed.next(333, Duration::from_secs(5)).await.expect("read") {
            assert_eq!(message.sequence, got.len() as u64 + 1);
            got.push(std::str::from_utf8(&message.raw).expect("text").parse().expect("a number"));
        }
    }
    server.kill();
    assert!(feed.next(10, Duration::from_millis(100)).await.map_or(true, |none| none.is_empty()));
    server.restart().expect("it starts again");
    eventually("the log", async || world.bus.last_sequence(streams::EVENTS).await.is_ok()).await;
    publish(2500, 2600).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while got.len() < 2600 && Instant::now() < deadline {
        let some = feed.next(1000, Duration::from_millis(200)).await.unwrap_or_default();
        got.extend(
            some.iter()
                .map(|message| std::str::from_utf8(&message.raw).expect("text").parse::<u64>().expect("a number")),
        );
    }
    got.sort_unstable();
    assert_eq!(got, (0..2600).collect::<Vec<_>>());
    let mut some = world.bus.feed(streams::EVENTS, vec!["evt.t.*.7".into()], Start::Sequence(2550));
    let filtered = some.next(1000, Duration::from_secs(1)).await.expect("read");
    assert_eq!((filtered.len(), some.position()), (1, 2600));
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
