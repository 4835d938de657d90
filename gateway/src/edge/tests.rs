use super::*;
use crate::answer::Answer;
use crate::auth::Actor;
use crate::extract::{Admin, Body as Json};
use axum::routing::{get, post};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
    #[serde(default)]
    inner: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    ages: Vec<u8>,
}

async fn form(Json(form): Json<Form>) -> Answer {
    let ages = form.inner.map_or(0, |inner| inner.ages.len());
    Answer::ok(&serde_json::json!({ "name": form.name, "ages": ages }))
}

async fn broken() -> Answer {
    panic!("a defect")
}

async fn reads(asked: Asked) -> Answer {
    Answer::ok(&"x".repeat(5000)).etag(7).unless_known(&asked)
}

fn edge(change: impl FnOnce(&mut Config)) -> Edge {
    let mut config = Config::default();
    change(&mut config);
    let keys = Keys { fingerprint: vec![1; 32], consistency: vec![2; 32] };
    Edge::new(config, keys, Arc::new(|| Box::pin(async { anyhow::bail!("no vault here") })))
}

fn router() -> Router {
    Router::new()
        .route("/api/form", post(form))
        .route("/api/auth/login", post(form))
        .route("/api/any", post(|Json(any): Json<Value>| async move { Answer::ok(&any) }))
        .route("/api/broken", get(broken))
        .route("/api/me", get(|actor: Actor| async move { Answer::ok(&actor.id) }))
        .route("/api/admin", get(|_: Admin| async { Answer::nothing() }))
        .route("/api/page/{id}", get(reads))
        .route("/livez", get(|| async { Answer::nothing() }))
        .route_layer(Labelled)
}

struct Told {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

async fn tell(edge: &Edge, request: Request<Body>) -> Told {
    let response = edge.handle(&router(), IpAddr::from([10, 0, 0, 1]), request).await;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Told { status: parts.status.as_u16(), headers: parts.headers, body }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).expect("a request")
}

const JSON: (&str, &str) = ("content-type", "application/json");

/// Everything that is not a success has the same form, whoever noticed.
#[tokio::test]
async fn every_failure_is_a_problem() {
    let edge = edge(|config| config.rate_limits = false);
    let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(BODY));
    let big = format!("{{\"name\":\"{}\"}}", "x".repeat(AUTH_BODY));
    let deep = "{\"a\":".repeat(100_000);
    let (many, long) = ((0..70).map(|n| (format!("x-{n}"), "1")).collect::<Vec<_>>(), "x".repeat(20_000));
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let cases = [
        (431, "headers_too_large", request("GET", "/api/me", &many, "")),
        (431, "headers_too_large", request("GET", "/api/me", &[("cookie", &long)], "")),
        (414, "uri_too_long", request("GET", &format!("/api/me?{long}"), &[], "")),
        (404, "not_found", request("GET", "/api/nothing", &[], "")),
        (404, "not_found", request("GET", "/%2e%2e/etc/passwd", &[], "")),
        (405, "method_not_allowed", request("DELETE", "/api/form", &[], "")),
        (413, "body_too_large", request("POST", "/api/form", &[JSON], &huge)),
        (413, "body_too_large", request("POST", "/api/auth/login", &[JSON], &big)),
        (415, "unsupported_media_type", request("POST", "/api/form", &[("content-type", "text/xml")], "<a/>")),
        (415, "unsupported_media_type", request("POST", "/api/form", &[], "{}")),
        (400, "json_malformed", request("POST", "/api/form", &[JSON], "{\"name\": \"x\",}")),
        (400, "json_malformed", request("POST", "/api/any", &[JSON], &deep)),
        (400, "body_required", request("POST", "/api/form", &[JSON], "")),
        (422, "field_invalid", request("POST", "/api/form", &[JSON], "{\"name\": 7}")),
        (422, "field_invalid", request("POST", "/api/form", &[JSON], "{\"name\": \"x\", \"admin\": true}")),
        (422, "field_invalid", request("POST", "/api/form", &[JSON], "[]")),
        (401, "unauthenticated", request("GET", "/api/me", &[], "")),
        (401, "token_invalid", request("GET", "/api/me", &[("authorization", "Bearer x")], "")),
        (401, "unauthenticated", request("GET", "/api/admin", &[("x-user-id", "1"), ("x-user-roles", "admin")], "")),
        (500, "internal", request("GET", "/api/broken", &[], "")),
    ];
    for (status, code, request) in cases {
        let what = format!("{} {}", request.method(), request.uri());
        let path = request.uri().path().to_owned();
        let told = tell(&edge, request).await;
        assert_eq!((told.status, told.body["code"].as_str()), (status, Some(code)), "{what}: {}", told.body);
        assert_eq!(told.header("content-type"), "application/problem+json", "{what}");
        assert_eq!(told.body["status"], status, "{what}");
        assert_eq!(told.body["instance"], *path, "{what}");
        assert_eq!(told.body["type"], format!("http://localhost:3000/problems/{code}"), "{what}");
        assert_eq!(told.body["request_id"], told.header("x-request-id"), "{what}");
        assert!(told.body["title"].is_string() && told.body["detail"].is_string(), "{what}");
        assert_eq!(told.headers.contains_key("www-authenticate"), status == 401, "{what}");
        assert_eq!(told.header("x-content-type-options"), "nosniff", "{what}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let edge = edge(|_| {});
    let told = tell(&edge, request("DELETE", "/api/form", &[], "")).await;
    assert_eq!(told.header("allow"), "POST");
    let bad = "{\"name\": \"x\", \"inner\": {\"ages\": [1, 300]}}";
    let told = tell(&edge, request("POST", "/api/form", &[JSON], bad)).await;
    assert_eq!(told.body["errors"][0]["pointer"], "/inner/ages/1");
    let told = tell(&edge, request("POST", "/api/form", &[JSON], "{\n \"name\": x}")).await;
    assert!(told.body["detail"].as_str().expect("a text").contains("line 2 column"), "{}", told.body);
    let latin = Request::post("/api/form").header(JSON.0, JSON.1).body(Body::from(&b"{\"name\": \"\xff\"}"[..]));
    assert_eq!(tell(&edge, latin.expect("a request")).await.status, 400);
}

#[tokio::test]
async fn a_body_that_grows_too_long_is_cut_off() {
    let chunks = (0..100).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 64 * 1024])));
    let endless =
        Request::post("/api/form").header(JSON.0, JSON.1).body(Body::from_stream(futures::stream::iter(chunks)));
    assert_eq!(tell(&edge(|_| {}), endless.expect("a request")).await.status, 413);
}

#[tokio::test]
async fn the_first_version_is_the_same_address() {
    let told = tell(&edge(|_| {}), request("POST", "/api/v1/form?x=1", &[JSON], "{\"name\": \"x\"}")).await;
    assert_eq!((told.status, &told.body["name"]), (200, &Value::from("x")));
    assert_eq!(tell(&edge(|_| {}), request("GET", "/api/v1", &[], "")).await.status, 404);
    assert_eq!(tell(&edge(|_| {}), request("GET", "/api/v1/v1/form", &[], "")).await.status, 404);
}

#[tokio::test]
async fn ids_come_in_and_go_out() {
    let edge = edge(|_| {});
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let told = tell(&edge, request("GET", "/livez", &[("x-request-id", "mine-1"), ("traceparent", parent)], "")).await;
    assert_eq!(told.header("x-request-id"), "mine-1");
    assert!(told.header("traceparent").starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    assert_ne!(told.header("traceparent"), parent);
    let told = tell(&edge, request("GET", "/livez", &[("x-request-id", "a b\"")], "")).await;
    assert!(uuid::Uuid::try_parse(told.header("x-request-id")).is_ok());
}

#[tokio::test]
async fn callers_are_limited_by_class() {
    let edge = edge(|_| {});
    for n in 0..20 {
        let told = tell(&edge, request("POST", "/api/auth/login", &[JSON], "{\"name\": \"x\"}")).await;
        assert_eq!(told.status, 200);
        assert!(told.header("ratelimit").starts_with(&format!("\"auth\";r={};", 19 - n)));
    }
    let told = tell(&edge, request("POST", "/api/v1/auth/login", &[JSON], "{\"name\": \"x\"}")).await;
    assert_eq!((told.status, told.body["code"].as_str()), (429, Some("rate_limited")));
    assert_eq!(told.body["violated-policies"][0], "auth");
    assert!(told.header("retry-after").parse::<u64>().expect("seconds") > 0);
    let forwarded = [JSON, ("x-forwarded-for", "1.2.3.4")];
    let told = tell(&edge, request("POST", "/api/auth/login", &forwarded, "{}")).await;
    assert_eq!(told.status, 429, "what a client says of its address is not believed");
    assert_eq!(tell(&edge, request("POST", "/api/form", &[JSON], "{\"name\": \"x\"}")).await.status, 200);
    assert!(!tell(&edge, request("GET", "/livez", &[], "")).await.headers.contains_key("ratelimit"));
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_once() {
    let edge = edge(|config| config.trusted_proxies = 1);
    let headers = |text: &str| {
        HeaderMap::from_iter([("x-forwarded-for".parse().expect("a name"), text.parse().expect("a value"))])
    };
    let peer = IpAddr::from([10, 0, 0, 1]);
    assert_eq!(edge.address(peer, &headers("6.6.6.6, 1.2.3.4")), IpAddr::from([1, 2, 3, 4]));
    assert_eq!(edge.address(peer, &headers("1.2.3.4:5678")), IpAddr::from([1, 2, 3, 4]));
    assert_eq!(edge.address(peer, &headers("junk")), peer);
    assert_eq!(edge.address(peer, &HeaderMap::new()), peer);
}

#[tokio::test]
async fn too_much_at_once_is_turned_away_but_probes_are_not() {
    let edge = edge(|config| config.requests_at_once = 0);
    let told = tell(&edge, request("GET", "/api/page/1", &[], "")).await;
    assert_eq!((told.status, told.body["code"].as_str()), (503, Some("overloaded")));
    assert_eq!(told.header("retry-after"), "1");
    assert_eq!(tell(&edge, request("GET", "/livez", &[], "")).await.status, 204);
}

#[tokio::test]
async fn pages_of_other_origins_need_to_be_on_the_list() {
    let edge = edge(|_| {});
    let ask = |origin: &'static str| {
        request("OPTIONS", "/api/form", &[("origin", origin), ("access-control-request-method", "POST")], "")
    };
    let told = tell(&edge, ask("http://localhost:5173")).await;
    assert_eq!(told.status, 204);
    assert_eq!(told.header("access-control-allow-origin"), "http://localhost:5173");
    assert_eq!(told.header("access-control-allow-credentials"), "true");
    assert!(told.header("access-control-allow-headers").contains("Idempotency-Key"));
    for evil in ["http://evil.example", "null", "http://localhost:5173.evil.example"] {
        let told = tell(&edge, ask(evil)).await;
        assert_eq!(told.status, 403, "{evil}");
        assert!(!told.headers.contains_key("access-control-allow-origin"), "{evil}");
    }
    let told = tell(&edge, request("GET", "/livez", &[("origin", "http://localhost:3000")], "")).await;
    assert!(told.header("access-control-expose-headers").contains("ETag"));
}

#[tokio::test]
async fn what_is_known_is_not_sent_again_and_what_is_long_is_compressed() {
    let edge = edge(|_| {});
    let told = tell(&edge, request("GET", "/api/page/1", &[("accept-encoding", "br, gzip")], "")).await;
    assert_eq!((told.header("content-encoding"), told.header("etag")), ("br", "\"7\""));
    let told = tell(&edge, request("GET", "/api/page/1", &[("accept-encoding", "gzip")], "")).await;
    assert_eq!(told.header("content-encoding"), "gzip");
    let told = tell(&edge, request("GET", "/api/page/1", &[], "")).await;
    assert_eq!((told.status, told.header("content-encoding")), (200, ""));
    let told = tell(&edge, request("GET", "/api/page/1", &[("if-none-match", "W/\"7\"")], "")).await;
    assert_eq!((told.status, told.header("etag"), &told.body), (304, "\"7\"", &Value::Null));
}

#[tokio::test]
async fn a_gateway_that_stops_ends_its_connections() {
    let edge = edge(|_| {});
    assert_eq!(tell(&edge, request("GET", "/livez", &[], "")).await.header("connection"), "");
    edge.draining.store(true, Ordering::Relaxed);
    assert_eq!(tell(&edge, request("GET", "/livez", &[], "")).await.header("connection"), "close");
}
