//! Traces reach whoever collects them: under the caller's trace, by route and never by path, and without anybody in them.

use crate::support::outside::Listener;
use crate::support::person::PASSWORD;
use crate::support::{Setup, eventually};
use memchr::memmem;
use serde_json::json;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

#[tokio::test]
async fn a_request_is_collected_under_its_callers_trace() {
    let collector = Listener::start().await;
    collector.answer_with("200 OK");
    let setup = Setup::default().variable("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url);
    // milliseconds that spans wait for company
    let platform = setup.variable("OTEL_BSP_SCHEDULE_DELAY", "100").start().await;
    let (name, email) = ("tracedcanary", "tracedcanary@example.org");
    let register = platform.post("/api/auth/register").header("traceparent", &format!("00-{TRACE}-{CALLER}-01"));
    let person = json!({ "username": name, "email": email, "password": PASSWORD });
    let answer = register.json(person).send().await.expect(201);
    let told = answer.header("traceparent").expect("the answer says where it is in the trace").to_owned();
    let words: Vec<&str> = told.split('-').collect();
    assert_eq!(words[1], TRACE);
    assert_ne!(words[2], CALLER, "the request has a span of its own");
    platform.get(&format!("/u/{name}")).send().await;

    let [trace, caller, own] = [TRACE, CALLER, words[2]].map(bytes);
    let collected = async || {
        let requests = collector.requests();
        let holds = |body: &[u8]| {
            let name = b"POST /api/auth/register";
            let parts: [&[u8]; 6] = [&trace, &caller, &own, name, b"http.route", b"http.response.status_code"];
            parts.iter().all(|part| memmem::find(body, part).is_some())
        };
        requests.into_iter().find(|(_, body)| holds(body))
    };
    let (head, body) = eventually("the registration is collected", collected).await;
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/x-protobuf"), "{head}");
    // lengths and tags of protobuf around the words (opentelemetry.proto.common.v1.KeyValue)
    let service = b"\n\x0cservice.name\x12\t\n\x07reprise";
    assert!(memmem::find(&body, service).is_some(), "the service has a name");

    let page = async || {
        let requests = collector.requests();
        requests.iter().any(|(_, body)| memmem::find(body, b"GET /u/{handle}").is_some()).then_some(())
    };
    eventually("the page is collected under its template", page).await;
    platform.check().await;
    drop(platform.stop());
    for (_, body) in collector.requests() {
        for secret in [name, email, PASSWORD] {
            assert!(memmem::find(&body, secret.as_bytes()).is_none(), "a trace says {secret}");
        }
    }
}

/// A collector that is not there costs nobody anything.
#[tokio::test]
async fn nobody_waits_for_a_collector() {
    let nobody = format!("http://127.0.0.1:{}", crate::support::process::free_port());
    let platform = Setup::default().variable("OTEL_EXPORTER_OTLP_ENDPOINT", &nobody).start().await;
    platform.somebody_with_profile().await;
    platform.check().await;
    drop(platform.stop());
}

/// The bytes that hexadecimal digits stand for.
fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hexadecimal")
        })
        .collect()
}
