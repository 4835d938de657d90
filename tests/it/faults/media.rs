//! Faults on the way of a film, from a file to the mail about it: whatever dies, every video is ready once, its owner hears
//! of it once, and nothing lies in the blob store that no row names.

use crate::support::filming::{Filming, asking, jobs_are_over};
use crate::support::films::clip;
use crate::support::outside::Listener;
use crate::support::process::descendants;
use crate::support::{Roles, eventually, patiently};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::JoinSet;

/// Where a process may die on the way of a film, and which process that is. Who dies comes back; tasks of a worker that
/// died go to the other one.
const STEPS: &[(&str, &str)] = &[
    ("gateway", "command.answered"),
    ("gateway", "upload.kept"),
    ("gateway", "upload.told"),
    ("service storage", "command.received"),
    ("service storage", "events.appended"),
    ("service storage", "event.handled"),
    ("service video", "event.received"),
    ("service video", "command.received"),
    ("service video", "events.appended:4"),
    ("service video", "event.handled:2"),
    ("service processing", "event.received"),
    ("service processing", "command.received:2"),
    ("service processing", "events.appended:3"),
    ("service processing", "event.handled:2"),
    ("worker", "task.taken"),
    ("worker", "task.required:2"),
    ("worker", "task.made:2"),
    ("worker", "task.told:2"),
    ("projector", "rows.written"),
    ("projector", "rows.committed"),
    ("service notification", "command.received"),
    ("service notification", "events.appended"),
    ("service notification", "event.received"),
    ("service notification", "event.handled:4"),
];

/// Who is killed while a worker is at work.
const KILLED: [&str; 7] =
    ["vault", "gateway", "projector", "service storage", "service video", "service processing", "service notification"];

/// A film as it is uploaded again and again: as short as films are.
fn film() -> Arc<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    Arc::new(std::fs::read(clip(folder.path(), "320x240", 1)).expect("the clip"))
}

#[tokio::test]
async fn whoever_dies_every_film_is_made_once() {
    let mut roles = Roles::filming().await;
    roles.spawn("worker", 0, None);
    roles.spawn("worker", 1, None);
    let filming = Filming::somebody(&roles).await;
    let mut films = Films { filming: filming.clone(), film: film(), uploads: JoinSet::new(), begun: 0 };
    if cfg!(feature = "crash-points") {
        any_step_may_be_the_last(&mut roles, &mut films).await;
    }
    anybody_may_be_killed(&mut roles, &mut films).await;
    servers_may_be_killed(&mut roles, &mut films).await;
    films.uploads.join_all().await;
    let videos = filming.all_ready(films.begun).await;
    roles.check().await;
    filming.heard_once_of(&mut roles, &videos).await;
    a_day_later(&mut roles);
    roles.bytes_are_known().await;
    nothing_is_left_of_what_is_deleted(&mut roles, &filming, &videos).await;
}

/// The films of a journey.
struct Films {
    filming: Filming,
    film: Arc<Vec<u8>>,
    uploads: JoinSet<()>,
    begun: usize,
}

impl Films {
    /// Begins the next one, which is uploaded beside whatever else happens.
    fn next(&mut self) {
        self.begun += 1;
        let title = format!("Film {:02}", self.begun);
        self.uploads.spawn(self.filming.clone().uploads(self.film.clone(), title));
    }
}

async fn any_step_may_be_the_last(roles: &mut Roles, films: &mut Films) {
    for (role, point) in STEPS {
        eprintln!("{role} dies at {point}");
        if *role == "worker" {
            // so that it is the one who takes the task
            roles.kill("worker", 1);
        }
        roles.kill(role, 0);
        roles.spawn(role, 0, Some(point));
        films.next();
        roles.died(role, 0).await;
        if *role == "worker" {
            roles.spawn("worker", 1, None);
        }
        roles.spawn(role, 0, None);
    }
}

async fn anybody_may_be_killed(roles: &mut Roles, films: &mut Films) {
    for role in KILLED {
        films.next();
        at_work(roles).await;
        eprintln!("kill -9 {role}");
        roles.kill(role, 0);
        roles.spawn(role, 0, None);
    }
    films.next();
    let worker = at_work(roles).await;
    eprintln!("kill -9 worker {worker}");
    roles.kill("worker", worker);
    roles.spawn("worker", worker, None);
}

async fn servers_may_be_killed(roles: &mut Roles, films: &mut Films) {
    films.next();
    at_work(roles).await;
    eprintln!("kill -9 Postgres");
    roles.postgres.kill();
    roles.postgres.restart().expect("Postgres starts again");
    films.next();
    at_work(roles).await;
    eprintln!("kill -9 nats-server");
    let super::Log::One(server) = &mut roles.log else { unreachable!("one server") };
    server.kill();
    server.restart().expect("nats-server starts again");
    films.next();
    at_work(roles).await;
    eprintln!("kill -9 everything");
    let all: Vec<_> = roles.running.keys().cloned().collect();
    let parts = |name: &str| name.rsplit_once('.').map(|(role, n)| (role.to_owned(), n.parse().expect("a number")));
    let all: Vec<(String, usize)> = all.iter().filter_map(|name| parts(name)).collect();
    all.iter().for_each(|(role, n)| roles.kill(role, *n));
    all.iter().for_each(|(role, n)| roles.spawn(role, *n, None));
}

/// Waits until a worker is in the middle of its work; which one.
async fn at_work(roles: &Roles) -> usize {
    let patience = Duration::from_secs(90);
    patiently("a worker is at work", patience, async || {
        let works =
            |n: &usize| roles.running.get(&format!("worker.{n}")).is_some_and(|one| !descendants(one.pid()).is_empty());
        [0, 1].into_iter().find(works)
    })
    .await
}

/// What the killed had half written cannot be told from what others are writing, until it is a day old: then it goes when
/// the next process begins.
fn a_day_later(roles: &mut Roles) {
    let then = SystemTime::now() - Duration::from_secs(25 * 60 * 60);
    for draft in std::fs::read_dir(roles.data().join("blobs/.drafts")).expect("a folder").flatten() {
        // who finishes one just now takes it away
        File::open(draft.path()).and_then(|draft| draft.set_modified(then)).ok();
    }
    roles.kill("service storage", 0);
    roles.spawn("service storage", 0, None);
}

/// Also when who clears away dies of it.
async fn nothing_is_left_of_what_is_deleted(roles: &mut Roles, filming: &Filming, videos: &[Value]) {
    if cfg!(feature = "crash-points") {
        roles.kill("service storage", 0);
        roles.spawn("service storage", 0, Some("event.received"));
    }
    let (gone, kept) = videos.split_at(videos.len() / 2);
    for video in gone {
        let answer = asking(filming, "delete", video["id"].as_str().expect("an id")).send().await.expect(200);
        assert_eq!(answer.body["status"], "deleted");
    }
    if cfg!(feature = "crash-points") {
        roles.died("service storage", 0).await;
        roles.spawn("service storage", 0, None);
    }
    roles.check().await;
    let left = filming.all_ready(kept.len()).await;
    assert_eq!(left.len(), kept.len());
    eventually("not a byte of them is left", async || {
        let files = roles.files();
        let of = |video: &Value| video["id"].as_str().expect("an id").to_owned();
        let found = |video| files.iter().any(|file| file.to_string_lossy().contains(&of(video)));
        (!gone.iter().any(found)).then_some(())
    })
    .await;
    roles.bytes_are_known().await;
    jobs_are_over(&roles.system().opened().await);
}

/// Every message is delivered again, while films are made and afterwards, and every task is queued again: nothing happens
/// twice.
#[tokio::test]
async fn every_film_is_made_once_however_often_it_is_asked_for() {
    let pushes = Listener::start().await;
    let mut roles = Roles::filming().await;
    roles.spawn("worker", 0, None);
    let filming = Filming::somebody(&roles).await;
    filming.subscribes(&pushes).await;
    let film = film();
    for n in 1..=2 {
        filming.clone().uploads(film.clone(), format!("Film {n:02}")).await;
    }
    at_work(&roles).await;
    super::deliver_everything_again(&roles.system());
    let videos = filming.all_ready(2).await;
    roles.check().await;
    filming.heard_once_of(&mut roles, &videos).await;
    roles.bytes_are_known().await;

    let system = roles.system();
    let before = (system.last("EVENTS").await, system.page("video_page", "video_id").await, bytes(&roles));
    let pushed = pushes.taken().len();
    assert!(pushed >= videos.len(), "each was pushed");
    super::deliver_everything_again(&system);
    queue_every_task_again(&mut roles).await;
    roles.check().await;
    let after = (system.last("EVENTS").await, system.page("video_page", "video_id").await, bytes(&roles));
    assert_eq!(after, before, "nothing happened twice");
    filming.heard_once_of(&mut roles, &videos).await;
    assert_eq!(pushes.taken().len(), pushed, "nothing was pushed again");
}

fn bytes(roles: &Roles) -> BTreeSet<PathBuf> {
    roles.files().into_iter().collect()
}

/// As if the queue had lost its memory of what was done.
async fn queue_every_task_again(roles: &mut Roles) {
    let system = roles.system();
    let bus = system.bus("processing").await;
    let tasks: Vec<_> =
        system.stored("EVENTS").into_iter().filter(|one| one.kind() == "processing.job.task_queued.v1").collect();
    assert!(tasks.len() >= 8, "four for each film");
    for task in tasks {
        let class = serde_json::from_value(task.event["data"]["class"].clone()).expect("a class");
        let payload = serde_json::to_vec(&task.event).expect("JSON");
        bus.queue(class, uuid::Uuid::now_v7(), payload).await.expect("it is queued");
    }
    bus.flushed_close().await;
}
