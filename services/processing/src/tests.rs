//! The specification of processing.

use chrono::DateTime;
use events::media::{Film, Picture, Rate, Rendition};
use events::processing::{Class, Command, Event, Failure, Kind, Order, Output, Task, Work, job};
use events::{AuthType, Message, Source, Spec, video};
use kernel::testing::{SUBJECT, given};
use kernel::{Caller, Decider, ask};
use uuid::Uuid;

use crate::job::{ATTEMPTS, Job, Rejection};
use crate::ladder::ladder;
use crate::reactions::{cancel_job_when_unneeded, start_job_when_source_attached};

const OWNER: Uuid = Uuid::from_u128(7);
const OF: Uuid = Uuid::from_u128(8);
const FILE: Uuid = Uuid::from_u128(9);
const LEASE: Uuid = Uuid::from_u128(20);

fn film(width: u32, height: u32) -> Film {
    let rate = Rate { frames: 30, seconds: 1 };
    Film { duration_ms: 6000, width, height, rate, uneven: false, sound: true, codec: "h264".into() }
}

fn order() -> Order {
    Order { kind: Kind::Video, of: OF, version: 1, owner: OWNER, file: FILE, size: 9 }
}

fn queued(name: &str, class: Class, run: u32, work: Work) -> Event {
    let (of, version, owner, file) = (OF, 1, OWNER, FILE);
    Event::TaskQueued(Task { job: SUBJECT, run, name: name.into(), class, of, version, owner, file, work })
}

fn probe(run: u32) -> Event {
    queued("probe", Class::Required, run, Work::Probe {})
}

fn started(task: &str, lease: Uuid, attempt: u32) -> Event {
    Event::TaskStarted { task: task.into(), lease, attempt }
}

fn completed(task: &str, output: Output) -> Event {
    Event::TaskCompleted { of: OF, version: 1, task: task.into(), output }
}

fn complete(task: &str, output: Output) -> Command {
    Command::CompleteTask { task: task.into(), lease: LEASE, output }
}

fn probed() -> Output {
    Output::Film { film: film(640, 360) }
}

fn renditions() -> Output {
    let rendition = Rendition {
        name: "360p".into(),
        folder: "1.1/rung/360p".into(),
        width: 640,
        height: 360,
        rate: Rate { frames: 30, seconds: 1 },
        codecs: "avc1.64001e".into(),
        peak_bits: 2,
        average_bits: 1,
        duration_ms: 6000,
        bytes: 5,
    };
    Output::Renditions { renditions: vec![rendition] }
}

fn thumbnail() -> Output {
    Output::Thumbnail { picture: Picture { file: "t.jpg".into(), width: 2, height: 2 } }
}

fn rung(run: u32) -> Event {
    let film = film(640, 360);
    let rungs = ladder(&film);
    queued("rung-360p", Class::Required, run, Work::Rungs { film, rungs })
}

fn picture(run: u32) -> Event {
    queued("thumbnail", Class::Required, run, Work::Thumbnail { film: film(640, 360) })
}

fn storyboard(run: u32) -> Event {
    queued(
        "storyboard",
        Class::Optional,
        run,
        Work::Storyboard { film: film(640, 360), of: Some("1.1/rung/360p".into()) },
    )
}

fn failure(retryable: bool) -> Failure {
    Failure { code: "source_broken".into(), message: "it is broken".into(), retryable, tail: None }
}

/// A job of which the lowest rung is being made.
fn making() -> Vec<Event> {
    vec![
        Event::Started(order()),
        probe(1),
        started("probe", LEASE, 1),
        completed("probe", probed()),
        rung(1),
        picture(1),
        started("rung-360p", LEASE, 1),
    ]
}

fn when(events: impl IntoIterator<Item = Event>, command: Command) -> kernel::testing::Then<Job> {
    given::<Job>(events).by(Caller::System).when(command)
}

#[test]
fn it_begins_with_finding_out_what_the_source_is() {
    when([], Command::Start(order())).then([Event::Started(order()), probe(1)]);
    when([Event::Started(order()), probe(1)], Command::Start(order())).then([]);
    given::<Job>([]).when(Command::Start(order())).rejected(Rejection::NotReprise);
}

#[test]
fn what_makes_it_playable_comes_first() {
    let begun = [Event::Started(order()), probe(1), started("probe", LEASE, 1)];
    when(begun, complete("probe", probed())).then([completed("probe", probed()), rung(1), picture(1)]);
    when(making(), complete("rung-360p", renditions())).then([completed("rung-360p", renditions()), storyboard(1)]);
}

#[test]
fn the_larger_sizes_are_made_together() {
    let (large, output) = (film(1920, 1080), Output::Film { film: film(1920, 1080) });
    let (first, others) = (ladder(&large)[..1].to_vec(), ladder(&large)[1..].to_vec());
    assert_eq!(others.iter().map(|rung| rung.name.as_str()).collect::<Vec<_>>(), ["480p", "720p", "1080p"]);
    let rungs = |name, class, rungs| queued(name, class, 1, Work::Rungs { film: large.clone(), rungs });
    let begun = [
        Event::Started(order()),
        completed("probe", output),
        rungs("rung-360p", Class::Required, first),
        started("rung-360p", LEASE, 1),
        completed("thumbnail", thumbnail()),
    ];
    let board = queued(
        "storyboard",
        Class::Optional,
        1,
        Work::Storyboard { film: large.clone(), of: Some("1.1/rung/360p".into()) },
    );
    let then = [completed("rung-360p", renditions()), rungs("rungs", Class::Normal, others), board];
    when(begun, complete("rung-360p", renditions())).then(then);
}

#[test]
fn it_is_done_when_nothing_is_left() {
    let last = [
        completed("rung-360p", renditions()),
        storyboard(1),
        completed("thumbnail", thumbnail()),
        started("storyboard", LEASE, 1),
    ];
    let board = Output::Storyboard {
        storyboard: events::media::Storyboard {
            index: "s.vtt".into(),
            picture: Picture { file: "s.jpg".into(), width: 2, height: 2 },
            every_ms: 1000,
        },
    };
    let done = |made| Event::Completed { of: OF, version: 1, made };
    let all = making().into_iter().chain(last.clone());
    let made = vec![probed(), renditions(), board.clone(), thumbnail()];
    when(all, complete("storyboard", board.clone())).then([completed("storyboard", board), done(made)]);
    // a picture that cannot be taken is no reason to give up a film
    let all = making().into_iter().chain(last);
    let fail = Command::FailTask { task: "storyboard".into(), lease: LEASE, failure: failure(false) };
    let failed = Event::TaskFailed { task: "storyboard".into(), lease: LEASE, failure: failure(false), again: false };
    when(all, fail).then([failed, done(vec![probed(), renditions(), thumbnail()])]);
}

#[test]
fn only_the_last_attempt_counts() {
    let other = Uuid::from_u128(21);
    let start = |lease| Command::StartTask { task: "rung-360p".into(), run: 1, lease };
    when(making(), start(LEASE)).then([]);
    when(making(), start(other)).then([started("rung-360p", other, 2)]);
    let superseded = making().into_iter().chain([started("rung-360p", other, 2)]);
    when(superseded, complete("rung-360p", renditions())).rejected(Rejection::Superseded);
    let done = making().into_iter().chain([completed("rung-360p", renditions())]);
    when(done, start(other)).rejected(Rejection::Superseded);
}

#[test]
fn a_fault_of_the_machine_is_tried_again_and_a_broken_source_is_not() {
    let fail = |retryable| Command::FailTask { task: "rung-360p".into(), lease: LEASE, failure: failure(retryable) };
    let failed = |retryable, again| Event::TaskFailed {
        task: "rung-360p".into(),
        lease: LEASE,
        failure: failure(retryable),
        again,
    };
    let over = |retryable| Event::Failed { of: OF, version: 1, failure: failure(retryable) };
    when(making(), fail(true)).then([failed(true, true), rung(1)]);
    when(making(), fail(false)).then([failed(false, false), over(false)]);
    let tired = making().into_iter().chain([started("rung-360p", LEASE, ATTEMPTS)]);
    when(tired, fail(true)).then([failed(true, false), over(true)]);
}

#[test]
fn a_task_that_kills_its_workers_ends() {
    let tired = making().into_iter().chain([started("rung-360p", LEASE, ATTEMPTS)]);
    let start = Command::StartTask { task: "rung-360p".into(), run: 1, lease: Uuid::from_u128(30) };
    let mut job = Job::default();
    tired.for_each(|event| Decider::evolve(&mut job, &event));
    let meta = kernel::Meta {
        subject: SUBJECT,
        id: Uuid::from_u128(2),
        time: DateTime::from_timestamp(1_800_000_000, 0).expect("a time in range"),
        caller: Caller::System,
        taken: vec![],
    };
    let events = job.decide(start, &meta).expect("it is given up, not refused");
    assert!(matches!(events[..], [Event::TaskFailed { again: false, .. }, Event::Failed { .. }]), "{events:?}");
}

#[test]
fn cancelling_wins_over_late_results() {
    let cancelled = |for_good| Event::Cancelled { of: OF, version: 1, run: 1, for_good };
    let owner = || Caller::Person { id: OWNER, roles: vec![] };
    given::<Job>(making()).by(owner()).when(Command::Cancel {}).then([cancelled(false)]);
    given::<Job>(making()).when(Command::Cancel {}).rejected(Rejection::NotYours);
    let over = |for_good| making().into_iter().chain([cancelled(for_good)]);
    when(over(false), complete("rung-360p", renditions())).rejected(Rejection::Cancelled);
    given::<Job>(over(false)).by(owner()).when(Command::Cancel {}).then([]);
    // whoever wants it again comes too late when its source is gone
    when(over(false), Command::Cancel {}).then([cancelled(true)]);
    when(over(true), Command::Cancel {}).then([]);
    given::<Job>(over(true)).by(owner()).when(Command::Retry {}).rejected(Rejection::Over);
    when([], Command::Cancel {}).then([]);
    let completed = || making().into_iter().chain([Event::Completed { of: OF, version: 1, made: vec![] }]);
    given::<Job>(completed()).by(owner()).when(Command::Cancel {}).rejected(Rejection::Over);
    // its source was thrown away or replaced while the last task ended: what it made has to go too
    when(completed(), Command::Cancel {}).then([cancelled(true)]);
}

#[test]
fn it_begins_anew_after_a_cancellation_and_goes_on_after_a_failure() {
    let retried = |from_nothing| Event::Retried { of: OF, version: 1, run: 2, from_nothing };
    let cancelled = making().into_iter().chain([Event::Cancelled { of: OF, version: 1, run: 1, for_good: false }]);
    when(cancelled, Command::Retry {}).then([retried(true), probe(2)]);
    let failed = making().into_iter().chain([
        Event::TaskFailed { task: "rung-360p".into(), lease: LEASE, failure: failure(false), again: false },
        Event::Failed { of: OF, version: 1, failure: failure(false) },
    ]);
    when(failed, Command::Retry {}).then([retried(false), rung(2), picture(2)]);
    when(making(), Command::Retry {}).rejected(Rejection::NothingToRetry);
}

fn message(body: impl Into<events::Event>) -> Message<events::Event> {
    Message {
        specversion: Spec::V1,
        id: Uuid::from_u128(70),
        source: Source::new("/test"),
        subject: OF,
        time: DateTime::from_timestamp(1_800_000_000, 0).expect("a time in range"),
        correlationid: Uuid::from_u128(71),
        causationid: None,
        authtype: AuthType::System,
        authid: None,
        authclaims: None,
        sequence: None,
        traceparent: None,
        replyto: None,
        ifmatch: None,
        fingerprint: None,
        body: body.into(),
    }
}

#[test]
fn a_source_is_worked_on_and_the_one_before_no_more() {
    let attached =
        |version| video::Event::SourceAttached { owner: OWNER, file: FILE, size: 9, version, replaces: None };
    let start = ask(job(OF, 1, Kind::Video), Command::Start(order()));
    assert_eq!(start_job_when_source_attached(&message(attached(1))), [start]);
    let second = ask(job(OF, 2, Kind::Video), Command::Start(Order { version: 2, ..order() }));
    let cancel = |version| ask(job(OF, version, Kind::Video), Command::Cancel {});
    assert_eq!(start_job_when_source_attached(&message(attached(2))), [cancel(1), second]);
    let deleted = |version| video::Event::Deleted { owner: OWNER, version, file: None };
    assert_eq!(cancel_job_when_unneeded(&message(deleted(1))), [cancel(1)]);
    assert_eq!(cancel_job_when_unneeded(&message(deleted(0))), []);
}
