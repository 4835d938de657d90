//! The end of a video, wherever it stands: what is asked of it is done or refused for a reason, at every step and in every
//! order, and then nothing hangs, no byte is left over, and no video is ready twice.

use crate::support::filming::{Filming, about, asking, jobs_are_over};
use crate::support::films::clip;
use crate::support::log::Entry;
use crate::support::{Roles, eventually, patiently};
use events::processing::{Kind, job};
use futures::future::join_all;
use nats::Bus;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long the work on a short film may take, after who was at it died.
const WORK: Duration = Duration::from_secs(120);
/// It is done.
const DONE: &str = "";
/// It is done, or there is nothing yet that it could be done with.
const EITHER: &str = "?";

/// Where a video stands, and what is asked of it then, one after the other: each with the code of the refusal.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

/// Nobody works.
const BEFORE: &[Case] = &[
    ("draft", &[("cancel", "no_source"), ("start", "no_source"), ("delete", DONE)]),
    ("uploading", &[("cancel", "no_source"), ("start", "no_source"), ("delete", DONE)]),
    ("uploaded", &[("delete", DONE)]),
    ("uploaded", &[("cancel", EITHER)]),
    ("uploaded", &[("start", EITHER)]),
    ("processing", &[("delete", DONE)]),
    ("processing", &[("start", "nothing_to_retry"), ("publish", "not_playable"), ("cancel", DONE)]),
];

/// The worker dies where a film can be played and is not ready.
const BETWEEN: &[Case] = &[
    ("playable", &[("delete", DONE)]),
    ("playable", &[("start", "nothing_to_retry"), ("cancel", DONE), ("cancel", DONE)]),
    ("playable", &[("publish", DONE), ("cancel", DONE), ("delete", DONE)]),
];

/// Workers work.
const AFTER: &[Case] = &[
    ("ready", &[("cancel", "job_over"), ("start", "nothing_to_retry"), ("delete", DONE)]),
    ("published", &[("cancel", "job_over"), ("start", "nothing_to_retry"), ("delete", DONE)]),
    ("failed", &[("delete", DONE)]),
    ("failed", &[("cancel", DONE), ("delete", DONE)]),
];

#[tokio::test]
async fn a_video_may_end_at_every_step() {
    let mut roles = Roles::filming().await;
    let stage = Stage { filming: Filming::somebody(&roles).await, film: film() };
    let mut videos = vec![];
    for case in BEFORE {
        videos.push(stage.plays(&roles, case).await);
    }
    for (state, _) in BETWEEN {
        videos.push((stage.reaches(state).await, *state));
    }
    let playable: Vec<_> = videos[BEFORE.len()..].to_vec();
    while !stage.are(&playable, "playable").await {
        roles.spawn("worker", 0, Some("task.optional"));
        patiently("the worker died, or has done what is required", WORK, async || {
            let died = !roles.running.get_mut("worker.0").expect("it was started").is_running();
            (died || stage.are(&playable, "playable").await).then_some(())
        })
        .await;
    }
    roles.kill("worker", 0);
    for ((_, asked), (video, _)) in BETWEEN.iter().zip(&playable) {
        stage.asks(&roles, video, asked).await;
    }
    roles.spawn("worker", 0, None);
    for case in AFTER {
        videos.push(stage.plays(&roles, case).await);
    }
    stage.what_was_cancelled_begins_anew(&videos).await;
    nothing_hangs_and_nothing_is_left(&mut roles).await;
}

/// A film of one size, as short as films are.
fn film() -> Arc<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    Arc::new(std::fs::read(clip(folder.path(), "320x240", 1)).expect("the clip"))
}

/// Somebody who brings videos to where they are to be.
struct Stage {
    filming: Filming,
    film: Arc<Vec<u8>>,
}

impl Stage {
    /// Brings a new video to a state, and asks.
    async fn plays(&self, roles: &Roles, (state, asked): &Case) -> (String, &'static str) {
        let video = self.reaches(state).await;
        match *state {
            // as soon as may be
            "uploaded" => {}
            "published" => drop(self.is(&video, "ready").await),
            state => drop(self.is(&video, state).await),
        }
        if *state == "published" {
            asking(&self.filming, "publish", &video).send().await.expect(200);
            self.is(&video, "published").await;
        }
        self.asks(roles, &video, asked).await;
        (video, *state)
    }

    /// Begins a video, and uploads as much for it as its state needs.
    async fn reaches(&self, state: &str) -> String {
        let draft = self.filming.request(Method::POST, "/api/videos").json(json!({ "title": state }));
        let video = draft.send().await.expect(201).text_at("/id");
        let noise = vec![7; 5000];
        let film = if state == "failed" { &noise } else { &*self.film };
        if state != "draft" {
            let place = self.filming.begins(&[("video_id", &video)], film.len(), &video).await;
            let until = if state == "uploading" { film.len() / 2 } else { film.len() };
            self.filming.goes_on(&place, film, until).await;
        }
        video
    }

    async fn shown(&self, video: &str) -> Option<Value> {
        let answer = self.filming.request(Method::GET, &format!("/api/videos/{video}")).send().await;
        (answer.status == 200).then_some(answer.body)
    }

    async fn is(&self, video: &str, state: &str) -> Value {
        patiently(&format!("{video} is {state}"), WORK, async || {
            self.shown(video).await.filter(|shown| shown["status"] == state)
        })
        .await
    }

    async fn are(&self, videos: &[(String, &str)], state: &str) -> bool {
        for (video, _) in videos {
            if self.shown(video).await.is_none_or(|shown| shown["status"] != state) {
                return false;
            }
        }
        true
    }

    async fn asks(&self, roles: &Roles, video: &str, asked: &[(&str, &str)]) {
        for (what, expected) in asked {
            eprintln!("{what} {video}: {expected:?}");
            let answer = asking(&self.filming, what, video).send().await;
            match *expected {
                DONE => drop(answer.clone().expect(200)),
                EITHER => assert!([200, 404, 409].contains(&answer.status), "{answer:?}"),
                code => drop(answer.clone().problem(409, code)),
            }
            match *what {
                "delete" => {
                    assert_eq!(answer.body["status"], "deleted");
                    self.is_gone(roles, video).await;
                }
                "cancel" if *expected == DONE => {
                    self.is(video, "draft").await;
                    nothing_made_is_left(roles, video).await;
                }
                _ => {}
            }
        }
    }

    async fn is_gone(&self, roles: &Roles, video: &str) {
        eventually("nobody finds it", async || self.shown(video).await.is_none().then_some(())).await;
        nothing_made_is_left(roles, video).await;
    }

    /// Each of them is ready then, once.
    async fn what_was_cancelled_begins_anew(&self, videos: &[(String, &str)]) {
        for (video, _) in videos {
            let Some(shown) = self.shown(video).await else { continue };
            if shown["status"] == "draft" {
                asking(&self.filming, "start", video).send().await.expect(200);
            }
            self.is(video, "ready").await;
        }
    }
}

/// What was made of a video goes, whatever becomes of the video.
async fn nothing_made_is_left(roles: &Roles, video: &str) {
    eventually("nothing made of it is left", async || {
        (!roles.files().iter().any(|file| file.to_string_lossy().contains(video))).then_some(())
    })
    .await;
}

async fn nothing_hangs_and_nothing_is_left(roles: &mut Roles) {
    roles.check().await;
    roles.bytes_are_known().await;
    let log = roles.system().opened().await;
    jobs_are_over(&log);
    let ready: Vec<&Entry> = log.iter().filter(|entry| entry.kind() == "video.video.ready.v1").collect();
    for entry in &ready {
        let video = entry.about().to_string();
        assert_eq!(about(&log, &video, "video.video.ready.v1"), 1, "{video} is ready once");
    }
    let videos = roles.system().page("video_page", "video_id").await;
    for video in videos {
        let status = video["status"].as_str().expect("a word");
        assert!(["draft", "ready", "failed"].contains(&status), "it hangs: {video}");
    }
}

/// What people ask of a video while it is being made.
const ORDERS: [&[&str]; 7] = [
    &["cancel", "start"],
    &["cancel", "delete"],
    &["cancel", "start", "cancel", "start"],
    &["delete", "cancel"],
    &["start", "cancel"],
    &["start", "cancel", "delete"],
    &["delete", "start", "cancel"],
];

/// The events of a job on a film of one size: it is asked after each of them.
const STEPS: usize = 14;

/// What is asked races with the end of the work: after every step, in several orders, one after the other or at once.
#[tokio::test]
async fn whoever_asks_races_with_the_end() {
    let mut roles = Roles::filming().await;
    roles.spawn("worker", 0, None);
    roles.spawn("worker", 1, None);
    let stage = Stage { filming: Filming::somebody(&roles).await, film: film() };
    let bus = roles.system().bus("operator").await;
    let races = (0..2 * STEPS).map(|n| race(&stage, &bus, n / 2 + 1, ORDERS[n % ORDERS.len()], n % 2 == 0));
    join_all(races).await;
    bus.flushed_close().await;
    roles.system().settle().await;
    let left = roles.system().page("video_page", "video_id").await;
    assert!(!left.is_empty() && left.len() < 2 * STEPS, "some were deleted: {}", left.len());
    nothing_hangs_and_nothing_is_left(&mut roles).await;
}

/// A film of which something is asked when so much happened to its job.
async fn race(stage: &Stage, bus: &Bus, step: usize, order: &[&str], at_once: bool) {
    let video = stage.reaches("racing").await;
    let job = job(video.parse().expect("an id"), 1, Kind::Video);
    for seen in 1..=step {
        patiently(&format!("{seen} things happened to {job}"), WORK, async || {
            let last = bus.last_event("processing.job", job).await.ok()??;
            let last: Value = serde_json::from_slice(&last).expect("JSON");
            let count: usize = last["sequence"].as_str().and_then(|text| text.parse().ok()).expect("a number");
            (count >= seen).then_some(())
        })
        .await;
    }
    let questions = order.iter().map(|what| asking(&stage.filming, what, &video).send());
    let answers = if at_once { join_all(questions).await } else { one_by_one(questions).await };
    for answer in answers {
        assert!([200, 404, 409].contains(&answer.status), "{answer:?}");
    }
}

async fn one_by_one<T>(questions: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut answers = vec![];
    for question in questions {
        answers.push(question.await);
    }
    answers
}
