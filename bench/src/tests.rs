//! The load generator against the baseline on a real Postgres: every request is answered, and does what it says.

use axum::routing::get;
use axum::{Json, Router};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::baseline::{self, Options};
use crate::children::free_address;
use crate::http::{Connection, request};
use crate::load::{Load, send};
use crate::people::Person;

/// An Ed25519 key of this test: the PKCS #8 frame and 32 bytes.
fn key() -> EncodingKey {
    let frame = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    EncodingKey::from_ed_der(&[frame.as_slice(), &[7; 32]].concat())
}

fn token(person: Uuid, audience: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let claims = serde_json::json!({ "iss": "reprise", "aud": audience, "sub": person, "exp": now + 900 });
    let header = Header { kid: Some("k1".into()), ..Header::new(Algorithm::EdDSA) };
    jsonwebtoken::encode(&header, &claims, &key()).expect("a token")
}

/// Something that has keys, as the platform has.
async fn platform() -> SocketAddr {
    let mut jwk = Jwk::from_encoding_key(&key(), Algorithm::EdDSA).expect("a public key");
    jwk.common.key_id = Some("k1".into());
    let set = JwkSet { keys: vec![jwk] };
    let routes = Router::new().route("/.well-known/jwks.json", get(move || async move { Json(set) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

async fn status(address: SocketAddr, headers: &str) -> u16 {
    let mut connection = Connection::open(address).await.expect("a connection");
    let put = request("PUT", "/api/profile", headers, r#"{"display_name":"Ada"}"#);
    connection.exchange(&put).await.expect("an answer").status
}

#[tokio::test(flavor = "multi_thread")]
async fn the_baseline_answers_the_load() {
    let postgres = embedded::Postgres::scratch();
    let people: Vec<Person> =
        (0..4).map(|_| Uuid::new_v4()).map(|id| Person::known(id, token(id, "reprise"))).collect();
    baseline::prepare(&postgres.url, &people).await.expect("a table");
    let (listen, platform) = (free_address().expect("a port"), platform().await);
    let (database_url, synchronous_commit) = (postgres.url.clone(), "off".to_owned());
    tokio::spawn(baseline::serve(Options { listen, database_url, platform, synchronous_commit, pool: 4 }));
    while Connection::open(listen).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(status(listen, "").await, 401);
    let other = token(people[0].id, "another");
    assert_eq!(status(listen, &crate::http::bearer(&other)).await, 401);
    let tokens = people.iter().map(|person| person.token.clone()).collect();
    let (warmup, duration) = (Duration::from_millis(100), Duration::from_millis(300));
    let measured = send(Load { address: listen, tokens, warmup, duration, pace: None }).await.expect("only 200");
    assert!(measured.latencies.count() > 0);
    let pool = sqlx::PgPool::connect(&postgres.url).await.expect("Postgres");
    let changed = sqlx::query_scalar::<_, i64>("select count(*) from bench.profile where display_name like 'Ada %'");
    assert_eq!(changed.fetch_one(&pool).await.expect("rows"), 4);
}
