//! What exists is kept, and never changed behind anybody's back.

use crate::kit::*;
use nats::Sync;
use nats::provision::{Plan, inspect, provision};

#[tokio::test(flavor = "multi_thread")]
async fn provisioning_twice_changes_nothing_and_another_plan_is_refused() {
    let server = embedded::Nats::scratch();
    let bus = bus(&server.url, Sync::Interval, &Keys::default()).await;
    let plan = Plan { replicas: 1, log_bytes: 1 << 30 };
    let first = provision(&bus, &plan).await.expect("made");
    assert!(
        first.kept.is_empty()
            && first.made.contains(&"EVENTS".to_owned())
            && first.made.contains(&"COMMANDS/profile".to_owned())
    );
    let second = provision(&bus, &plan).await.expect("as planned");
    assert_eq!((second.made.len(), second.kept.len()), (0, first.made.len()));
    let other =
        provision(&bus, &Plan { log_bytes: 1 << 29, ..plan.clone() }).await.expect_err("another plan").to_string();
    assert!(other.contains("EVENTS: max_bytes is 1073741824, the plan says 536870912"), "{other}");
    assert!(other.contains("nats stream edit EVENTS"), "{other}");
    let state = inspect(&bus, &plan).await.expect("an answer");
    assert!(state.differences.is_empty(), "{:?}", state.differences);
    assert_eq!((state.streams.len(), state.dead), (8, 0));
    assert!(state.clock_offset.num_seconds().abs() < 2 && state.server.starts_with("2."));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_named() {
    let server = embedded::Nats::scratch();
    let bus = bus(&server.url, Sync::Interval, &Keys::default()).await;
    let state = inspect(&bus, &Plan::default()).await.expect("an answer");
    assert!(state.differences.contains(&"EVENTS is missing; to make it: `reprise provision`".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_disk_gets_a_smaller_log() {
    let server = embedded::Nats::scratch_with("max_payload: 8MB\njetstream { max_file_store: 3GB }\n");
    let bus = bus(&server.url, Sync::Interval, &Keys::default()).await;
    let made = provision(&bus, &Plan::default()).await.expect("there is room for a smaller one");
    let seen = inspect(&bus, &Plan::default()).await.expect("it answers");
    assert_eq!(seen.differences, Vec::<String>::new(), "smaller than planned is as planned");
    let log = seen.streams.iter().find(|stream| stream.name == "EVENTS").expect("the log");
    assert_eq!(log.max_bytes, 1 << 30, "as much as there is room for");
    let again = provision(&bus, &Plan::default()).await.expect("nothing to do");
    assert_eq!((again.made.len(), again.kept.len()), (0, made.made.len()));
    let none = embedded::Nats::scratch_with("max_payload: 8MB\njetstream { max_file_store: 100MB }\n");
    let none_bus = self::bus(&none.url, Sync::Interval, &Keys::default()).await;
    let error = provision(&none_bus, &Plan::default()).await.expect_err("no room at all").to_string();
    assert!(error.contains("no room for a log"), "{error}");
}
