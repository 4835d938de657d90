//! What happens to a video besides being made: its file is replaced, people watch it, it is featured, its jobs are looked
//! at, and it goes with its owner.

use crate::support::films::clip;
use crate::support::roles::Roles;
use crate::support::{Answer, Person, Platform, Request, eventually, patiently};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// A draft gets a file, and another one while the first is being worked on; then people come, and its owner leaves.
#[tokio::test]
async fn a_video_is_replaced_watched_featured_and_forgotten() {
    let platform = Platform::start().await;
    let admin = platform.admin().await;
    let (ada, bob) = (platform.somebody_with_profile().await, platform.somebody_with_profile().await);
    let folder = tempfile::tempdir().expect("a folder");
    let id = a_new_file_while_the_old_one_is_worked_on(&platform, &ada, folder.path()).await;
    platform.settle().await;
    platform.bytes_are_known().await;

    views_count_once(&platform, &ada, &bob, &id).await;
    admins_feature(&platform, &admin, &ada, &id).await;
    jobs_are_looked_at(&platform, &admin, &ada, &bob).await;

    everything_goes_with_its_owner(&platform, &admin, &ada, &bob, &id).await;
    platform.check().await;
}

async fn a_new_file_while_the_old_one_is_worked_on(
    platform: &Platform,
    ada: &Person,
    folder: &std::path::Path,
) -> String {
    let long = std::fs::read(clip(folder, "1280x720", 60)).expect("the clip");
    let short = std::fs::read(clip(folder, "640x360", 2)).expect("the clip");
    let id = platform.draft(ada, "Changing").await;
    let first = platform.uploaded_for(ada, &id, &long).await;
    platform.video_in(ada, &["playable"]).await;
    let second = platform.uploaded_for(ada, &id, &short).await;
    let video = platform.video_in(ada, &["ready"]).await;
    assert_eq!(video["id"], id);
    let sizes: Vec<_> = video["renditions"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(sizes, [&json!("360p")], "the new file, and nothing of the old one");
    let events = platform.events_about(id.parse().expect("an id"));
    let of = |kind: &str| events.iter().filter(|entry| entry.kind() == kind).collect::<Vec<_>>();
    assert_eq!(of("video.video.source_attached.v1").len(), 2);
    let ready: Vec<_> = of("video.video.ready.v1").iter().map(|entry| &entry.event["data"]["version"]).collect();
    assert_eq!(ready, [&json!(2)]);
    eventually("the old file and what was made of it are gone", async || {
        let old = |name: &str| name.contains(&first) || name.contains(&format!("{id}/1."));
        let files = platform.files();
        let mut names = files.iter().map(|file| file.to_string_lossy());
        (!names.any(|name| old(&name))).then_some(())
    })
    .await;
    platform.get(&format!("/api/storage/files/{first}")).by(ada).send().await.problem(404, "file_missing");
    platform.get(&format!("/api/storage/files/{second}")).by(ada).send().await.expect(200);
    assert_eq!(platform.count("processing.job.cancelled.v1"), 1);
    id
}

async fn views_count_once(platform: &Platform, ada: &Person, bob: &Person, id: &str) {
    let path = format!("/api/videos/{id}/view");
    platform.post(&path).by(bob).send().await.problem(404, "video_missing");
    let published = platform.post(&format!("/api/videos/{id}/publish")).by(ada).send().await.expect(200);
    let counted = async |request: Request| {
        let answer = request.after(&published).send().await.expect(200);
        answer.body["counted"].as_bool().expect("yes or no")
    };
    assert!(!counted(platform.post(&path).by(ada)).await, "its owner does not count");
    assert!(counted(platform.post(&path).by(bob)).await);
    assert!(!counted(platform.post(&path).by(bob).header("user-agent", "another")).await, "the same person");
    assert!(counted(platform.post(&path).header("user-agent", "one")).await);
    assert!(!counted(platform.post(&path).header("user-agent", "one")).await);
    assert!(counted(platform.post(&path).header("user-agent", "two")).await);
    let views = async || platform.get(&format!("/api/videos/{id}")).send().await.expect(200).body["views"].clone();
    eventually("all three are told", async || (views().await == 3).then_some(())).await;
    let listed = platform.get("/api/videos").send().await.expect(200);
    assert_eq!(listed.body["items"][0]["views"], 3);
    let told = platform.count("video.video.views_counted.v1");
    assert!((1..=3).contains(&told), "sums, not one event each: {told}");
}

async fn admins_feature(platform: &Platform, admin: &Person, ada: &Person, id: &str) {
    let (feature, unfeature) = (format!("/api/videos/{id}/feature"), format!("/api/videos/{id}/unfeature"));
    platform.post(&feature).send().await.problem(401, "unauthenticated");
    platform.post(&feature).by(ada).send().await.problem(403, "admin_required");
    let featured = async |after: &Answer| {
        let list = platform.get("/api/videos/featured").after(after).send().await.expect(200);
        list.body["items"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
    };
    let done = platform.post(&feature).by(admin).send().await.expect(200);
    assert_eq!(featured(&done).await, [json!(id)]);
    let shown = platform.get(&format!("/api/videos/{id}")).send().await.expect(200);
    assert_eq!(shown.body["featured"], true);
    platform.post(&unfeature).by(ada).send().await.problem(403, "admin_required");
    let done = platform.post(&unfeature).by(admin).send().await.expect(200);
    assert_eq!(featured(&done).await, [] as [Value; 0]);
}

async fn jobs_are_looked_at(platform: &Platform, admin: &Person, ada: &Person, bob: &Person) {
    platform.get("/api/processing/jobs").send().await.problem(401, "unauthenticated");
    let list = async |person: &Person, query: &str| {
        let answer = platform.get(&format!("/api/processing/jobs{query}")).by(person).send().await.expect(200);
        answer.body["items"].as_array().expect("a list").clone()
    };
    let jobs = list(ada, "").await;
    let states: Vec<_> = jobs.iter().map(|job| (&job["source_version"], &job["state"])).collect();
    assert_eq!(states, [(&json!(2), &json!("completed")), (&json!(1), &json!("cancelled"))]);
    let tasks = jobs[0]["tasks"].as_array().expect("a list");
    assert!(tasks.iter().all(|task| task["state"] == "done" && task["error"].is_null()), "{jobs:?}");
    assert!(list(bob, &format!("?user_id={}", ada.id)).await.is_empty(), "nobody sees what others do");

    // what is no film fails, and everybody is told as much as is theirs to know
    platform.uploaded(bob, &vec![7; 5000], "Noise").await;
    platform.video_in(bob, &["failed"]).await;
    let failed = async |run: u64| {
        eventually("the page knows", async || {
            let jobs = list(bob, "?state=failed").await;
            jobs.first().filter(|job| job["run"] == run).cloned()
        })
        .await
    };
    let job = failed(1).await;
    let error = &job["tasks"][0]["error"];
    assert_eq!((&job["tasks"][0]["name"], &job["tasks"][0]["state"]), (&json!("probe"), &json!("failed")));
    assert_eq!((&error["code"], &job["error"]["code"]), (&json!("source_broken"), &json!("source_broken")));
    assert!(error.get("tail").is_none(), "{job}");
    let seen = list(admin, &format!("?state=failed&user_id={}", bob.id)).await;
    assert_eq!(seen[0]["id"], job["id"]);
    assert!(seen[0]["tasks"][0]["error"]["tail"].as_str().is_some_and(|tail| !tail.is_empty()), "{seen:?}");

    let retry = format!("/api/processing/jobs/{}/retry", job["id"].as_str().expect("an id"));
    platform.post(&retry).by(ada).send().await.problem(403, "not_yours");
    platform.post(&retry).by(bob).send().await.expect(200);
    failed(2).await;
    let guessed = format!("/api/processing/jobs/{}/retry", Uuid::now_v7());
    platform.post(&guessed).by(bob).send().await.problem(404, "job_missing");
    let queue = platform.get("/api/processing/queue/status").by(bob).send().await.expect(200).body;
    assert_eq!((&queue["waiting"], &queue["active"], &queue["jobs"]["failed"]), (&json!(0), &json!(0), &json!(1)));
}

async fn everything_goes_with_its_owner(platform: &Platform, admin: &Person, ada: &Person, bob: &Person, id: &str) {
    let draft = platform.draft(ada, "Never shown").await;
    platform.settle().await;
    platform.get(&format!("/api/videos/{id}")).by(bob).send().await.expect(200);
    let account = format!("/api/users/{}", ada.id);
    let shown = platform.get(&account).by(admin).send().await.expect(200);
    let tag = shown.header("etag").expect("an ETag").to_owned();
    platform.delete(&account).by(admin).header("if-match", &tag).send().await;
    platform.settle().await;
    platform.get(&format!("/api/videos/{id}")).by(bob).send().await.problem(404, "video_missing");
    platform.get(&format!("/api/videos/{id}")).by(admin).send().await.problem(404, "video_missing");
    let listed = platform.get("/api/videos").send().await.expect(200).body;
    assert_eq!(listed["items"], json!([]));
    for video in [id, &draft] {
        let events = platform.events_about(video.parse().expect("an id"));
        let deleted = events.iter().filter(|entry| entry.kind() == "video.video.deleted.v1").count();
        assert_eq!(deleted, 1, "{video} is gone in its own log too");
    }
    let jobs = platform.get("/api/processing/jobs").by(admin).send().await.expect(200);
    assert!(!jobs.text.contains(&ada.id.to_string()), "{jobs:?}");
    eventually("no byte of it is left", async || {
        let files = platform.files();
        (!files.iter().any(|file| file.to_string_lossy().contains(id))).then_some(())
    })
    .await;
}

/// Somebody who goes from one gateway to the other is one visitor, and a gateway that stops tells what it gathered.
#[tokio::test]
async fn two_gateways_count_one_visitor_once() {
    let mut roles = Roles::alone().await;
    roles.spawn("gateway", 1, None);
    roles.spawn("worker", 0, None);
    roles.ready().await;
    let ada = roles.somebody().await;
    let id = a_published_video(&roles, &ada).await;
    let at = |gateway: usize, agent: &str| {
        let path = format!("{}/api/videos/{id}/view", roles.gateways[gateway]);
        let request = Request::new(&crate::support::platform::client(), Method::POST, &path);
        request.header("user-agent", agent).send()
    };
    let counted = |answer: Answer| answer.expect(200).body["counted"].as_bool();
    let views = async |gateway: usize| {
        let path = format!("{}/api/videos/{id}", roles.gateways[gateway]);
        let request = Request::new(&crate::support::platform::client(), Method::GET, &path);
        request.send().await.expect(200).body["views"].clone()
    };
    assert_eq!(counted(at(0, "one").await), Some(true));
    eventually("it is told", async || (views(1).await == 1).then_some(())).await;
    assert_eq!(counted(at(1, "one").await), Some(false), "the other gateway heard of it");
    assert_eq!(counted(at(1, "two").await), Some(true));
    let other = roles.running.get_mut("gateway.1").expect("it was started");
    assert!(other.terminate(Duration::from_secs(30)).is_some(), "still there:\n{}", other.tail());
    let path = format!("/api/videos/{id}");
    eventually("what the one that stopped gathered is told", async || {
        let shown = roles.request(Method::GET, &path).send().await.expect(200);
        (shown.body["views"] == 2).then_some(())
    })
    .await;
    roles.check().await;
}

async fn a_published_video(roles: &Roles, ada: &Person) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(clip(folder.path(), "320x240", 1)).expect("the clip");
    let form = [
        b"--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp4\"\r\n\r\n".to_vec(),
        source,
        b"\r\n--xyz--\r\n".to_vec(),
    ];
    let request = roles.request(Method::POST, "/api/storage/upload/video").by(ada);
    let uploaded = request.body("multipart/form-data; boundary=xyz", form.concat()).send().await.expect(201);
    let id = uploaded.text_at("/video_id");
    patiently("it can be played", Duration::from_secs(120), async || {
        let shown = roles.request(Method::GET, &format!("/api/videos/{id}")).by(ada).send().await;
        (shown.body["status"] == "ready").then_some(())
    })
    .await;
    let publish = format!("/api/videos/{id}/publish");
    let published = roles.request(Method::POST, &publish).by(ada).send().await.expect(200);
    roles.request(Method::GET, &format!("/api/videos/{id}")).after(&published).send().await.expect(200);
    id
}
