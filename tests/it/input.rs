//! Bad input: whatever is thrown at the edge, the answer is a precise refusal and nothing reaches the log.

use crate::support::person::{PASSWORD, registration, unused_name};
use crate::support::{Person, Platform};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Bodies, tokens, headers and addresses that are none.
#[tokio::test]
async fn nothing_bad_reaches_the_log() {
    let platform = Platform::start().await;
    let ada = platform.somebody_with_profile().await;
    platform.settle().await;
    let system = platform.system();
    let before = (platform.last_position(), system.last("COMMANDS").await, system.last("ASKED").await);
    bodies(&platform, &ada).await;
    addresses(&platform, &ada).await;
    tokens(&platform, &ada).await;
    headers(&platform, &ada).await;
    framework_answers(&platform).await;
    platform.settle().await;
    assert_eq!(platform.last_position(), before.0, "{:?}", platform.events().split_off(before.0 as usize));
    assert_eq!((system.last("COMMANDS").await, system.last("ASKED").await), (before.1, before.2));
    forged_identity_headers_do_not_pass(&platform, &ada).await;
    dangerous_text_is_just_text(&platform).await;
    platform.check().await;
}

async fn bodies(platform: &Platform, ada: &Person) {
    let json_media = "application/json";
    let deep = format!("{}1{}", "{\"a\":".repeat(20_000), "}".repeat(20_000));
    let raw: Vec<(&str, Vec<u8>, std::ops::RangeInclusive<u16>)> = vec![
        (json_media, b"{\"display_name\":".to_vec(), 400..=400),
        (json_media, b"".to_vec(), 400..=400),
        (json_media, b"nonsense".to_vec(), 400..=400),
        (json_media, b"{\"display_name\":\"\xff\xfe\"}".to_vec(), 400..=400),
        (json_media, b"{\"display_name\":\"\\ud800\"}".to_vec(), 400..=422),
        (json_media, b"[]".to_vec(), 400..=422),
        (json_media, b"null".to_vec(), 400..=422),
        (json_media, b"{} trailing".to_vec(), 400..=400),
        (json_media, b"{\"display_name\":\"a\",\"display_name\":\"b\"}".to_vec(), 400..=422),
        (json_media, b"{\"display_name\":{\"$personal\":\"x\"}}".to_vec(), 422..=422),
        (json_media, b"{\"display_name\":{\"$sealed\":\"x\"}}".to_vec(), 422..=422),
        (json_media, b"{\"display_name\":42}".to_vec(), 422..=422),
        (json_media, b"{\"unknown\":1}".to_vec(), 422..=422),
        (json_media, b"{}".to_vec(), 422..=422),
        (json_media, deep.into_bytes(), 400..=422),
        ("text/plain", b"{\"bio\":\"x\"}".to_vec(), 415..=415),
        ("application/x-www-form-urlencoded", b"bio=x".to_vec(), 415..=415),
    ];
    for (media, body, statuses) in raw {
        let shown = String::from_utf8_lossy(&body).chars().take(60).collect::<String>();
        let answer = platform.put("/api/profile").by(ada).body(media, body).send().await;
        assert!(statuses.contains(&answer.status), "{shown}: {answer:?}");
        let status = answer.status;
        answer.refused(status);
    }
    a_huge_body(platform, ada).await;
    let typed = [
        json!({ "username": 7, "password": PASSWORD }),
        json!({ "username": ["x"], "password": PASSWORD }),
        json!({ "username": "fine-name", "password": null }),
        json!({ "username": "fine-name", "password": { "$ne": "" } }),
        json!({ "username": "fine-name", "password": PASSWORD, "roles": ["admin"] }),
        json!({ "username": "fine-name", "password": PASSWORD, "credential": "x" }),
        json!({ "username": "a' or '1'='1", "password": PASSWORD }),
        json!({ "username": "../../etc/passwd", "password": PASSWORD }),
        json!({ "username": "nul\u{0}byte", "password": PASSWORD }),
        json!({ "email": "a@b.example\r\nBcc: everyone@example.org", "password": PASSWORD }),
        json!({ "username": "fine-name", "password": "x".repeat(5000) }),
    ];
    for body in typed {
        platform.post("/api/auth/register").json(body).send().await.refused_within(400..=422);
    }
    let mut tricky = registration(&unused_name("fine"));
    tricky["email"] = json!("a\u{202e}b@example.org\u{0}");
    platform.post("/api/auth/register").json(tricky).send().await.refused(422);
}

/// Refused by what it says of itself, before it is sent.
async fn a_huge_body(platform: &Platform, ada: &Person) {
    let head = format!(
        "PUT /api/profile HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 100000000\r\n\r\n{{\"bio\":\"",
        ada.access_token
    );
    let mut stream = TcpStream::connect(platform.url.trim_start_matches("http://")).expect("a connection");
    stream.write_all(head.as_bytes()).expect("the head is taken");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let mut answer = vec![0; 4096];
    let size = stream.read(&mut answer).expect("an answer");
    let text = String::from_utf8_lossy(&answer[..size]).into_owned();
    assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
    assert!(text.contains("application/problem+json"), "{text}");
    // without a length it is counted while it comes
    let head = head.replace("content-length: 100000000", "transfer-encoding: chunked");
    let (head, _) = head.split_once("{\"bio").expect("a head");
    let mut stream = TcpStream::connect(platform.url.trim_start_matches("http://")).expect("a connection");
    stream.write_all(head.as_bytes()).expect("the head is taken");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let chunk = format!("400\r\n{}\r\n", " ".repeat(1024));
    let refused = (0..3000).any(|_| stream.write_all(chunk.as_bytes()).is_err());
    let size = stream.read(&mut answer).unwrap_or_default();
    let text = String::from_utf8_lossy(&answer[..size]).into_owned();
    assert!(text.starts_with("HTTP/1.1 413 ") || (refused && text.is_empty()), "{text}");
}

async fn addresses(platform: &Platform, ada: &Person) {
    for path in [
        "/api/users/seven",
        "/api/users/'%20or%201=1--",
        "/api/users/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/api/users/00000000-0000-0000-0000-00000000000g",
        "/api/operations/%00",
        "/api/profiles/%ff",
        "/api/profiles/..%2f..%2fprofile",
        "/api/auth/sessions/cmd.%3e",
        "/api/nothing",
        "/nothing/at/all",
        "/.git/config",
        "/problems/..%2f..%2fCargo.toml",
    ] {
        let answer = platform.get(path).by(ada).send().await;
        assert!((400..=406).contains(&answer.status), "{path}: {answer:?}");
    }
    let long = format!("/api/profiles/{}", "x".repeat(20_000));
    let answer = platform.get(&long).send().await;
    assert!([400, 404, 414, 431].contains(&answer.status), "{answer:?}");
}

async fn tokens(platform: &Platform, ada: &Person) {
    for (name, token) in forgeries(platform, ada).await {
        let answer = platform.put("/api/profile").token(&token).json(json!({ "bio": name })).send().await;
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
        let answer = answer.refused(401);
        assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
    }
    for value in ["Basic YTpi", "Bearer", "Bearer ", "bearer", "Token x", &format!("Bearer {0}, Bearer {0}", "a.b.c")] {
        platform.get("/api/profile").header("authorization", value).send().await.refused(401);
    }
    platform.get("/api/profile").send().await.problem(401, "unauthenticated");
}

/// Tokens that look right and are not, each for one reason.
async fn forgeries(platform: &Platform, ada: &Person) -> Vec<(&'static str, String)> {
    let keys = platform.get("/.well-known/jwks.json").send().await.expect(200);
    let key = &keys.body["keys"][0];
    let (kid, public) = (key["kid"].as_str().expect("a kid").to_owned(), key["x"].as_str().expect("x").to_owned());
    let parts: Vec<&str> = ada.access_token.split('.').collect();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).expect("base64url")).expect("JSON");
    let seal = |header: Value, claims: &Value, signature: &str| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.{signature}", part(&header), part(claims))
    };
    let head = |alg: &str| json!({ "alg": alg, "typ": "at+jwt", "kid": kid });
    let with = |name: &str, value: Value| {
        let mut other = claims.clone();
        other[name] = value;
        other
    };
    let mut hs = Header::new(Algorithm::HS256);
    (hs.kid, hs.typ) = (Some(kid.clone()), Some("at+jwt".to_owned()));
    let secret = |bytes: &[u8]| encode(&hs, &claims, &EncodingKey::from_secret(bytes)).expect("signs");
    let raw_public = URL_SAFE_NO_PAD.decode(&public).expect("base64url");
    let admin = with("roles", json!(["admin"]));
    let mut own = Header::new(Algorithm::EdDSA);
    (own.kid, own.typ) = (Some(kid.clone()), Some("at+jwt".to_owned()));
    let pair = other_key();
    let foreign = |header: &Header, claims: &Value| encode(header, claims, &pair).expect("signs");
    let mut embedded = own.clone();
    embedded.jwk = serde_json::from_value(json!({ "kty": "OKP", "crv": "Ed25519", "x": public })).ok();
    let mut unknown = own.clone();
    unknown.kid = Some("unknown".to_owned());
    let mut path = own.clone();
    path.kid = Some("../../../../dev/null".to_owned());
    let mut sql = own.clone();
    sql.kid = Some("' union select 'x".to_owned());
    let mut linked = own.clone();
    linked.jku = Some("http://127.0.0.1:1/jwks.json".to_owned());
    vec![
        ("nothing in it", "..".to_owned()),
        ("not a token", "x".to_owned()),
        ("algorithm none", seal(head("none"), &claims, "")),
        ("algorithm NONE", seal(head("NoNe"), &claims, "")),
        ("algorithm none with the signature", seal(head("none"), &claims, parts[2])),
        ("HS256 with the public key", secret(&raw_public)),
        ("HS256 with the public key as it is written", secret(public.as_bytes())),
        ("HS256 with nothing", secret(b"")),
        ("another key under our kid", foreign(&own, &claims)),
        ("another key that is an admin", foreign(&own, &admin)),
        ("another key in the header", foreign(&embedded, &claims)),
        ("unknown kid", foreign(&unknown, &claims)),
        ("kid as a path", foreign(&path, &claims)),
        ("kid as SQL", foreign(&sql, &claims)),
        ("key from elsewhere", foreign(&linked, &claims)),
        (
            "changed claims",
            seal(
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[0]).expect("base64url")).expect("JSON"),
                &admin,
                parts[2],
            ),
        ),
        ("expired", foreign(&own, &with("exp", json!(1_000_000_000)))),
        ("other audience", foreign(&own, &with("aud", json!("elsewhere")))),
        ("other issuer", foreign(&own, &with("iss", json!("elsewhere")))),
        ("a refresh token", ada.refresh_token.clone()),
        ("cut off", ada.access_token[..ada.access_token.len() - 4].to_owned()),
        ("one bit", flipped(&ada.access_token)),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("huge", "x".repeat(6000)),
    ]
}

fn other_key() -> EncodingKey {
    // a fixed Ed25519 key in PKCS#8, made for this test and used nowhere else
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend([7; 32]);
    EncodingKey::from_ed_der(&der)
}

/// The same token with one bit of its signature turned.
fn flipped(token: &str) -> String {
    let (rest, signature) = token.rsplit_once('.').expect("three parts");
    let mut bytes = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    bytes[0] ^= 1;
    format!("{rest}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

async fn headers(platform: &Platform, ada: &Person) {
    let change = || json!({ "bio": "x" });
    let put = |name: &str, value: &str| platform.put("/api/profile").by(ada).header(name, value).json(change()).send();
    for tag in ["\"x\"", "seven", "W/\"1\"", "\"1\", \"2\"", "\"99999999999999999999999\"", "\"-1\""] {
        put("if-match", tag).await.refused_within(400..=412);
    }
    put("idempotency-key", "").await.refused(400);
    let big = "x".repeat(70_000);
    if let Ok(answer) = platform.get("/api/profile").by(ada).header("x-padding", &big).try_send().await {
        assert!([400, 413, 431].contains(&answer.status), "{answer:?}");
    }
    let many =
        (0..300).fold(platform.get("/api/profile").by(ada), |request, n| request.header(&format!("x-h{n}"), "x"));
    if let Ok(answer) = many.try_send().await {
        assert!([200, 400, 431].contains(&answer.status), "{answer:?}");
    }
}

/// What the framework would answer by itself is a problem too.
async fn framework_answers(platform: &Platform) {
    let wrong = platform.delete("/api/auth/login").send().await.problem(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("POST"));
    platform.get("/api/no/such/thing").send().await.problem(404, "not_found");
    let patch = platform.request(Method::PATCH, "/api/profile").send().await.refused(405);
    assert!(patch.header("allow").is_some_and(|allow| allow.contains("PUT") && allow.contains("GET")), "{patch:?}");
    let answer = platform.request(Method::from_bytes(b"BREW").expect("a token"), "/api/profile").send().await;
    assert!([405, 501].contains(&answer.status), "{answer:?}");
    let options = platform.request(Method::OPTIONS, "/api/profile").header("origin", "https://evil.example");
    let options = options.header("access-control-request-method", "PUT").send().await;
    assert_ne!(options.header("access-control-allow-origin"), Some("https://evil.example"), "{options:?}");
    assert_ne!(options.header("access-control-allow-origin"), Some("*"), "{options:?}");
}

/// `x-user-*`, `ce-*` and `Nats-*` of a client never pass: the command is the caller's and nobody else's.
async fn forged_identity_headers_do_not_pass(platform: &Platform, ada: &Person) {
    let other = platform.somebody_with_profile().await;
    let request = platform.put("/api/profile").by(ada);
    let request = request.header("x-user-id", &other.id.to_string()).header("x-user-role", "admin");
    let request =
        request.header("ce-subject", &other.id.to_string()).header("ce-authtype", "system").header("ce-id", "x");
    let request = request.header("nats-msg-id", "forged").header("nats-expected-last-msg-id", "forged");
    let request = request.header("nats-expected-last-subject-sequence", "77").header("nats-rollup", "all");
    let answer = request.json(json!({ "bio": "still mine" })).send().await.expect(200);
    assert_eq!(answer.body["user_id"], json!(ada.id));
    let last = platform.events_about(ada.id).pop().expect("an event");
    assert_eq!((last.id("authid"), &last.event["authtype"]), (ada.id, &json!("app_user")));
    platform.get("/api/users").by(ada).header("x-user-role", "admin").send().await.problem(403, "admin_required");
    let answer = platform.get("/api/profile").header("x-user-id", &other.id.to_string()).send().await;
    answer.problem(401, "unauthenticated");
}

/// Text that would be dangerous elsewhere is stored and shown as it is.
async fn dangerous_text_is_just_text(platform: &Platform) {
    let ada = platform.somebody_with_profile().await;
    for text in [
        "'; drop table users; --",
        "${jndi:ldap://x}",
        "../../etc/passwd",
        "{\"$sealed\":\"x.y\"}",
        "\u{202e}abc",
        "%00",
        "💥",
    ] {
        let answer = platform.put("/api/profile").by(&ada).json(json!({ "bio": text })).send().await.expect(200);
        let shown = platform.get("/api/profile").by(&ada).after(&answer).send().await.expect(200);
        assert_eq!(shown.body["bio"], text);
    }
}
