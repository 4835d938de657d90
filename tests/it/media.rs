//! Videos: a file that arrives in pieces becomes a film in several sizes, its owner hears of it, others see it when it is
//! published, and nothing is left of it when it is deleted. With real ffmpeg.

use crate::support::films::clip;
use crate::support::platform::Setup;
use crate::support::{Answer, Person, Platform, eventually};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A film's whole life.
#[tokio::test]
async fn a_video_from_upload_to_deletion() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.somebody_with_profile().await, platform.somebody().await);
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(clip(folder.path(), "854x480", 5)).expect("the clip");

    a_cut_upload_goes_on(&platform, &ada, &bob, &source).await;
    let video = platform.video_in(&ada, &["ready"]).await;
    let id = video["id"].as_str().expect("an id").to_owned();
    let sizes: Vec<_> = video["renditions"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(sizes, [&json!("360p"), &json!("480p")]);
    assert_eq!((&video["title"], &video["progress"]), (&json!("At the pier"), &json!(100)));

    what_was_uploaded_is_kept(&platform, &ada, &bob, &id, &source).await;
    only_who_may_sees_it(&platform, &bob, &video).await;
    everybody_sees_what_is_published(&platform, &ada, &bob, &id).await;
    platform.mail(&ada.email, "Your video is ready").await;
    platform.settle().await;
    assert_eq!(platform.mails(&ada.email, "Your video is ready").len(), 1);

    platform.delete(&format!("/api/videos/{id}")).by(&bob).send().await.problem(403, "not_yours");
    platform.delete(&format!("/api/videos/{id}")).by(&ada).send().await.expect(200);
    eventually("nothing is left of it", async || platform.files().is_empty().then_some(())).await;
    eventually("nobody finds it", async || {
        let answer = platform.get(&format!("/api/videos/{id}")).by(&ada).send().await;
        (answer.status == 404).then_some(())
    })
    .await;
    platform.check().await;
}

async fn a_cut_upload_goes_on(platform: &Platform, ada: &Person, bob: &Person, source: &[u8]) {
    let said = [("filename", "pier.mp4"), ("purpose", "video"), ("title", "At the pier")];
    let place = platform.begin_upload(ada, source.len(), &said).await;
    let cut = source.len() / 3;
    let answer = platform.piece(ada, &place, 0, &source[..cut]).await.expect(204);
    assert_eq!(answer.header("upload-offset"), Some(cut.to_string().as_str()));
    platform.piece(ada, &place, cut + 1, &source[cut..]).await.problem(409, "upload_offset");
    platform.piece(bob, &place, cut, &source[cut..]).await.problem(404, "upload_missing");
    let head = platform.request(reqwest::Method::HEAD, &place).by(ada).header("tus-resumable", "1.0.0").send();
    let head = head.await.expect(200);
    assert_eq!(head.header("upload-offset"), Some(cut.to_string().as_str()));
    assert_eq!(head.header("upload-length"), Some(source.len().to_string().as_str()));
    platform.piece(ada, &place, cut, &source[cut..]).await.expect(204);
}

async fn what_was_uploaded_is_kept(platform: &Platform, ada: &Person, bob: &Person, id: &str, source: &[u8]) {
    let path = format!("/api/storage/videos/{id}/original");
    let client = &platform.client;
    let get = |person: &Person| {
        client.get(format!("{}{path}", platform.url)).header("authorization", format!("Bearer {}", person.access_token))
    };
    let whole = get(ada).send().await.expect("an answer").bytes().await.expect("a body");
    assert_eq!(Sha256::digest(&whole), Sha256::digest(source));
    let part = get(ada).header("range", "bytes=10-19").send().await.expect("an answer");
    assert_eq!(part.status(), 206);
    let range = part.headers()["content-range"].to_str().expect("a text").to_owned();
    assert_eq!(range, format!("bytes 10-19/{}", source.len()));
    assert_eq!(part.bytes().await.expect("a body"), &source[10..20]);
    let beyond = get(ada).header("range", format!("bytes={}-", source.len())).send().await.expect("an answer");
    assert_eq!(beyond.status(), 416);
    assert_eq!(get(bob).send().await.expect("an answer").status(), 404);
}

/// What a playlist names, as paths.
fn named(playlist: &Answer, at: &str) -> Vec<String> {
    let folder = at.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
    let map =
        |line: &str| line.strip_prefix("#EXT-X-MAP:URI=\"").and_then(|rest| rest.split('"').next()).map(str::to_owned);
    let lines =
        playlist.text.lines().filter_map(|line| if line.starts_with('#') { map(line) } else { Some(line.into()) });
    lines.filter(|line| !line.is_empty()).map(|line| format!("{folder}/{line}")).collect()
}

async fn only_who_may_sees_it(platform: &Platform, bob: &Person, video: &Value) {
    let master = video["playback"].as_str().expect("it can be played").to_owned();
    let bare = master.split('?').next().expect("a path").to_owned();
    platform.get(&bare).send().await.problem(404, "video_missing");
    platform.get(&bare).by(bob).send().await.problem(404, "video_missing");
    // the address that its owner got permits everything it leads to
    let sizes = platform.get(&master).send().await.expect(200);
    for playlist in named(&sizes, &master) {
        let segments = platform.get(&playlist).send().await.expect(200);
        let segments = named(&segments, &playlist);
        assert!(segments.len() >= 3, "an init segment and two of film: {segments:?}");
        for segment in segments {
            platform.get(&segment).send().await.expect(200);
            platform.get(segment.split('?').next().expect("a path")).send().await.problem(404, "video_missing");
        }
    }
    platform.get(&master.replace("signature=", "signature=A")).send().await.problem(404, "video_missing");
    let later = master.replace("expires=1", "expires=2");
    assert_ne!(later, master);
    platform.get(&later).send().await.problem(404, "video_missing");
    for way in ["../../files/x.mp4", "..%2f..%2ffiles%2fx.mp4", "1.1/%2e%2e/360p/index.m3u8", "1.1/x/y/z/index.m3u8"] {
        let query = master.split('?').nth(1).expect("a query");
        let answer = platform.get(&format!("{}/{way}?{query}", bare.trim_end_matches("/master.m3u8"))).send().await;
        assert_eq!(answer.status, 404, "{answer:?}");
    }
}

async fn everybody_sees_what_is_published(platform: &Platform, ada: &Person, bob: &Person, id: &str) {
    let publish = format!("/api/videos/{id}/publish");
    platform.post(&publish).by(bob).send().await.problem(403, "not_yours");
    let published = platform.post(&publish).by(ada).send().await.expect(200);
    let listed = platform.get("/api/videos").after(&published).send().await.expect(200);
    assert_eq!(listed.body["items"][0]["id"], id);
    let found = platform.get("/api/videos?search=pier").send().await.expect(200);
    assert_eq!(found.body["items"][0]["status"], "published");
    assert_eq!(platform.get("/api/videos?search=harbour").send().await.expect(200).body["items"], json!([]));
    let master = format!("/api/storage/videos/{id}/hls/master.m3u8");
    eventually("a player sees it", async || {
        let answer = platform.get(&master).send().await;
        (answer.status == 200).then_some(())
    })
    .await;
    let page = platform.get(&format!("/watch/{id}")).send().await.expect(200);
    assert!(page.text.contains("At the pier") && page.text.contains("/assets/hls.js"), "{page:?}");
    let hidden = json!({ "visibility": "private" });
    let answer = platform.put(&format!("/api/videos/{id}")).by(ada).json(hidden).send().await.expect(200);
    assert_eq!(platform.get("/api/videos").after(&answer).send().await.expect(200).body["items"], json!([]));
}

/// What is no film, and what nobody wants any more.
#[tokio::test]
async fn what_does_not_become_a_film() {
    // drawn before anybody is connected, for it takes a while; a minute of film can be stopped in the middle
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(clip(folder.path(), "1280x720", 60)).expect("the clip");
    let platform = Platform::start().await;

    let ada = platform.somebody_with_profile().await;
    platform.uploaded(&ada, &vec![7; 5000], "Noise").await;
    let video = platform.video_in(&ada, &["failed"]).await;
    assert_eq!(video["error"]["code"], "source_broken", "{video}");
    platform.mail(&ada.email, "could not be prepared").await;

    let bob = platform.somebody_with_profile().await;
    let said = [("filename", "a.png"), ("purpose", "image")];
    let place = platform.begin_upload(&bob, 5000, &said).await;
    platform.piece(&bob, &place, 0, &vec![7; 5000]).await.problem(415, "file_kind");
    let too_long = platform.post("/api/storage/tus").by(&bob).header("tus-resumable", "1.0.0");
    too_long.header("upload-length", &(17u64 << 30).to_string()).send().await.problem(422, "file_too_long");
    platform.post("/api/storage/tus").by(&bob).send().await.problem(412, "tus_version");
    platform.post("/api/storage/tus").header("tus-resumable", "1.0.0").send().await.problem(401, "unauthenticated");

    in_one_go(&platform).await;

    platform.uploaded(&bob, &source, "Long").await;
    let video = platform.video_in(&bob, &["playable"]).await;
    let id = video["id"].as_str().expect("an id").to_owned();
    let cancel = format!("/api/processing/videos/{id}/cancel");
    platform.post(&cancel).by(&ada).send().await.problem(403, "not_yours");
    platform.post(&cancel).by(&bob).send().await.expect(200);
    eventually("only the source is left", async || {
        let made = platform.files().iter().any(|file| file.to_string_lossy().contains("/videos/"));
        (!made && !ffmpeg_runs(&platform)).then_some(())
    })
    .await;
    platform.video_in(&bob, &["draft"]).await;
    platform.delete(&format!("/api/videos/{id}")).by(&bob).send().await.expect(200);
    eventually("nothing is left of it", async || {
        let files = platform.files();
        files.iter().all(|file| !file.to_string_lossy().contains(&id)).then_some(())
    })
    .await;
    platform.check().await;
}

/// A form does as well, for who will not lose the connection.
async fn in_one_go(platform: &Platform) {
    let eve = platform.somebody().await;
    let picture = crate::support::films::dot();
    let text = |name: &str, value: &str| {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").into_bytes()
    };
    let file = b"--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n".to_vec();
    let form = |content: &[u8]| [text("title", "Me").as_slice(), &file, content, b"\r\n--xyz--\r\n"].concat();
    let kind = "multipart/form-data; boundary=xyz";
    let send =
        |to: &str, form: Vec<u8>| platform.post(&format!("/api/storage/upload/{to}")).by(&eve).body(kind, form).send();
    let upload = |to: &str| send(to, form(&picture));
    let answer = upload("image").await.expect(201);
    assert_eq!(answer.body["size"], picture.len());
    let path = answer.header("location").expect("a location").to_owned();
    let shown = platform.get(&path).by(&eve).after(&answer).send().await.expect(200);
    assert_eq!(shown.header("content-type"), Some("image/png"));
    assert_eq!(shown.header("content-length"), Some(picture.len().to_string().as_str()));
    upload("presentation").await.problem(415, "file_kind");
    // small: who sends much in vain may find the connection closed before the answer
    send("nonsense", form(&picture[..8])).await.problem(422, "purpose_invalid");
    platform.delete(&path).by(&eve).send().await.expect(200);
}

/// A worker, and everything else, dies in the middle: the task runs again, and what comes of it comes once.
#[tokio::test]
async fn a_crash_in_the_middle_of_the_work() {
    let platform = Platform::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let ada = platform.somebody_with_profile().await;
    let source = std::fs::read(clip(folder.path(), "1280x720", 30)).expect("the clip");
    platform.uploaded(&ada, &source, "Crashed").await;
    platform.video_in(&ada, &["playable"]).await;
    eventually("the larger sizes are being made", async || ffmpeg_runs(&platform).then_some(())).await;
    let before = platform.crash();

    let platform = Setup::default().on(before).start().await;
    let video = platform.video_in(&ada, &["ready"]).await;
    assert_eq!(video["renditions"].as_array().map(Vec::len), Some(3), "{video}");
    platform.settle().await;
    assert_eq!(platform.count("video.video.ready.v1"), 1);
    assert_eq!(platform.count("video.video.became_playable.v1"), 1);
    assert_eq!(platform.mails(&ada.email, "Your video is ready").len(), 1);
    platform.check().await;
}

/// Whether a worker of this platform is at work.
fn ffmpeg_runs(platform: &Platform) -> bool {
    platform.files().iter().any(|file| file.to_string_lossy().contains("/task-"))
}
