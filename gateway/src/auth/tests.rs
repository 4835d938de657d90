use super::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A signing key from a seed, in the form that private keys have in files (PKCS #8).
fn signing(seed: u8) -> EncodingKey {
    let prefix = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    EncodingKey::from_ed_der(&[&prefix[..], &[seed; 32]].concat())
}

fn public(seed: u8, kid: &str) -> Jwk {
    let mut jwk = Jwk::from_encoding_key(&signing(seed), Algorithm::EdDSA).expect("an Ed25519 key");
    jwk.common.key_id = Some(kid.to_owned());
    jwk
}

/// A gateway whose vault has the key `one` of seed 1, and counts how often it was asked.
fn auth() -> (Auth, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let source: KeySource = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(JwkSet { keys: vec![public(1, "one")] }) })
    });
    (Auth::new(source), asked)
}

fn header(kid: &str) -> Header {
    Header { typ: Some("at+jwt".to_owned()), kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) }
}

fn claims() -> Value {
    let now = Utc::now().timestamp();
    json!({"iss": "reprise", "aud": "reprise", "sub": Uuid::from_u128(1), "sid": Uuid::from_u128(2), "jti": "x",
           "roles": ["admin", "owner_of_the_future"], "iat": now, "nbf": now, "exp": now + 900})
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

fn token(header: &Header, claims: &Value, seed: u8) -> String {
    encode(header, claims, &signing(seed)).expect("a token")
}

fn raw(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

async fn identify(auth: &Auth, token: &str) -> Identity {
    auth.identify(Some(&HeaderValue::from_str(&format!("Bearer {token}")).expect("ASCII"))).await
}

#[tokio::test]
async fn a_good_token_is_somebody() {
    let (auth, _) = auth();
    for _ in 0..2 {
        let Identity::Person(actor) = identify(&auth, &token(&header("one"), &claims(), 1)).await else {
            panic!("a good token was refused")
        };
        assert_eq!((actor.id, actor.session), (Uuid::from_u128(1), Uuid::from_u128(2)));
        assert_eq!(&*actor.roles, [Role::Admin], "unknown roles give no right");
    }
}

#[tokio::test]
async fn a_forged_token_is_nobody() {
    let (auth, _) = auth();
    let good = token(&header("one"), &claims(), 1);
    let parts: Vec<&str> = good.split('.').collect();
    let now = Utc::now().timestamp();
    let x = URL_SAFE_NO_PAD.decode(serde_json::to_value(public(1, "one")).expect("JSON")["x"].as_str().expect("x"));
    let secret = EncodingKey::from_secret(&x.expect("base64"));
    let hs256 = Header { alg: Algorithm::HS256, ..header("one") };
    let mine =
        Header { jwk: Some(public(9, "one")), jku: Some("https://evil.example/jwks".to_owned()), ..header("one") };
    let none = json!({"alg": "none", "typ": "at+jwt", "kid": "one"});
    let critical = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "one", "crit": ["exp"], "exp": 1});
    let forged = [
        ("alg none", raw(&none, &claims(), "")),
        ("alg None with a signature", raw(&json!({"alg": "None", "typ": "at+jwt", "kid": "one"}), &claims(), parts[2])),
        ("HS256 with the public key", encode(&hs256, &claims(), &secret).expect("a token")),
        ("another key", token(&header("one"), &claims(), 9)),
        ("another key that it brings along", token(&mine, &claims(), 9)),
        (
            "changed claims",
            format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(with("sub", "x").to_string()), parts[2]),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("no kid", token(&Header { kid: None, ..header("one") }, &claims(), 1)),
        ("a kid that is a path", token(&header("../../../../dev/null"), &claims(), 1)),
        ("a kid that is SQL", token(&header("' or '1'='1"), &claims(), 1)),
        ("a kid that is empty", token(&header(""), &claims(), 1)),
        ("an ID token", token(&Header { typ: Some("JWT".to_owned()), ..header("one") }, &claims(), 1)),
        ("no typ", token(&Header { typ: None, ..header("one") }, &claims(), 1)),
        ("something critical", raw(&critical, &claims(), parts[2])),
        ("another issuer", token(&header("one"), &with("iss", "evil"), 1)),
        ("another audience", token(&header("one"), &with("aud", "other"), 1)),
        ("no audience", token(&header("one"), &with("aud", Value::Null), 1)),
        ("not yet", token(&header("one"), &with("nbf", now + 60), 1)),
        ("issued tomorrow", token(&header("one"), &with("iat", now + 86_400), 1)),
        ("no end", token(&header("one"), &with("exp", Value::Null), 1)),
        ("a subject that is no id", token(&header("one"), &with("sub", "admin"), 1)),
        ("no session", token(&header("one"), &with("sid", Value::Null), 1)),
        ("too long", "x".repeat(5000)),
        ("junk", "junk".to_owned()),
    ];
    for (what, token) in forged {
        let identity = identify(&auth, &token).await;
        assert!(matches!(identity, Identity::Refused(Refused::Invalid)), "{what}: {identity:?}");
    }
    let other = auth.identify(Some(&HeaderValue::from_static("Basic YTpi"))).await;
    assert!(matches!(other, Identity::Refused(Refused::Invalid)));
    assert!(matches!(auth.identify(None).await, Identity::Nobody));
}

#[tokio::test]
async fn an_old_token_says_so() {
    let (auth, _) = auth();
    let now = Utc::now().timestamp();
    let mut old = with("exp", now - 30);
    old["iat"] = (now - 900).into();
    old["nbf"] = (now - 900).into();
    assert!(matches!(identify(&auth, &token(&header("one"), &old, 1)).await, Identity::Refused(Refused::Expired)));
}

#[tokio::test]
async fn a_token_that_is_remembered_still_ends() {
    let (auth, _) = auth();
    let good = token(&header("one"), &claims(), 1);
    assert!(matches!(identify(&auth, &good).await, Identity::Person(_)));
    let ended = json!({"type": "identity.session.ended.v1", "subject": Uuid::from_u128(2), "time": Utc::now()});
    auth.revocations.learn(ended.to_string().as_bytes());
    assert!(matches!(identify(&auth, &good).await, Identity::Refused(Refused::Ended)));
}

#[tokio::test]
async fn unknown_keys_do_not_make_the_vault_busy() {
    let (auth, asked) = auth();
    for n in 0..50 {
        identify(&auth, &token(&header(&format!("unknown-{n}")), &claims(), 9)).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(matches!(identify(&auth, &token(&header("one"), &claims(), 1)).await, Identity::Person(_)));
}

#[tokio::test]
async fn without_the_vault_nobody_knows() {
    let auth = Auth::new(Arc::new(|| Box::pin(async { anyhow::bail!("down") })));
    assert!(matches!(identify(&auth, &token(&header("one"), &claims(), 1)).await, Identity::Unknown));
}
