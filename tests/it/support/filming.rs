//! Somebody who uploads films while things break: after every fault they ask how far a film came and go on from there, as
//! clients of tus do. Afterwards each film must have been made once, and they must have heard of it once.

use super::films::{PIECE, metadata};
use super::log::Entry;
use super::outside::Listener;
use super::{Answer, Person, Request, Roles, mails, patiently};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long anything may take while everything around it dies and comes back.
const PATIENCE: Duration = Duration::from_secs(120);
/// A film goes over the line in so many pieces.
const PIECES: usize = 3;

/// Somebody with films. Clones are the same person.
#[derive(Clone)]
pub struct Filming {
    /// Who it is.
    pub person: Person,
    gateway: String,
    client: reqwest::Client,
    /// Answers that no client should ever see.
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Filming {
    /// Somebody new.
    pub async fn somebody(roles: &Roles) -> Filming {
        let (person, gateway) = (roles.somebody().await, roles.gateways[0].clone());
        Filming { person, gateway, client: super::platform::client(), wrong: Arc::default() }
    }

    /// A request of theirs.
    pub fn request(&self, method: Method, path: &str) -> Request {
        Request::new(&self.client, method, &format!("{}{path}", self.gateway)).by(&self.person)
    }

    /// Uploads a film to the end, for a new video of this title; whatever breaks meanwhile.
    pub async fn uploads(self, film: Arc<Vec<u8>>, title: String) {
        let place = self.begins(&[("title", &title)], film.len(), &title).await;
        self.goes_on(&place, &film, film.len()).await;
    }

    /// Begins an upload, once for a `key`; where its pieces go.
    pub async fn begins(&self, said: &[(&str, &str)], length: usize, key: &str) -> String {
        let said = [&[("filename", "clip.mp4"), ("purpose", "video")][..], said].concat();
        let said = metadata(&said);
        let start = Instant::now();
        loop {
            let request = self.tus(Method::POST, "/api/storage/tus").header("idempotency-key", key);
            let request = request.header("upload-length", &length.to_string()).header("upload-metadata", &said);
            if let Some(answer) = self.answer(request, 201, &[]).await {
                return answer.header("location").expect("a location").to_owned();
            }
            again(start, key).await;
        }
    }

    /// Goes on with an upload until so much of it is there.
    pub async fn goes_on(&self, place: &str, film: &[u8], until: usize) {
        let start = Instant::now();
        loop {
            // it may be a file already that no page knows yet
            let head = self.answer(self.tus(Method::HEAD, place), 200, &[404, 423]).await;
            if let Some(head) = head {
                let offset: usize =
                    head.header("upload-offset").and_then(|offset| offset.parse().ok()).expect("an offset");
                if offset >= until {
                    return;
                }
                let end = until.min(offset + film.len() / PIECES + 1);
                let piece = self.tus(Method::PATCH, place).header("upload-offset", &offset.to_string());
                let sent = self.answer(piece.body(PIECE, film[offset..end].to_vec()), 204, &[404, 409, 423]).await;
                if sent.is_some() && end == until {
                    return;
                }
            }
            again(start, place).await;
        }
    }

    /// Lets a browser hear what they are told.
    pub async fn subscribes(&self, pushes: &Listener) {
        let request = self.request(Method::POST, "/api/notifications/subscriptions").json(pushes.browser());
        request.send().await.expect(201);
    }

    fn tus(&self, method: Method, path: &str) -> Request {
        self.request(method, path).header("tus-resumable", "1.0.0")
    }

    /// The answer that is hoped for. Whoever gets none, or hears that it is not possible now, asks again.
    async fn answer(&self, request: Request, hoped: u16, again: &[u16]) -> Option<Answer> {
        let answer = request.try_send().await.ok()?;
        if answer.status != hoped && answer.status != 503 && !again.contains(&answer.status) {
            self.wrong.lock().expect("nobody panics here").push(format!("{answer:?}"));
        }
        (answer.status == hoped).then_some(answer)
    }

    /// All of their videos, as soon as there are so many and each of them is ready.
    pub async fn all_ready(&self, count: usize) -> Vec<Value> {
        let path = format!("/api/videos/user/{}?limit=100", self.person.id);
        patiently(&format!("{count} videos are ready"), PATIENCE, async || {
            let answer = self.answer(self.request(Method::GET, &path), 200, &[]).await?;
            let videos = answer.body["items"].as_array().expect("a list").clone();
            (videos.len() == count && videos.iter().all(|video| video["status"] == "ready")).then_some(videos)
        })
        .await
    }

    /// Demands that each of these videos was made once, and that they heard of each once.
    pub async fn heard_once_of(&self, roles: &mut Roles, videos: &[Value]) {
        let wrong = self.wrong.lock().expect("nobody panics here").clone();
        assert!(wrong.is_empty(), "{} wrong answers, the first: {}", wrong.len(), wrong[0]);
        let log = roles.system().opened().await;
        let inbox = self.request(Method::GET, "/api/notifications?limit=100").send().await.expect(200).body;
        let inbox = inbox["items"].as_array().expect("a list").clone();
        for video in videos {
            let (id, title) = (video["id"].as_str().expect("an id"), video["title"].as_str().expect("a title"));
            for what in ["created", "source_attached", "became_playable", "ready"] {
                let kind = format!("video.video.{what}.v1");
                assert_eq!(about(&log, id, &kind), 1, "{kind} of {title}");
            }
            assert_eq!(about(&log, id, "video.video.processing_failed.v1"), 0, "{title}");
            assert_eq!(mails::mails(roles.data(), &self.person.email, title).len(), 1, "mails about {title}");
            let told = inbox.iter().filter(|item| item.to_string().contains(title)).count();
            assert_eq!(told, 1, "notices about {title}");
        }
        let all = |kind: &str| log.iter().filter(|entry| entry.kind() == kind).count();
        assert_eq!(all("video.video.created.v1"), videos.len(), "no video that nobody uploaded");
        assert_eq!(all("storage.shelf.upload_completed.v1"), videos.len());
        jobs_are_over(&log);
    }
}

/// Before somebody asks again.
async fn again(start: Instant, what: &str) {
    assert!(start.elapsed() < PATIENCE, "in vain for {:?}: {what}", start.elapsed());
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// How many events of a kind there are about something.
pub fn about(log: &[Entry], id: &str, kind: &str) -> usize {
    log.iter().filter(|entry| entry.kind() == kind && entry.about().to_string() == id).count()
}

/// Demands that no job hangs, and that those of deleted videos were told to end.
pub fn jobs_are_over(log: &[Entry]) {
    let of = |kind: &str| log.iter().filter(|entry| entry.kind() == kind).map(Entry::about).collect::<BTreeSet<Uuid>>();
    let deleted = of("video.video.deleted.v1");
    for job in of("processing.job.started.v1") {
        let its = |entry: &&Entry| entry.kind().starts_with("processing.job.") && entry.about() == job;
        let events: Vec<_> = log.iter().filter(its).collect();
        let (first, last) = (events[0], events.last().expect("there is one"));
        let over: &[&str] = match deleted.contains(&id(&first.event["data"]["of"])) {
            true => &["processing.job.cancelled.v1"],
            false => &["processing.job.completed.v1", "processing.job.failed.v1", "processing.job.cancelled.v1"],
        };
        assert!(over.contains(&last.kind()), "the job ended with {}", last.event);
    }
}

fn id(value: &Value) -> Uuid {
    value.as_str().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no id: {value}"))
}

/// What is asked of a video, in the words of the API: `delete`, `cancel`, `start`, `publish`.
pub fn asking(filming: &Filming, what: &str, video: &str) -> Request {
    match what {
        "delete" => filming.request(Method::DELETE, &format!("/api/videos/{video}")),
        "publish" => filming.request(Method::POST, &format!("/api/videos/{video}/publish")).json(json!({})),
        word => filming.request(Method::POST, &format!("/api/processing/videos/{video}/{word}")),
    }
}
