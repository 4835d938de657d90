//! Every stream and every durable consumer, as data. `provision` makes exactly these; nothing else in the platform
//! makes any.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{
    Compression, Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType,
};
use events::processing::Class;
use std::time::Duration;

/// What happened, for ever.
pub const EVENTS: &str = "EVENTS";
/// What was asked, for a month.
pub const COMMANDS: &str = "COMMANDS";
/// The same of those who wait for the outcome. An outcome is told when its events are durable, so the command need not
/// be: whoever is not told has it stored in [`COMMANDS`] too before hearing that it was taken.
pub const ASKED: &str = "ASKED";
/// What came of it, for a day; the `operations` projection remembers longer.
pub const OUTCOMES: &str = "OUTCOMES";
/// Commands with a due time. A stream of its own, because schedules switch off `deny_purge`.
pub const SCHEDULES: &str = "SCHEDULES";
/// What nobody could handle, with the reason.
pub const DEAD: &str = "DEAD";
/// What workers have to do; a task leaves it when it is done.
pub const TASKS: &str = "TASKS";
/// States of long aggregates: one message each, safe to lose.
pub const SNAPSHOTS: &str = "SNAPSHOTS";

/// A message that is not acknowledged for so long is delivered again.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(30);
/// After so many deliveries a message is given up. With the delays of [`delay`] that takes about a quarter of an hour.
pub(crate) const MAX_DELIVER: i64 = 40;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const GIB: u64 = 1 << 30;

/// How long a message that could not be handled rests, by how often it was delivered.
pub(crate) fn delay(delivered: i64) -> Duration {
    const STEPS: [u64; 8] = [50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000];
    let step = usize::try_from(delivered.max(1) - 1).unwrap_or(usize::MAX);
    Duration::from_millis(STEPS.get(step).copied().unwrap_or(30_000))
}

/// What a context does with messages: which consumers it has, and what its role may do.
pub(crate) struct Context {
    pub(crate) name: &'static str,
    /// It has aggregates: `cmd.<name>.>` is its to decide.
    pub(crate) decides: bool,
    /// The events that its reactions and workers get to see. A reaction to other events needs them here: everything a
    /// context listens to is delivered to it one by one, so it is not simply all.
    pub(crate) follows: &'static [&'static str],
    /// The contexts that it sends commands to.
    pub(crate) asks: &'static [&'static str],
}

/// Whose keys end: accounts and sessions, without the claims of names beside them, and what strangers wrote.
const PEOPLE: &[&str] = &["evt.identity.user.>", "evt.identity.session.>", "evt.notification.contact.>"];

/// What tells that a file is needed no more.
const FILES: &[&str] = &["evt.storage.shelf.>", "evt.video.video.>", "evt.processing.job.>", "evt.identity.user.>"];
/// What becomes of a video.
const MEDIA: &[&str] =
    &["evt.storage.shelf.>", "evt.processing.job.>", "evt.video.video.>", "evt.video.library.>", "evt.identity.user.>"];
/// What there is to work on.
const JOBS: &[&str] = &["evt.video.video.>", "evt.processing.job.>"];
/// What people hear of.
const READERS: &[&str] = &[
    "evt.identity.user.>",
    "evt.identity.session.>",
    "evt.video.video.>",
    "evt.notification.inbox.>",
    "evt.notification.contact.>",
];

/// Every context.
pub(crate) const CONTEXTS: [Context; 7] = [
    Context { name: "identity", decides: true, follows: &[], asks: &[] },
    Context { name: "profile", decides: true, follows: &["evt.identity.user.>"], asks: &["profile"] },
    Context { name: "storage", decides: true, follows: FILES, asks: &["storage"] },
    Context { name: "video", decides: true, follows: MEDIA, asks: &["video"] },
    Context { name: "processing", decides: true, follows: JOBS, asks: &["processing"] },
    Context { name: "notification", decides: true, follows: READERS, asks: &["notification"] },
    Context { name: "vault", decides: false, follows: PEOPLE, asks: &["identity"] },
];

/// For so long `EVENTS` knows the ids of its messages. A server that starts reads what it has to know them again, so a
/// longer time is a longer start after much work; it covers a command that is decided twice (`decide.rs`).
pub(crate) const REMEMBERED: Duration = Duration::from_secs(45);
/// The same for `ASKED`: two who send one command at once. Whoever comes later finds its outcome.
const RACING: Duration = Duration::from_secs(15);

/// How big and how safe.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Copies of every message: 1, or 3 on a cluster.
    pub replicas: usize,
    /// A fuse: `EVENTS` takes no more than so many bytes, instead of filling the disk. Other streams get shares of it.
    pub log_bytes: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { replicas: 1, log_bytes: 16 * GIB }
    }
}

/// The streams of a plan.
pub(crate) fn streams(plan: &Plan) -> Vec<Config> {
    let fuse = |share: u64| i64::try_from(plan.log_bytes / share).unwrap_or(i64::MAX);
    let base = |name: &str, subjects: &[&str], max_bytes: i64| Config {
        name: name.to_owned(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: plan.replicas,
        discard: DiscardPolicy::New,
        max_bytes,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        duplicate_window: Duration::from_secs(120),
        allow_direct: true,
        compression: Some(Compression::S2),
        ..Config::default()
    };
    vec![
        Config {
            allow_atomic_publish: true,
            deny_delete: true,
            deny_purge: true,
            max_message_size: 1 << 19,
            description: Some("what happened, for ever".into()),
            duplicate_window: REMEMBERED,
            ..base(EVENTS, &["evt.>"], fuse(1))
        },
        Config {
            allow_atomic_publish: true,
            deny_delete: true,
            max_age: 30 * DAY,
            max_message_size: 1 << 19,
            description: Some("what was asked".into()),
            ..base(COMMANDS, &["cmd.>"], fuse(2))
        },
        Config {
            deny_delete: true,
            max_age: 30 * DAY,
            max_message_size: 1 << 19,
            // copies are in as many memories before they are on a disk; one server writes when it has time
            persist_mode: (plan.replicas == 1).then_some(PersistenceMode::Async),
            description: Some("what was asked by those who wait for the outcome".into()),
            duplicate_window: RACING,
            ..base(ASKED, &["ask.>"], fuse(2))
        },
        Config {
            allow_atomic_publish: true,
            max_age: DAY,
            max_messages: 1_000_000,
            discard: DiscardPolicy::Old,
            description: Some("what came of it".into()),
            ..base(OUTCOMES, &["out.>"], fuse(16))
        },
        Config {
            allow_message_schedules: true,
            allow_message_ttl: true,
            allow_rollup: true,
            discard: DiscardPolicy::Old,
            description: Some("commands with a due time".into()),
            ..base(SCHEDULES, &["sched.>", "due.>"], fuse(16))
        },
        Config {
            max_age: 90 * DAY,
            discard: DiscardPolicy::Old,
            description: Some("what nobody could handle, with the reason".into()),
            ..base(DEAD, &["dead.>", GIVEN_UP, TERMINATED], fuse(32))
        },
        Config {
            retention: RetentionPolicy::WorkQueue,
            description: Some("what workers have to do".into()),
            ..base(TASKS, &["task.>"], fuse(32))
        },
        Config {
            max_messages_per_subject: 1,
            discard: DiscardPolicy::Old,
            description: Some("states of long aggregates; safe to lose".into()),
            ..base(SNAPSHOTS, &["snap.>"], fuse(16))
        },
    ]
}

const GIVEN_UP: &str = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>";
const TERMINATED: &str = "$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>";

/// The durable consumers: stream, and configuration.
pub(crate) fn consumers() -> Vec<(&'static str, pull::Config)> {
    let mut all = vec![];
    for context in &CONTEXTS {
        if context.decides {
            all.push((COMMANDS, durable(context.name, vec![format!("cmd.{}.>", context.name)])));
            all.push((ASKED, durable(context.name, vec![format!("ask.{}.>", context.name)])));
            all.push((SCHEDULES, durable(context.name, vec![format!("due.{}.>", context.name)])));
        }
        if !context.follows.is_empty() {
            all.push((EVENTS, durable(context.name, context.follows.iter().map(|text| (*text).to_owned()).collect())));
        }
    }
    all.extend(Class::ALL.map(|class| {
        let task = durable(class.word(), vec![format!("task.{}", class.word())]);
        // a task is given up by the rules of its job, which count attempts
        (TASKS, pull::Config { max_deliver: -1, ..task })
    }));
    all
}

fn durable(name: &str, mut filters: Vec<String>) -> pull::Config {
    let one = if filters.len() == 1 { filters.remove(0) } else { String::new() };
    pull::Config {
        durable_name: Some(name.to_owned()),
        name: Some(name.to_owned()),
        filter_subject: one,
        filter_subjects: filters,
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: MAX_DELIVER,
        max_ack_pending: 4096,
        ..pull::Config::default()
    }
}
