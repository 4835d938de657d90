//! Uploads at their edges: two clients at once, wrong offsets, lying lengths, checksums, quotas, cut connections, uploads
//! that nobody finishes, pictures that say too much, and bytes that nobody knows.

use crate::support::films::{PIECE, dot, metadata};
use crate::support::platform::Setup;
use crate::support::{Answer, Person, Platform, Request, eventually};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn an_upload_is_what_was_sent() {
    let platform = Platform::start().await;
    let ada = platform.somebody_with_profile().await;
    two_clients_write_one(&platform, &ada).await;
    a_cut_connection(&platform, &ada).await;
    lengths_that_lie(&platform, &ada).await;
    checksums(&platform, &ada).await;
    words_that_are_none(&platform, &ada).await;
    pictures_say_no_more_than_they_show(&platform, &ada).await;
    a_draft_waits_for_its_source(&platform, &ada).await;
    as_much_as_a_person_may_keep(&platform).await;
    platform.check().await;
}

fn tus(platform: &Platform, method: Method, place: &str, person: &Person) -> Request {
    platform.request(method, place).by(person).header("tus-resumable", "1.0.0")
}

async fn offset(platform: &Platform, place: &str, person: &Person) -> usize {
    let head = tus(platform, Method::HEAD, place, person).send().await.expect(200);
    head.header("upload-offset").and_then(|offset| offset.parse().ok()).expect("an offset")
}

/// A PATCH of which only a part is sent for now.
fn half_a_piece(platform: &Platform, place: &str, person: &Person, announced: usize, bytes: &[u8]) -> TcpStream {
    let address = platform.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let token = &person.access_token;
    let head = format!(
        "PATCH {place} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nTus-Resumable: 1.0.0\r\n\
         Upload-Offset: 0\r\nContent-Type: {PIECE}\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it takes requests");
    stream.write_all(bytes).expect("it takes bytes");
    stream
}

fn was_answered(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket");
    let there = stream.peek(&mut [0]).is_ok();
    stream.set_nonblocking(false).expect("a socket");
    there
}

fn noise(length: usize) -> Vec<u8> {
    (0..length as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// While one sends, the other is told to wait; whoever comes with an old offset is told the new one.
async fn two_clients_write_one(platform: &Platform, ada: &Person) {
    let bytes = noise(300_000);
    let place = platform.begin_upload(ada, bytes.len(), &[("purpose", "video")]).await;
    let mut one = half_a_piece(platform, &place, ada, bytes.len(), &bytes[..100_000]);
    eventually("the first one writes", async || {
        let other = platform.piece(ada, &place, 299_999, &[0]).await;
        // the other one was in its way for a moment
        if was_answered(&one) {
            one = half_a_piece(platform, &place, ada, bytes.len(), &bytes[..100_000]);
        }
        (other.problem_code() == Some("upload_busy")).then_some(())
    })
    .await;
    let busy = platform.piece(ada, &place, 0, &bytes).await.problem(423, "upload_busy");
    assert!(busy.header("retry-after").is_some(), "{busy:?}");
    one.write_all(&bytes[100_000..]).expect("it goes on");
    let mut answer = String::new();
    one.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let file = place.replace("/tus/", "/files/");
    assert_eq!(download(platform, ada, &file).await, Sha256::digest(&bytes)[..]);
    platform.piece(ada, &place, 0, &bytes).await.problem(404, "upload_missing");
    assert_eq!(offset(platform, &place, ada).await, bytes.len(), "who asks how far it is hears that all is there");

    // both at the same offset at the same time: one piece counts, again and again
    let place = platform.begin_upload(ada, 10_000, &[("purpose", "video")]).await;
    let pieces = noise(10_000);
    for at in (0..10_000).step_by(2_500) {
        let piece = &pieces[at..at + 2_500];
        let (one, two) = tokio::join!(platform.piece(ada, &place, at, piece), platform.piece(ada, &place, at, piece));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses[0], 204, "{one:?} {two:?}");
        assert!([404, 409, 423].contains(&statuses[1]), "{one:?} {two:?}");
    }
    let file = place.replace("/tus/", "/files/");
    assert_eq!(download(platform, ada, &file).await, Sha256::digest(&pieces)[..]);
}

impl Answer {
    fn problem_code(&self) -> Option<&str> {
        self.body["code"].as_str()
    }
}

/// SHA-256 of a file, as soon as the page knows it.
async fn download(platform: &Platform, person: &Person, path: &str) -> Vec<u8> {
    eventually("the file is there", async || {
        let request = platform.client.get(format!("{}{path}", platform.url));
        let request = request.header("authorization", format!("Bearer {}", person.access_token));
        let answer = request.send().await.expect("an answer");
        let there = answer.status() == 200;
        let bytes = answer.bytes().await.expect("a body");
        there.then(|| Sha256::digest(&bytes).to_vec())
    })
    .await
}

async fn a_cut_connection(platform: &Platform, ada: &Person) {
    let bytes = noise(200_000);
    let place = platform.begin_upload(ada, bytes.len(), &[("purpose", "video")]).await;
    drop(half_a_piece(platform, &place, ada, bytes.len(), &bytes[..120_000]));
    eventually("what came is kept", async || (offset(platform, &place, ada).await == 120_000).then_some(())).await;
    eventually("it goes on", async || {
        let answer = platform.piece(ada, &place, 120_000, &bytes[120_000..]).await;
        (answer.status == 204).then_some(())
    })
    .await;
    assert_eq!(download(platform, ada, &place.replace("/tus/", "/files/")).await, Sha256::digest(&bytes)[..]);
}

async fn lengths_that_lie(platform: &Platform, ada: &Person) {
    let place = platform.begin_upload(ada, 100, &[("purpose", "video")]).await;
    platform.piece(ada, &place, 1, &[1; 10]).await.problem(409, "upload_offset");
    platform.piece(ada, &place, 200, &[1; 10]).await.problem(409, "upload_offset");
    platform.piece(ada, &place, 0, &[1; 101]).await.problem(413, "upload_too_long");
    assert_eq!(offset(platform, &place, ada).await, 0, "none of what is too long is kept");
    platform.piece(ada, &place, 0, &[1; 60]).await.expect(204);
    platform.piece(ada, &place, 60, &[1; 41]).await.problem(413, "upload_too_long");
    assert_eq!(offset(platform, &place, ada).await, 60);
    platform.get(&place.replace("/tus/", "/files/")).by(ada).send().await.problem(404, "file_missing");
    tus(platform, Method::DELETE, &place, ada).send().await.expect(204);
    eventually("it is gone", async || {
        let head = tus(platform, Method::HEAD, &place, ada).send().await;
        (head.status == 404).then_some(())
    })
    .await;
    platform.piece(ada, &place, 60, &[1; 40]).await.problem(404, "upload_missing");
    let begin = |length: &str| tus(platform, Method::POST, "/api/storage/tus", ada).header("upload-length", length);
    for length in ["-1", "1.5", "many", "18446744073709551616"] {
        begin(length).send().await.refused(400);
    }
    begin("18446744073709551615").send().await.problem(422, "file_too_long");
    let deferred = tus(platform, Method::POST, "/api/storage/tus", ada).header("upload-defer-length", "1");
    deferred.send().await.problem(400, "upload_length_invalid");
}

async fn checksums(platform: &Platform, ada: &Person) {
    let bytes = noise(5_000);
    let place = platform.begin_upload(ada, bytes.len(), &[("purpose", "video")]).await;
    let send = |at: usize, piece: &[u8], checksum: String| {
        let request = tus(platform, Method::PATCH, &place, ada).header("upload-offset", &at.to_string());
        request.header("upload-checksum", &checksum).body(PIECE, piece.to_vec()).send()
    };
    let sha256 = |piece: &[u8]| format!("sha256 {}", STANDARD.encode(Sha256::digest(piece)));
    send(0, &bytes[..1000], sha256(&bytes[..999])).await.problem(460, "checksum_mismatch");
    assert_eq!(offset(platform, &place, ada).await, 0, "nothing of it is kept");
    send(0, &bytes[..1000], sha256(&bytes[..1000])).await.expect(204);
    for none in ["md5 AAAA", "sha256 AAAA", "sha256", "nonsense"] {
        send(1000, &bytes[1000..2000], none.to_owned()).await.problem(400, "checksum_invalid");
    }
    send(1000, &bytes[1000..], format!("sha1 {}", STANDARD.encode([0; 20]))).await.problem(460, "checksum_mismatch");
    send(1000, &bytes[1000..], sha256(&bytes[1000..])).await.expect(204);
    assert_eq!(download(platform, ada, &place.replace("/tus/", "/files/")).await, Sha256::digest(&bytes)[..]);
}

async fn words_that_are_none(platform: &Platform, ada: &Person) {
    let begin = |said: &str| {
        let request = tus(platform, Method::POST, "/api/storage/tus", ada).header("upload-length", "10");
        request.header("upload-metadata", said).send()
    };
    begin("filename ???").await.problem(400, "upload_metadata_invalid");
    begin(&metadata(&[("purpose", "anything")])).await.problem(422, "purpose_invalid");
    begin(&metadata(&[("video_id", "../1")])).await.problem(422, "id_invalid");
    let place = platform.begin_upload(ada, 10, &[("purpose", "video")]).await;
    let plain = tus(platform, Method::PATCH, &place, ada).header("upload-offset", "0").body("text/plain", vec![0; 10]);
    plain.send().await.refused(415);
    let nowhere = tus(platform, Method::PATCH, &place, ada).body(PIECE, vec![0; 10]);
    nowhere.send().await.problem(400, "upload_offset_invalid");
    let old = platform.request(Method::HEAD, &place).by(ada).header("tus-resumable", "0.2.2").send().await;
    assert_eq!(old.status, 412);
    tus(platform, Method::DELETE, &place, ada).send().await.expect(204);
    // what it is called says nothing about what it is
    let html = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>";
    for (purpose, mime) in [("video", "video/mp4"), ("image", "image/png"), ("presentation", "application/pdf")] {
        let said = [("purpose", purpose), ("filetype", mime), ("filename", "honest.mp4")];
        let place = platform.begin_upload(ada, html.len(), &said).await;
        platform.piece(ada, &place, 0, html).await.problem(415, "file_kind");
        eventually("nothing is kept of it", async || {
            let head = tus(platform, Method::HEAD, &place, ada).send().await;
            (head.status == 404).then_some(())
        })
        .await;
    }
}

/// What a client shows before there is anything to work on.
async fn a_draft_waits_for_its_source(platform: &Platform, ada: &Person) {
    let id = platform.draft(ada, "Harbour").await;
    let status = async |word: &'static str| {
        eventually(&format!("the video is {word}"), async || {
            let answer = platform.get(&format!("/api/videos/{id}/status")).by(ada).send().await;
            (answer.status == 200 && answer.body["status"] == word).then_some(())
        })
        .await;
        let shown = platform.get(&format!("/api/videos/{id}")).by(ada).send().await.expect(200);
        let listed = platform.get(&format!("/api/videos/user/{}", ada.id)).by(ada).send().await.expect(200);
        assert_eq!([&shown.body["status"], &listed.body["items"][0]["status"]], [word, word]);
    };
    status("draft").await;
    let place = platform.begin_upload(ada, 100, &[("purpose", "video"), ("video_id", &id)]).await;
    status("uploading").await;
    tus(platform, Method::DELETE, &place, ada).send().await.expect(204);
    status("draft").await;
    platform.delete(&format!("/api/videos/{id}")).by(ada).send().await.expect(200);
}

/// A telephone writes into a picture where it was taken.
async fn pictures_say_no_more_than_they_show(platform: &Platform, ada: &Person) {
    let secret = b"52.5170365N 13.3888599E";
    let picture = dot();
    let (head, rest) = picture.split_at(33);
    // a chunk behind the header; nobody looks at its sum
    let length = u32::try_from(secret.len() + 8).expect("short").to_be_bytes();
    let told =
        [head, &length, b"tEXt", b"Comment\0", secret, &crc(&[b"tEXtComment\0", &secret[..]].concat()), rest].concat();
    let place = platform.begin_upload(ada, told.len(), &[("purpose", "image"), ("filetype", "text/html")]).await;
    platform.piece(ada, &place, 0, &told).await.expect(204);
    let path = place.replace("/tus/", "/files/");
    assert_eq!(download(platform, ada, &path).await, Sha256::digest(&picture)[..], "only the picture is left");
    let shown = platform.get(&path).by(ada).send().await.expect(200);
    assert_eq!(shown.header("content-type"), Some("image/png"));
    assert_eq!(shown.header("x-content-type-options"), Some("nosniff"));
    assert!(shown.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")), "{shown:?}");
    let rows = platform.system().page("file_page", "file_id").await;
    let id = place.rsplit('/').next().expect("an id");
    let row = rows.iter().find(|row| row["file_id"] == id).expect("a row");
    assert_eq!(row["size"], picture.len());
    let broken = [&picture[..40], b"and no more"].concat();
    let place = platform.begin_upload(ada, broken.len(), &[("purpose", "image")]).await;
    platform.piece(ada, &place, 0, &broken).await.problem(415, "file_kind");
    // what is shown as a page by nobody: a text that nobody knows may be a film, and is only ever saved
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let place = platform.begin_upload(ada, svg.len(), &[("purpose", "image"), ("filetype", "image/svg+xml")]).await;
    platform.piece(ada, &place, 0, svg).await.problem(415, "file_kind");
    let place = platform.begin_upload(ada, svg.len(), &[("purpose", "video"), ("filetype", "image/svg+xml")]).await;
    let sent = platform.piece(ada, &place, 0, svg).await;
    if sent.status == 204 {
        let path = place.replace("/tus/", "/files/");
        download(platform, ada, &path).await;
        let saved = platform.get(&path).by(ada).send().await.expect(200);
        assert_eq!(saved.header("content-disposition"), Some("attachment"));
        assert_eq!(saved.header("content-type"), Some("application/octet-stream"));
        assert!(saved.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")));
    } else {
        sent.problem(415, "file_kind");
    }
}

/// The sum of a PNG chunk.
fn crc(bytes: &[u8]) -> [u8; 4] {
    let sum = bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 })
    });
    (!sum).to_be_bytes()
}

/// Room is kept before bytes come, so that nobody keeps more than they may by beginning many at once.
async fn as_much_as_a_person_may_keep(platform: &Platform) {
    let bob = platform.somebody_with_profile().await;
    let most = 16usize << 30;
    let mut places = vec![];
    for _ in 0..4 {
        places.push(platform.begin_upload(&bob, most, &[("purpose", "video")]).await);
    }
    let one_more = || tus(platform, Method::POST, "/api/storage/tus", &bob).header("upload-length", "1").send();
    one_more().await.problem(409, "over_quota");
    tus(platform, Method::DELETE, &places[0], &bob).send().await.expect(204);
    one_more().await.expect(201);
    let long = tus(platform, Method::POST, "/api/storage/tus", &bob).header("upload-length", &(most + 1).to_string());
    long.send().await.problem(422, "file_too_long");
}

/// What nobody finishes goes after a while, and so does what nobody knows.
#[tokio::test]
async fn what_is_given_up_goes() {
    let setup = Setup::default().variable("REPRISE_UPLOAD_PATIENCE", "4").variable("REPRISE_ORPHAN_AGE", "1");
    let platform = setup.start().await;
    let ada = platform.somebody_with_profile().await;
    let picture = dot();
    let place = platform.begin_upload(&ada, picture.len(), &[("purpose", "image")]).await;
    platform.piece(&ada, &place, 0, &picture).await.expect(204);
    let kept = place.replace("/tus/", "/files/");
    download(&platform, &ada, &kept).await;

    let place = platform.begin_upload(&ada, 1000, &[("purpose", "video")]).await;
    platform.piece(&ada, &place, 0, &[1; 500]).await.expect(204);
    let id = place.rsplit('/').next().expect("an id").to_owned();
    let lost = [
        format!("files/{}", Uuid::now_v7()),
        format!("videos/{}/1.1/rung-360p-0123456789ab/360p/00001.m4s", Uuid::now_v7()),
        format!("videos/{}/1.1/thumbnail-0123456789ab/thumbnail.jpg", Uuid::now_v7()),
    ]
    .map(|name| platform.data().join("blobs").join(name));
    for path in &lost {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, "left by a crash").expect("a file");
    }
    let foreign = platform.data().join("blobs/README");
    std::fs::write(&foreign, "not ours").expect("a file");

    eventually("the upload is over", async || {
        let head = tus(&platform, Method::HEAD, &place, &ada).send().await;
        [404, 410].contains(&head.status).then_some(())
    })
    .await;
    let late = platform.piece(&ada, &place, 500, &[1; 500]).await;
    assert!(["upload_missing", "upload_expired"].contains(&late.problem_code().unwrap_or_default()), "{late:?}");
    eventually("its bytes are gone", async || {
        let files = platform.files();
        (!files.iter().any(|file| file.to_string_lossy().contains(&id))).then_some(())
    })
    .await;
    assert_eq!(platform.count("storage.shelf.upload_expired.v1"), 1);
    eventually("what nobody knows is gone", async || lost.iter().all(|path| !path.exists()).then_some(())).await;
    platform.get(&kept).by(&ada).send().await.expect(200);
    assert!(foreign.exists(), "what is named otherwise is somebody else's");
    std::fs::remove_file(&foreign).expect("it is there");
    platform.check().await;
}
