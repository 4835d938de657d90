//! The page of jobs: where each task stands, what went wrong, and that nothing stays of who is gone.

use events::identity::user;
use events::media::{Film, Rate};
use events::processing::{Class, Event, Failure, Kind, Order, Output, Task, Work, job};
use events::{Personal, video};
use projections::job_page::{self, Search};
use projections::{Stream, rebuild};
use serde_json::json;
use uuid::Uuid;

use crate::world::{Story, World, person, time};

const VIDEO: Uuid = Uuid::from_u128(50);
const FILE: Uuid = Uuid::from_u128(51);

fn order(version: u32) -> Order {
    Order { kind: Kind::Video, of: VIDEO, version, owner: person(1), file: FILE, size: 9 }
}

fn queued(name: &str) -> Event {
    let (of, version, owner, file) = (VIDEO, 1, person(1), FILE);
    let (job, class, work) = (job(VIDEO, 1, Kind::Video), Class::Required, Work::Probe {});
    Event::TaskQueued(Task { job, run: 1, name: name.into(), class, of, version, owner, file, work })
}

fn started(attempt: u32) -> Event {
    Event::TaskStarted { task: "probe".into(), lease: Uuid::from_u128(60), attempt }
}

fn failure() -> Failure {
    let tail = Some(Personal::about(person(1), "moov atom not found\0 in canary".to_owned()));
    Failure { code: "source_broken".into(), message: "it is broken".into(), retryable: true, tail }
}

fn failed(again: bool) -> Event {
    Event::TaskFailed { task: "probe".into(), lease: Uuid::from_u128(60), failure: failure(), again }
}

/// The story as the log has it, and the page built from it.
async fn told(story: &Story) -> World {
    let world = World::bare().await;
    world.held.add(Stream::Events, story.messages.clone());
    rebuild(&world.pool, world.log(), &["job_page"]).await.expect("building from nothing");
    world
}

fn jobs(story: &mut Story, version: u32, events: impl IntoIterator<Item = Event>) {
    for event in events {
        story.event("processing.job", job(VIDEO, version, Kind::Video), event.into());
    }
}

async fn all(world: &World, search: Search) -> Vec<job_page::Row> {
    job_page::search(&world.reads, &Search { limit: 10, ..search }).await.expect("the query")
}

#[tokio::test]
async fn a_job_is_shown_task_by_task() {
    let mut story = Story::default();
    jobs(
        &mut story,
        1,
        [Event::Started(order(1)), queued("probe"), started(1), failed(true), queued("probe"), started(2)],
    );
    let world = told(&story).await;
    let rows = all(&world, Search::default()).await;
    let [row] = &rows[..] else { panic!("one job") };
    assert_eq!((row.state.as_str(), row.run, row.about, row.owner), ("working", 1, VIDEO, person(1)));
    let [task] = &row.tasks[..] else { panic!("one task") };
    assert_eq!(
        (task.name.as_str(), task.class.as_str(), task.state.as_str(), task.attempts),
        ("probe", "required", "running", 2)
    );
    let error = task.error.as_ref().expect("the first attempt failed");
    assert_eq!(error.tail.as_deref(), Some("moov atom not found\u{fffd} in canary"));
    assert_eq!((row.created_at, row.updated_at), (time(1), time(6)));
    assert_eq!(job_page::tasks(&world.reads).await.expect("the query"), [("required".into(), "running".into(), 1)]);
    assert_eq!(job_page::states(&world.reads).await.expect("the query"), [("working".into(), 1)]);
}

#[tokio::test]
async fn what_failed_is_tried_again() {
    let film = Film {
        duration_ms: 1,
        width: 2,
        height: 2,
        rate: Rate { frames: 1, seconds: 1 },
        uneven: false,
        sound: false,
        codec: "h264".into(),
    };
    let (of, version) = (VIDEO, 1);
    let done = Event::TaskCompleted { of, version, task: "thumbnail".into(), output: Output::Film { film } };
    let over = Event::Failed { of, version, failure: failure() };
    let mut story = Story::default();
    jobs(
        &mut story,
        1,
        [Event::Started(order(1)), queued("thumbnail"), done, queued("probe"), started(5), failed(false), over],
    );
    let world = told(&story).await;
    let row = &all(&world, Search { state: Some("failed".into()), ..Search::default() }).await[0];
    assert_eq!(row.failure, Some(json!({ "code": "source_broken", "message": "it is broken" })));
    assert_eq!(job_page::tasks(&world.reads).await.expect("the query"), []);
    jobs(&mut story, 1, [Event::Retried { of, version, run: 2, from_nothing: false }, queued("probe")]);
    let world = told(&story).await;
    let row = &all(&world, Search::default()).await[0];
    let tasks: Vec<_> = row.tasks.iter().map(|task| (task.name.as_str(), task.state.as_str(), task.attempts)).collect();
    assert_eq!(tasks, [("thumbnail", "done", 0), ("probe", "queued", 0)]);
    assert_eq!((row.state.as_str(), row.run, &row.failure), ("working", 2, &None));
}

#[tokio::test]
async fn jobs_go_with_their_video_and_with_their_owner() {
    let mut story = Story::default();
    jobs(&mut story, 1, [Event::Started(order(1)), queued("probe"), started(1), failed(true)]);
    jobs(&mut story, 2, [Event::Started(order(2))]);
    let other = Order { of: Uuid::from_u128(70), ..order(1) };
    story.event("processing.job", job(other.of, 1, Kind::Video), Event::Started(other.clone()).into());
    let mut erased = story.clone();
    let deleted = video::Event::Deleted { owner: person(1), version: 2, file: Some(FILE) };
    story.event("video.video", VIDEO, deleted.into());
    // what is said of a job whose video is gone makes no row
    jobs(&mut story, 2, [Event::Cancelled { of: VIDEO, version: 2, run: 1, for_good: true }]);
    let left: Vec<Uuid> = all(&told(&story).await, Search::default()).await.iter().map(|row| row.about).collect();
    assert_eq!(left, [other.of]);
    erased.user(person(1), user::Event::Erased {});
    let world = told(&erased).await;
    assert_eq!(all(&world, Search::default()).await.len(), 0);
    let owners: i64 =
        sqlx::query_scalar("select count(*) from read.job_owner").fetch_one(&world.pool).await.expect("rows");
    assert_eq!(owners, 0);
}
