//! A push goes to a real HTTP server that does what a push service and a browser do: it checks who sends, and it reads
//! the message, by RFC 8291 as written here from its words and not with the library that wrote the message.

mod server;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes128Gcm, Nonce};
use axum::body::{Body, Bytes};
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use chrono::Utc;
use hmac::{Hmac, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use notification::{Push, PushServices, Subscription, Unsent, Urgency};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::{PublicKey, SecretKey};
use server::{Heard, Server, answer, silent};
use sha2::Sha256;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;

const CONTACT: &str = "mailto:admin@reprise.example";
const DELIVERY: Uuid = Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0001);

/// Who is pushed to.
struct Browser {
    key: SecretKey,
    auth: [u8; 16],
}

impl Browser {
    fn new() -> Self {
        Browser { key: SecretKey::from_slice(&[9; 32]).expect("a scalar"), auth: [3; 16] }
    }

    fn subscribed_at(&self, endpoint: &str) -> Subscription {
        Subscription {
            endpoint: endpoint.to_owned(),
            p256dh: BASE64_URL_SAFE_NO_PAD.encode(point(&self.key.public_key())),
            auth: BASE64_URL_SAFE_NO_PAD.encode(self.auth),
        }
    }

    /// RFC 8291, section 3.4, and RFC 8188 for one record.
    fn read(&self, body: &[u8]) -> Vec<u8> {
        let (salt, rest) = body.split_at(16);
        let (size, rest) = rest.split_at(4);
        let (sender, record) = rest[1..].split_at(rest[0].into());
        assert!(record.len() <= u32::from_be_bytes(size.try_into().expect("4 bytes")) as usize, "one record");
        let from = PublicKey::from_sec1_bytes(sender).expect("the key of the sender");
        let shared = p256::ecdh::diffie_hellman(self.key.to_nonzero_scalar(), from.as_affine());
        let parties = [b"WebPush: info\0", &point(&self.key.public_key())[..], sender].concat();
        let ikm = hkdf(&self.auth, shared.raw_secret_bytes(), &parties);
        let (key, nonce) =
            (hkdf(salt, &ikm, b"Content-Encoding: aes128gcm\0"), hkdf(salt, &ikm, b"Content-Encoding: nonce\0"));
        let cipher = Aes128Gcm::new_from_slice(&key[..16]).expect("16 bytes");
        let nonce = Nonce::from(<[u8; 12]>::try_from(&nonce[..12]).expect("12 bytes"));
        let padded = cipher.decrypt(&nonce, record).expect("meant for this browser");
        let end = padded.iter().rposition(|byte| *byte != 0).expect("a delimiter");
        assert_eq!(padded[end], 2, "the last record");
        padded[..end].to_vec()
    }
}

fn point(key: &PublicKey) -> Vec<u8> {
    key.to_encoded_point(false).as_bytes().to_vec()
}

/// RFC 5869 for no more than 32 bytes.
fn hkdf(salt: &[u8], secret: &[u8], info: &[u8]) -> [u8; 32] {
    let mac = |key: &[u8], parts: &[&[u8]]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    mac(&mac(salt, &[secret]), &[info, &[1]])
}

/// What reads messages here reads the one of RFC 8291, section 5.
#[test]
fn the_browser_of_these_tests_reads_as_the_standard_says() {
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let key = SecretKey::from_slice(&decode("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")).expect("a scalar");
    let browser = Browser { key, auth: decode("BTBZMqHH6r4Tts7J_aSIgg").try_into().expect("16 bytes") };
    let message = decode(concat!(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_",
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    ));
    assert_eq!(browser.read(&message), b"When I grow up, I want to be a watermelon");
}

/// The platform's key pair.
fn platform() -> SecretKey {
    SecretKey::from_slice(&[7; 32]).expect("a scalar")
}

fn push_to(services: &str) -> Push {
    let key = BASE64_STANDARD.encode(platform().to_bytes());
    let key = Arc::new(move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
        let key = key.clone();
        Box::pin(async move { Ok(key) })
    });
    Push::new(key, CONTACT, PushServices::only(services).expect("hosts")).expect("a contact")
}

fn push() -> Push {
    push_to("127.0.0.1")
}

async fn send(push: &Push, endpoint: &str) -> Result<Option<String>, Unsent> {
    push.send(DELIVERY, &Browser::new().subscribed_at(endpoint), b"ready", Urgency::Normal).await
}

/// The claims of who sends, if the signature is that of the key which the browser subscribed with.
fn sender(heard: &Heard) -> serde_json::Value {
    let authorization = heard.header("authorization");
    let (token, key) = authorization.strip_prefix("vapid t=").and_then(|rest| rest.split_once(", k=")).expect("VAPID");
    let public = point(&platform().public_key());
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(key).expect("base64url"), public);
    let mut validation = Validation::new(Algorithm::ES256);
    validation.validate_aud = false;
    let token = jsonwebtoken::decode(token, &DecodingKey::from_ec_der(&public), &validation).expect("a valid token");
    assert_eq!(token.header.typ.as_deref(), Some("JWT"));
    token.claims
}

#[tokio::test]
async fn a_push_service_knows_who_sends_and_only_the_browser_can_read() {
    let server = Server::start(|_| answer(201, &[("location", "/message/abc")], "")).await;
    let (push, browser) = (push(), Browser::new());
    let payload = "{\"title\":\"Your video “Ferien” is ready\"}".as_bytes();
    let to = browser.subscribed_at(&format!("{}/send/abc?x=y", server.url));
    let sent = push.send(DELIVERY, &to, payload, Urgency::High).await;
    assert_eq!(sent, Ok(Some("/message/abc".to_owned())));

    let heard = server.only();
    assert_eq!((heard.head.method.as_str(), heard.head.uri.to_string().as_str()), ("POST", "/send/abc?x=y"));
    assert_eq!(heard.header("content-encoding"), "aes128gcm");
    assert_eq!(heard.header("content-length"), heard.body.len().to_string());
    assert_eq!((heard.header("ttl"), heard.header("urgency")), ("345600", "high"));
    let topic = heard.header("topic");
    assert!(topic.len() <= 32 && BASE64_URL_SAFE_NO_PAD.decode(topic).is_ok_and(|id| id == DELIVERY.as_bytes()));
    assert_eq!(browser.read(&heard.body), payload);
    assert_eq!(memchr::memmem::find(&heard.body, b"Ferien"), None);

    let claims = sender(&heard);
    assert_eq!((&claims["aud"], &claims["sub"]), (&server.url.as_str().into(), &CONTACT.into()));
    let life = claims["exp"].as_i64().expect("a time") - Utc::now().timestamp();
    assert!((3600..=24 * 3600).contains(&life), "{life}");
}

#[tokio::test]
async fn no_two_messages_look_alike() {
    let server = Server::start(|_| answer(201, &[], "")).await;
    let (push, endpoint) = (push(), format!("{}/a", server.url));
    for _ in 0..2 {
        assert_eq!(send(&push, &endpoint).await, Ok(None));
    }
    let heard = server.heard();
    assert_ne!(heard[0].body[..16], heard[1].body[..16], "the salt");
    assert_ne!(heard[0].body[21..86], heard[1].body[21..86], "the key of the sender");
    assert_eq!(heard[0].header("topic"), heard[1].header("topic"), "the same delivery");
}

#[tokio::test]
async fn what_a_push_service_answers_is_understood() {
    let server = Server::start(|heard| {
        let status = heard.head.uri.path()[1..].parse().expect("a status");
        answer(status, &[("retry-after", "17")], "the endpoint https://secret is not known")
    })
    .await;
    let push = push();
    let answered = async |status: u16| send(&push, &format!("{}/{status}", server.url)).await;
    for status in [200, 201, 202, 204] {
        assert_eq!(answered(status).await, Ok(None), "{status}");
    }
    for status in [404, 410] {
        assert_eq!(answered(status).await, Err(Unsent::Gone(format!("HTTP {status}"))));
    }
    for status in [400, 401, 403, 405, 413] {
        assert_eq!(answered(status).await, Err(Unsent::Refused(format!("HTTP {status}"))));
    }
    for status in [408, 429, 500, 502, 503] {
        let after = Some(Duration::from_secs(17));
        assert_eq!(answered(status).await, Err(Unsent::NotNow { why: format!("HTTP {status}"), after }));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::start(|_| answer(201, &[], "")).await;
    let there = format!("{}/x", elsewhere.url);
    for status in [301, 302, 303, 307, 308] {
        let there = there.clone();
        let server = Server::start(move |_| answer(status, &[("location", &there)], "")).await;
        let sent = send(&push(), &format!("{}/a", server.url)).await;
        assert_eq!(sent, Err(Unsent::Refused(format!("HTTP {status}"))));
    }
    assert!(elsewhere.heard().is_empty());
}

#[tokio::test]
async fn nobody_is_waited_for_for_ever() {
    let push = push().waiting(Duration::from_millis(200));
    let not_now = |why: &str| Err(Unsent::NotNow { why: why.into(), after: None });
    assert_eq!(send(&push, &format!("{}/a", silent().await)).await, not_now("no answer in time"));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
    assert_eq!(send(&push, &format!("http://{nobody}/a")).await, not_now("no connection"));
}

/// A body without end neither fills the memory nor changes what was answered.
#[tokio::test]
async fn of_a_long_answer_only_the_beginning_is_read() {
    let given = Arc::new(AtomicUsize::new(0));
    let counted = given.clone();
    let server = Server::start(move |_| {
        let counted = counted.clone();
        let piece = Bytes::from_static(&[b'x'; 1024]);
        let endless = futures::stream::repeat_with(move || {
            counted.fetch_add(1024, Ordering::SeqCst);
            Ok::<_, std::io::Error>(piece.clone())
        });
        Response::builder().status(201).body(Body::from_stream(endless)).expect("an answer")
    })
    .await;
    assert_eq!(send(&push(), &format!("{}/a", server.url)).await, Ok(None));
    // what the sockets between hold, and not more
    assert!(given.load(Ordering::SeqCst) < 64 << 20);
}

#[tokio::test]
async fn who_is_not_allowed_is_never_contacted() {
    let server = Server::start(|_| answer(201, &[], "")).await;
    let port = server.url.rsplit(':').next().expect("a port").to_owned();
    for (services, endpoint) in [
        ("push.example", format!("{}/a", server.url)),
        ("localhost", format!("{}/a", server.url)),
        ("127.0.0.1", format!("http://localhost:{port}/a")),
        ("127.0.0.1", format!("http://127.0.0.1@localhost:{port}/a")),
    ] {
        let sent = send(&push_to(services), &endpoint).await;
        assert!(matches!(sent, Err(Unsent::Refused(_))), "{services} {endpoint}: {sent:?}");
    }
    assert!(server.heard().is_empty());
}

#[tokio::test]
async fn what_can_never_be_sent_is_not_tried() {
    let server = Server::start(|_| answer(201, &[], "")).await;
    let (push, browser) = (push(), Browser::new());
    let good = browser.subscribed_at(&format!("{}/a", server.url));
    let largest = vec![b'x'; 3993];
    assert_eq!(push.send(DELIVERY, &good, &largest, Urgency::Low).await, Ok(None));
    assert_eq!(server.only().body.len(), 4096, "what every push service must take");
    let long = push.send(DELIVERY, &good, &[&largest[..], b"x"].concat(), Urgency::Low).await;
    let bad_key =
        push.send(DELIVERY, &Subscription { p256dh: "AAAA".into(), ..good.clone() }, b"x", Urgency::Low).await;
    let bad_auth = push.send(DELIVERY, &Subscription { auth: "AAAA".into(), ..good }, b"x", Urgency::Low).await;
    for sent in [long, bad_key, bad_auth] {
        assert!(matches!(sent, Err(Unsent::Refused(_))), "{sent:?}");
    }
    assert_eq!(server.heard().len(), 1);
}

/// The vault may start later: nothing is lost by that, and it is asked once.
#[tokio::test]
async fn without_a_key_it_is_tried_again() {
    let server = Server::start(|_| answer(201, &[], "")).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let key = Arc::new(move || -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        let key = BASE64_STANDARD.encode(platform().to_bytes());
        Box::pin(async move { if first { Err(anyhow::anyhow!("the vault does not answer")) } else { Ok(key) } })
    });
    let push = Push::new(key, CONTACT, PushServices::only("127.0.0.1").expect("hosts")).expect("a contact");
    let endpoint = format!("{}/a", server.url);
    assert!(matches!(send(&push, &endpoint).await, Err(Unsent::NotNow { .. })));
    for _ in 0..2 {
        assert_eq!(send(&push, &endpoint).await, Ok(None));
    }
    assert_eq!((asked.load(Ordering::SeqCst), server.heard().len()), (2, 2));
}

#[test]
fn a_contact_that_is_none_is_named() {
    let key =
        Arc::new(|| -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> { Box::pin(async { Ok(String::new()) }) });
    for contact in ["", "admin@reprise.example", "mailto:", "ftp://x"] {
        let error = Push::new(key.clone(), contact, PushServices::default()).err().expect("refused").to_string();
        assert!(error.contains("REPRISE_PUSH_CONTACT"), "{error}");
    }
}
