//! Sockets, with the client that everybody has: who is let in, who hears what, and when a socket ends.

use crate::support::films::clip;
use crate::support::platform::Setup;
use crate::support::sockets::{Socket, Sockets};
use crate::support::{Person, Platform};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// The word that a refusal begins with.
fn code(refusal: &Value) -> String {
    refusal["message"].as_str().and_then(|text| text.split_once(": ")).expect("a code and words").0.to_owned()
}

impl Platform {
    /// Says something to a room, with the rights of a service.
    fn say(&self, role: &str, subject: &str, said: &Value) {
        let mut service = self.system().stranger(role);
        service.publish(subject, said.to_string().as_bytes()).expect("it may be said");
        service.flush().expect("it is said");
        assert!(service.refused.is_empty(), "{:?}", service.refused);
    }
}

#[tokio::test]
async fn who_is_let_in_and_what_they_hear() {
    let platform = Platform::start().await;
    let sockets = Sockets::start();
    let (ada, bob) = (platform.somebody_with_profile().await, platform.somebody().await);
    every_way_in(&platform, &sockets, &ada).await;
    nobody_comes_in_without_a_good_token(&platform, &sockets, &ada).await;
    pages_of_strangers_stay_outside(&platform).await;
    every_question_is_answered(&platform, &sockets, &ada, &bob).await;
    what_is_for_somebody_reaches_nobody_else(&platform, &sockets, &ada, &bob).await;
    who_signs_out_hears_no_more(&platform, &sockets, &ada).await;
    metrics(&platform, &sockets, &bob).await;
    who_is_connected_when_it_ends(platform, &sockets, &bob).await;
}

/// Both paths, both transports, both places for the token.
async fn every_way_in(platform: &Platform, sockets: &Sockets, ada: &Person) {
    let auth = json!({ "token": ada.access_token });
    for path in ["/ws", "/socket.io"] {
        for transports in [json!(["websocket"]), json!(["polling"]), json!(["polling", "websocket"])] {
            let socket = sockets.open(&platform.url, json!({ "path": path, "transports": transports, "auth": auth }));
            let connected = socket.hears("connect").await;
            match transports[1].is_null() {
                true => assert_eq!(connected["transport"], transports[0], "{path}"),
                false => assert_eq!(socket.hears("upgrade").await["transport"], "websocket", "{path}"),
            }
            let answer = socket.ask("join", json!({ "room": format!("user:{}", ada.id) })).await;
            assert_eq!(answer["status"], "ok", "{path} {transports}: {answer}");
        }
    }
    let header = json!({ "authorization": format!("Bearer {}", ada.access_token) });
    for transport in ["websocket", "polling"] {
        let options = json!({ "path": "/ws", "transports": [transport], "extraHeaders": header });
        sockets.open(&platform.url, options).hears("connect").await;
    }
}

async fn nobody_comes_in_without_a_good_token(platform: &Platform, sockets: &Sockets, ada: &Person) {
    let broken = ada.access_token.replace('.', ".x");
    for (auth, expected) in [
        (json!({}), "unauthenticated"),
        (json!({ "token": "nonsense" }), "token_invalid"),
        (json!({ "token": broken }), "token_invalid"),
        (json!({ "token": "x".repeat(9000) }), "token_invalid"),
        (json!({ "token": 5 }), "field_invalid"),
        (json!({ "token": { "deep": [] } }), "field_invalid"),
    ] {
        for transport in ["websocket", "polling"] {
            let options = json!({ "path": "/ws", "transports": [transport], "auth": auth });
            let socket = sockets.open(&platform.url, options);
            assert_eq!(code(&socket.hears("connect_error").await), expected, "{auth}");
        }
    }
    // what is shown in the handshake counts more than what the request carries
    let header = json!({ "authorization": "Bearer nonsense" });
    let options = json!({ "path": "/ws", "transports": ["websocket"], "extraHeaders": header });
    assert_eq!(code(&sockets.open(&platform.url, options).hears("connect_error").await), "token_invalid");
    let options = json!({ "path": "/ws", "extraHeaders": header, "auth": { "token": ada.access_token } });
    sockets.open(&platform.url, options).hears("connect").await;
}

/// A browser says where a page comes from, and a page of somebody else gets no socket.
async fn pages_of_strangers_stay_outside(platform: &Platform) {
    let knock = |origin: &'static str| platform.get("/ws/?EIO=4&transport=polling").header("origin", origin).send();
    knock("https://evil.example").await.problem(403, "origin_not_allowed");
    knock("null").await.problem(403, "origin_not_allowed");
    let listed = knock("http://localhost:5173").await.expect(200);
    assert_eq!(listed.header("access-control-allow-origin"), Some("http://localhost:5173"));
    let own = platform.url.clone();
    platform.get("/socket.io/?EIO=4&transport=polling").header("origin", &own).send().await.expect(200);
    // what is none of Socket.IO's words is a problem like every other
    platform.get("/ws").send().await.refused(400);
    platform.get("/ws/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAHs").send().await.refused(400);
    platform.get("/ws/?EIO=9&transport=polling").send().await.refused(400);
    platform.get("/ws/?EIO=4&transport=websocket").send().await.refused(400);
    let long = platform.post("/ws/?EIO=4&transport=polling").body("text/plain", "4".repeat(20_000)).send().await;
    long.refused(413);
}

async fn every_question_is_answered(platform: &Platform, sockets: &Sockets, ada: &Person, bob: &Person) {
    let socket = sockets.of(&platform.url, ada).await;
    let nothing = Uuid::now_v7().to_string();
    let private = platform.post("/api/videos").by(ada).json(json!({ "title": "Draft" })).send().await.expect(201);
    let (draft, bobs) = (private.text_at("/id"), sockets.of(&platform.url, bob).await);
    platform.settle().await;
    for (event, said, expected) in [
        ("joinVideo", json!({ "videoId": draft }), "ok"),
        ("joinVideo", json!(draft), "ok"),
        ("join", json!({ "room": format!("video:{draft}") }), "ok"),
        ("leaveVideo", json!({ "videoId": draft }), "ok"),
        ("leave", json!({ "room": format!("user:{}", ada.id) }), "ok"),
        ("joinVideo", json!({ "videoId": nothing }), "video_missing"),
        ("joinVideo", json!({ "videoId": "../x" }), "room_invalid"),
        ("joinVideo", json!({ "videoId": 7 }), "field_invalid"),
        ("joinVideo", json!({ "bytes": "binary" }), "field_invalid"),
        ("joinVideo", Value::Null, "field_invalid"),
        ("join", json!({ "room": format!("user:{}", bob.id) }), "room_forbidden"),
        ("join", json!({ "room": "everybody" }), "room_invalid"),
        ("join", json!(["video", { "a": [] }]), "field_invalid"),
        ("leave", json!({}), "field_invalid"),
        ("authenticate", json!({ "token": "nonsense" }), "token_invalid"),
        ("authenticate", json!({ "token": bob.access_token }), "not_yours"),
        ("authenticate", json!({ "token": ada.access_token }), "ok"),
        ("notification", json!({ "to": "everybody" }), "event_unknown"),
    ] {
        assert_eq!(verdict(&socket.ask(event, said.clone()).await), expected, "{event} {said}");
    }
    assert_eq!(verdict(&socket.ask_with("joinVideo", json!([])).await), "field_invalid");
    assert_eq!(verdict(&bobs.ask("joinVideo", json!({ "videoId": draft })).await), "video_missing");
    // who wants no acknowledgement hears of trouble nevertheless
    socket.send("joinVideo", json!({ "videoId": "../x" }));
    let problem = socket.event("problem").await;
    assert_eq!((&problem["event"], &problem["code"]), (&json!("joinVideo"), &json!("room_invalid")));
    assert!(socket.all().iter().all(|line| line["what"] != "disconnect"), "it is still there");
}

fn verdict(answer: &Value) -> String {
    let status = answer["status"].as_str().expect("a status");
    if status == "ok" { status.to_owned() } else { answer["code"].as_str().expect("a code").to_owned() }
}

async fn what_is_for_somebody_reaches_nobody_else(platform: &Platform, sockets: &Sockets, ada: &Person, bob: &Person) {
    let here = [sockets.of(&platform.url, ada).await, sockets.of(&platform.url, ada).await];
    let there = sockets.of(&platform.url, bob).await;
    let said = |n: u32, id: Uuid| json!({ "id": id, "event": "notification", "data": { "n": n, "text": "Grüße" } });
    let subject = |person: &Person| format!("rt.user.{}", person.id);
    let again = Uuid::now_v7();
    for (to, said) in [
        (ada, json!("nonsense")),
        (ada, said(1, again)),
        (ada, said(1, again)),
        (ada, said(2, Uuid::now_v7())),
        (bob, said(3, Uuid::now_v7())),
    ] {
        platform.say("notification", &subject(to), &said);
    }
    assert_eq!(there.event("notification").await, json!({ "n": 3, "text": "Grüße" }));
    for socket in &here {
        assert_eq!(numbers(socket, 2).await, [1, 2], "each once, and what is for others not at all");
    }
    assert_eq!(there.events("notification").len(), 1);
}

/// The numbers of the notifications that came, once the last one is there.
async fn numbers(socket: &Socket<'_>, last: u64) -> Vec<u64> {
    let all =
        || socket.events("notification").iter().map(|one| one["data"][0]["n"].as_u64().expect("a number")).collect();
    crate::support::eventually("the last notification", async || {
        let all: Vec<u64> = all();
        all.contains(&last).then_some(())
    })
    .await;
    all()
}

async fn who_signs_out_hears_no_more(platform: &Platform, sockets: &Sockets, ada: &Person) {
    let login = platform.login(&ada.username, crate::support::person::PASSWORD).await.expect(200);
    let session = Person::signed_in(&login);
    let (stays, goes) = (sockets.of(&platform.url, ada).await, sockets.of(&platform.url, &session).await);
    let start = Instant::now();
    let answer = platform.post("/api/auth/logout").by(&session).send().await;
    assert!(answer.status < 300, "{answer:?}");
    assert_eq!(goes.hears("disconnect").await["reason"], "io server disconnect");
    assert!(start.elapsed() < Duration::from_secs(1), "it took {:?}", start.elapsed());
    assert_eq!(goes.event("sessionEnded").await["code"], "session_ended");
    let options = json!({ "path": "/ws", "transports": ["websocket"], "auth": { "token": session.access_token } });
    assert_eq!(code(&sockets.open(&platform.url, options).hears("connect_error").await), "session_ended");
    assert_eq!(verdict(&stays.ask("authenticate", json!({ "token": session.access_token })).await), "session_ended");
    assert!(stays.all().iter().all(|line| line["what"] != "disconnect"), "the other session goes on");
}

async fn metrics(platform: &Platform, sockets: &Sockets, bob: &Person) {
    let _one = sockets.of(&platform.url, bob).await;
    let value = async |name: &str| {
        let text = platform.get("/metrics").send().await.expect(200).text;
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
        line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok()).expect("a number")
    };
    assert!(value("socket_messages_total{event=\"notification\"}").await >= 3.0);
    // all the others were closed, and nothing is left of them
    crate::support::eventually("one socket is open", async || (value("sockets_open ").await == 1.0).then_some(()))
        .await;
}

/// A platform that stops ends its sockets so that their clients look for another gateway.
async fn who_is_connected_when_it_ends(platform: Platform, sockets: &Sockets, bob: &Person) {
    let open = |transport: &str| {
        let auth = json!({ "token": bob.access_token });
        let options = json!({ "path": "/ws", "transports": [transport], "auth": auth, "reconnection": false });
        sockets.open(&platform.url, options)
    };
    let all = ["websocket", "polling"].map(open);
    for socket in &all {
        socket.hears("connect").await;
    }
    drop(platform.stop());
    for socket in &all {
        let reason = socket.hears("disconnect").await["reason"].clone();
        assert!(["transport close", "transport error"].contains(&reason.as_str().unwrap_or_default()), "{reason}");
    }
}

/// The owner hears everything without asking, others what they may see, and each of it once.
#[tokio::test]
async fn how_far_a_video_is_is_told_as_it_happens() {
    let platform = Platform::start().await;
    let sockets = Sockets::start();
    let (ada, bob) = (platform.somebody_with_profile().await, platform.somebody().await);
    let owner = sockets.of(&platform.url, &ada).await;
    let viewer = sockets.of(&platform.url, &bob).await;
    let folder = tempfile::tempdir().expect("a folder");
    let source = std::fs::read(clip(folder.path(), "854x480", 20)).expect("the clip");
    platform.uploaded(&ada, &source, "Live").await;
    let first = owner.event("videoProcessingProgress").await;
    let id = first["videoId"].as_str().expect("an id").to_owned();
    // what is heard at once may be ahead of the rows for a moment
    crate::support::eventually("the owner may look", async || {
        let answer = owner.ask("joinVideo", json!({ "videoId": id })).await;
        (verdict(&answer) == "ok").then_some(())
    })
    .await;
    assert_eq!(verdict(&viewer.ask("joinVideo", json!({ "videoId": id })).await), "video_missing");
    platform.video_in(&ada, &["ready"]).await;
    let complete = owner.event("videoProcessingComplete").await;
    assert_eq!((&complete["videoId"], &complete["version"]), (&json!(id), &json!(1)));
    platform.settle().await;
    assert_eq!(owner.events("videoProcessingComplete").len(), 1, "once, though in two rooms");
    rises_slowly(&owner.events("videoProcessingProgress"));
    assert_eq!(viewer.events("videoProcessingProgress").len() + viewer.events("videoProcessingComplete").len(), 0);

    let published = platform.post(&format!("/api/videos/{id}/publish")).by(&ada).send().await.expect(200);
    platform.get(&format!("/api/videos/{id}")).by(&bob).after(&published).send().await.expect(200);
    crate::support::eventually("the viewer may look", async || {
        let answer = viewer.ask("joinVideo", json!({ "videoId": id })).await;
        (verdict(&answer) == "ok").then_some(())
    })
    .await;
    let said = json!({ "event": "somethingNew", "data": { "videoId": id } });
    platform.say("video", &format!("rt.video.{id}"), &said);
    assert_eq!(viewer.event("somethingNew").await["videoId"], id.as_str());

    who_may_not_see_it_any_more_leaves(&platform, &ada, &id, &owner, &viewer).await;

    platform.uploaded(&bob, &vec![7; 5000], "Noise").await;
    let failed = viewer.event("videoProcessingError").await;
    assert_eq!(failed["code"], "source_broken", "{failed}");
    assert!(failed["message"].is_string() && failed["videoId"] != id.as_str(), "{failed}");
    assert_eq!(owner.events("videoProcessingError").len(), 0);
    platform.check().await;
}

/// Whoever looks at a video that is hidden hears so, and of it nothing more; its owner stays.
async fn who_may_not_see_it_any_more_leaves(
    platform: &Platform,
    ada: &Person,
    id: &str,
    owner: &Socket<'_>,
    viewer: &Socket<'_>,
) {
    let video = format!("/api/videos/{id}");
    let hiding = [
        platform.put(&video).by(ada).json(json!({ "visibility": "private" })),
        platform.post(&format!("{video}/unpublish")).by(ada),
    ];
    for (n, hide) in hiding.into_iter().enumerate() {
        hide.send().await.expect(200);
        crate::support::eventually("the viewer is out", async || {
            (viewer.events("videoHidden").len() == n + 1).then_some(())
        })
        .await;
        let said = json!({ "event": "secret", "data": { "n": n } });
        platform.say("video", &format!("rt.video.{id}"), &said);
        crate::support::eventually("the owner hears it", async || {
            (owner.events("secret").len() == n + 1).then_some(())
        })
        .await;
        assert_eq!(verdict(&viewer.ask("joinVideo", json!({ "videoId": id })).await), "video_missing");
        platform.put(&video).by(ada).json(json!({ "visibility": "unlisted" })).send().await.expect(200);
        if n == 0 {
            crate::support::eventually("the viewer may look again", async || {
                let answer = viewer.ask("joinVideo", json!({ "videoId": id })).await;
                (verdict(&answer) == "ok").then_some(())
            })
            .await;
        }
    }
    assert_eq!((viewer.events("secret").len(), owner.events("videoHidden").len()), (0, 0));
    platform.delete(&video).by(ada).send().await.expect(200);
    assert_eq!(owner.event("videoHidden").await["videoId"], id);
}

/// Monotonic, and at most one a second, give or take what the way takes.
fn rises_slowly(events: &[Value]) {
    let told: Vec<_> = events.iter().map(|one| one["data"][0]["progress"].as_u64().expect("a number")).collect();
    assert!(told.len() > 1 && told.is_sorted_by(|a, b| a < b) && told.iter().all(|one| *one < 100), "{told:?}");
    let at: Vec<_> = events.iter().map(|one| one["at"].as_u64().expect("a time")).collect();
    let took = at[at.len() - 1] - at[0];
    assert!(told.len() as u64 <= took / 1000 + 2, "{} in {took} ms", told.len());
}

/// Where callers are limited, one of them does not take every socket.
#[tokio::test]
async fn nobody_takes_every_socket() {
    let platform = Setup::default().variable("REPRISE_RATE_LIMITS", "on").start().await;
    let sockets = Sockets::start();
    let ada = platform.somebody_with_profile().await;
    let mut open = vec![];
    for _ in 0..50 {
        open.push(sockets.of(&platform.url, &ada).await);
    }
    let auth = json!({ "token": ada.access_token });
    let options = json!({ "path": "/ws", "transports": ["websocket"], "auth": auth });
    let one_more = sockets.open(&platform.url, options);
    assert_eq!(code(&one_more.hears("connect_error").await), "rate_limited");
    drop(open.pop());
    crate::support::eventually("a place is free again", async || {
        let socket = sockets.open(&platform.url, json!({ "path": "/ws", "transports": ["websocket"], "auth": auth }));
        let what = ["connect", "connect_error"];
        let heard = crate::support::eventually("an answer", async || {
            socket.all().into_iter().find(|line| what.iter().any(|it| line["what"] == *it))
        });
        (heard.await["what"] == "connect").then_some(())
    })
    .await;
    // a client that polls asks often, and is not refused its other requests for it
    let polled = platform.get("/api/profile").by(&ada).send().await.expect(200);
    assert!(polled.header("ratelimit").is_some_and(|text| text.starts_with("\"person\"")), "{polled:?}");
}
