//! Who may see and do what with media: everybody who is not meant to is refused, whatever they guess, alter or encode.

use crate::support::films::clip;
use crate::support::{Answer, Person, Platform};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use uuid::Uuid;

/// Who asks.
struct People {
    ada: Person,
    bob: Person,
    admin: Person,
}

/// A video that nobody published, in front of everybody.
#[tokio::test]
async fn what_is_private_stays_so() {
    let platform = Platform::start().await;
    let people = People {
        admin: platform.admin().await,
        ada: platform.somebody_with_profile().await,
        bob: platform.somebody_with_profile().await,
    };
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(clip(folder.path(), "640x360", 2)).expect("the clip");
    let id = platform.draft(&people.ada, "Secret").await;
    let file = platform.uploaded_for(&people.ada, &id, &source).await;
    let video = platform.video_in(&people.ada, &["ready"]).await;
    let playback = video["playback"].as_str().expect("it can be played").to_owned();

    reading(&platform, &people, &id, &file, &playback).await;
    changing(&platform, &people, &id, &file).await;
    guessing(&platform, &people, &id).await;
    signatures(&platform, &id, &playback).await;
    tricks(&platform, &people, &id, &file, &playback, &source).await;
    uploads_of_others(&platform, &people, &id).await;
    platform.settle().await;
    let kept = platform.get(&format!("/api/videos/{id}")).by(&people.ada).send().await.expect(200);
    assert_eq!((&kept.body["title"], &kept.body["published_at"]), (&json!("Secret"), &Value::Null));
    platform.check().await;
}

impl People {
    /// The same request by nobody, by another person, by an admin and by the owner.
    async fn each(&self, platform: &Platform, method: &Method, path: &str) -> [Answer; 4] {
        let request = || platform.request(method.clone(), path).header("tus-resumable", "1.0.0");
        [
            request().send().await,
            request().by(&self.bob).send().await,
            request().by(&self.admin).send().await,
            request().by(&self.ada).send().await,
        ]
    }

    async fn expect(&self, platform: &Platform, method: Method, path: &str, statuses: [u16; 4]) {
        let answers = self.each(platform, &method, path).await;
        let found = answers.each_ref().map(|answer| answer.status);
        assert_eq!(found, statuses, "{method} {path}: nobody, another, an admin, the owner");
        for answer in answers.iter().filter(|answer| answer.status >= 400 && !path.starts_with("/watch/")) {
            assert!(answer.body["code"].is_string() || method == Method::HEAD, "{answer:?}");
        }
    }
}

async fn reading(platform: &Platform, people: &People, id: &str, file: &str, playback: &str) {
    let master = playback.split('?').next().expect("a path");
    let sizes = platform.get(playback).send().await.expect(200);
    let index = sizes.text.lines().find(|line| line.contains("index.m3u8")).expect("a size").to_owned();
    let index = index.split('?').next().expect("a path").to_owned();
    let segment = index.replace("index.m3u8", "init.mp4");
    let hls = |name: &str| format!("/api/storage/videos/{id}/hls/{name}");
    let hidden = [404, 404, 200, 200];
    for path in [
        format!("/api/videos/{id}"),
        format!("/api/videos/{id}/status"),
        format!("/api/processing/videos/{id}/status"),
        format!("/watch/{id}"),
        master.to_owned(),
        hls(&index),
    ] {
        people.expect(platform, Method::GET, &path, hidden).await;
    }
    people.expect(platform, Method::HEAD, &hls(&index), hidden).await;
    let first = people.each(platform, &Method::GET, &hls(&segment)).await.map(|answer| answer.status);
    assert_eq!(first[..2], [404, 404], "a part of it is as hidden as all of it");
    for path in [format!("/api/storage/files/{file}"), format!("/api/storage/videos/{id}/original")] {
        people.expect(platform, Method::GET, &path, [401, 404, 200, 200]).await;
    }
    let of_ada = format!("/api/videos/user/{}", people.ada.id);
    let lists = people.each(platform, &Method::GET, &of_ada).await;
    assert_eq!(lists.map(|list| list.body["items"].as_array().map(Vec::len)), [Some(0), Some(0), Some(1), Some(1)]);
    let jobs = people.each(platform, &Method::GET, "/api/processing/jobs").await;
    assert_eq!(jobs.map(|list| list.body["items"].as_array().map(Vec::len)), [None, Some(0), Some(1), Some(1)]);
}

async fn changing(platform: &Platform, people: &People, id: &str, file: &str) {
    let job = platform.get("/api/processing/jobs").by(&people.ada).send().await.expect(200).text_at("/items/0/id");
    for (path, owner) in [
        (format!("/api/processing/videos/{id}/start"), 409),
        (format!("/api/processing/videos/{id}/cancel"), 409),
        (format!("/api/processing/jobs/{job}/retry"), 409),
        (format!("/api/videos/{id}/unpublish"), 200),
    ] {
        people.expect(platform, Method::POST, &path, [401, 403, owner, owner]).await;
    }
    let view = format!("/api/videos/{id}/view");
    let views = people.each(platform, &Method::POST, &view).await;
    let counted: Vec<_> = views.iter().map(|answer| (answer.status, answer.body["counted"].as_bool())).collect();
    assert_eq!(counted, [(404, None), (404, None), (200, Some(false)), (200, Some(false))]);
    let strangers = [None, Some(&people.bob)];
    for stranger in strangers {
        let by = |method: Method, path: String| {
            let request = platform.request(method, &path);
            match stranger {
                Some(person) => request.by(person),
                None => request,
            }
        };
        let refused = if stranger.is_some() { 403 } else { 401 };
        let title = json!({ "title": "Mine" });
        by(Method::PUT, format!("/api/videos/{id}")).json(title).send().await.refused(refused);
        by(Method::POST, format!("/api/videos/{id}/publish")).send().await.refused(refused);
        by(Method::POST, format!("/api/videos/{id}/feature")).send().await.refused(refused);
        by(Method::DELETE, format!("/api/videos/{id}")).send().await.refused(refused);
        let hidden = if stranger.is_some() { 404 } else { 401 };
        by(Method::DELETE, format!("/api/storage/files/{file}")).send().await.refused(hidden);
    }
}

/// What is hidden and what is not there are told apart by nobody.
async fn guessing(platform: &Platform, people: &People, id: &str) {
    let guessed = Uuid::now_v7().to_string();
    for path in ["/api/videos/ID", "/api/videos/ID/status", "/api/storage/videos/ID/original", "/watch/ID"] {
        let hidden = platform.get(&path.replace("ID", id)).by(&people.bob).send().await;
        let nothing = platform.get(&path.replace("ID", &guessed)).by(&people.bob).send().await;
        let said = |answer: &Answer| (answer.status, answer.body["code"].clone(), answer.body["detail"].clone());
        assert_eq!(said(&hidden), said(&nothing), "{path}");
    }
}

async fn signatures(platform: &Platform, id: &str, playback: &str) {
    platform.get(playback).send().await.expect(200);
    let (path, query) = playback.split_once('?').expect("a query");
    let (expires, signature) = query.split_once('&').expect("two parts");
    let time: i64 = expires.trim_start_matches("expires=").parse().expect("a time");
    let other = Uuid::now_v7().to_string();
    for (path, query) in [
        (path.to_owned(), signature.to_owned()),
        (path.to_owned(), expires.to_owned()),
        (path.to_owned(), format!("expires={}&{signature}", time + 1)),
        (path.to_owned(), format!("expires={}&{signature}", time - 24 * 3600)),
        (path.to_owned(), format!("{expires}&{}", &signature[..signature.len() - 1])),
        (path.to_owned(), format!("{expires}&signature=")),
        (path.to_owned(), format!("{expires}&signature=AAAAAAAAAAAAAAAAAAAAAA")),
        (path.replace(id, &other), query.to_owned()),
    ] {
        let answer = platform.get(&format!("{path}?{query}")).send().await;
        assert_eq!(answer.status, 404, "{query}: {answer:?}");
    }
    let odd = platform.get(&format!("{path}?expires=never&{signature}")).send().await;
    assert!((400..=404).contains(&odd.status), "{odd:?}");
    // it opens the film and nothing else
    let original = path.replace("/hls/master.m3u8", "/original");
    platform.get(&format!("{original}?{query}")).send().await.problem(401, "unauthenticated");
    platform.get(&format!("/api/videos/{id}?{query}")).send().await.problem(404, "video_missing");
}

/// Paths that lead elsewhere when somebody takes them literally, sent as they are.
async fn tricks(platform: &Platform, people: &People, id: &str, file: &str, playback: &str, source: &[u8]) {
    let query = playback.split_once('?').expect("a query").1;
    let ways = [
        "../../../files/FILE",
        "..%2f..%2f..%2ffiles%2fFILE",
        "%2e%2e/%2e%2e/files/FILE",
        "%252e%252e/%252e%252e/files/FILE",
        "..%5c..%5cfiles%5cFILE",
        "1.1/../../../files/FILE",
        "1.1/x/..%2f..%2f..%2ffiles/FILE",
        "/files/FILE",
        "//etc/passwd",
        "1.1/x/%00.m4s",
        "1.1/x/index.m3u8%00.m4s",
        "1.1/x/.%2e/index.m3u8",
        "1.1/x/y/../index.m3u8",
        "2.1/x/y/index.m3u8",
        "1.1/\u{ff0e}\u{ff0e}/index.m3u8",
        "file:///etc/passwd",
        "master.m3u8/..",
        "",
        "*",
    ];
    for way in ways.map(|way| way.replace("FILE", file)) {
        for token in [None, Some(&people.ada.access_token)] {
            let answer =
                raw(platform, &format!("/api/storage/videos/{id}/hls/{way}?{query}"), token.map(String::as_str));
            let status = String::from_utf8_lossy(&answer[..12.min(answer.len())]).into_owned();
            assert!(status.ends_with("404") || status.ends_with("400"), "{way}: {status}");
            assert!(!answer.windows(16).any(|part| part == &source[..16]), "{way}");
        }
    }
    for way in [format!("/api/storage/files/..%2ffiles%2f{file}"), format!("/api/storage/videos/..%2f{id}/original")] {
        let answer = raw(platform, &way, Some(&people.ada.access_token));
        let status = String::from_utf8_lossy(&answer[..12.min(answer.len())]).into_owned();
        assert!(status.ends_with("404") || status.ends_with("400"), "{way}: {status}");
    }
}

/// A GET whose path no client tidies up.
fn raw(platform: &Platform, path: &str, token: Option<&str>) -> Vec<u8> {
    let address = platform.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{token}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it takes requests");
    let mut answer = vec![];
    stream.read_to_end(&mut answer).ok();
    answer
}

async fn uploads_of_others(platform: &Platform, people: &People, id: &str) {
    let place = platform.begin_upload(&people.ada, 100, &[("purpose", "video")]).await;
    platform.piece(&people.ada, &place, 0, &[1; 40]).await.expect(204);
    people.expect(platform, Method::HEAD, &place, [401, 404, 404, 200]).await;
    for person in [&people.bob, &people.admin] {
        platform.piece(person, &place, 40, &[2; 60]).await.problem(404, "upload_missing");
    }
    let delete = platform.delete(&place).header("tus-resumable", "1.0.0");
    delete.by(&people.bob).send().await.problem(404, "upload_missing");
    platform.delete(&place).header("tus-resumable", "1.0.0").send().await.problem(401, "unauthenticated");
    let guessed = format!("/api/storage/tus/{}", Uuid::now_v7());
    platform.piece(&people.bob, &guessed, 0, &[2; 60]).await.problem(404, "upload_missing");
    let head = platform.request(Method::HEAD, &place).header("tus-resumable", "1.0.0").by(&people.ada).send().await;
    assert_eq!(head.expect(200).header("upload-offset"), Some("40"), "nobody touched it");
    // a file for somebody else's video
    let request = platform.post("/api/storage/tus").by(&people.bob).header("tus-resumable", "1.0.0");
    let said = crate::support::films::metadata(&[("purpose", "video"), ("video_id", id)]);
    let request = request.header("upload-length", "10").header("upload-metadata", &said);
    request.send().await.problem(404, "video_missing");
    platform.delete(&place).header("tus-resumable", "1.0.0").by(&people.ada).send().await.expect(204);
}
