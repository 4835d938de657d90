//! A timer fires once, and one that was taken back never does.

use crate::kit::*;
use chrono::{TimeDelta, Utc};
use nats::Sync;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_once_and_a_cancelled_one_never() {
    let server = embedded::Nats::scratch();
    let world = World::new(&server.url, Sync::Interval, 1).await;
    world.run(counter()).await;
    let (fires, cancelled) = (Uuid::now_v7(), Uuid::now_v7());
    let soon = Utc::now() + TimeDelta::milliseconds(700);
    let (first, second) = (command(fires, count()), command(cancelled, count()));
    world.bus.schedule(&first, soon).await.expect("set");
    world.bus.schedule(&first, soon).await.expect("set before");
    world.bus.schedule(&second, soon).await.expect("set");
    world.bus.cancel("profile", second.id).await.expect("cancelled");
    eventually("the timer", async || world.bus.outcome(first.id).await.ok().flatten().is_some()).await;
    assert!(Utc::now() >= soon);
    // one that is due already fires at once, and after it the cancelled one would have fired too
    let third = command(fires, count());
    world.bus.schedule(&third, Utc::now() - TimeDelta::seconds(1)).await.expect("set");
    eventually("the timer", async || world.bus.outcome(third.id).await.ok().flatten().is_some()).await;
    world.settled().await;
    assert_eq!(world.events_of(fires).await.len(), 2);
    assert_eq!(world.events_of(cancelled).await.len(), 0);
}
