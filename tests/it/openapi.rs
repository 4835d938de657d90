//! The document: served, 3.1, whole, and about routes that there are.

use crate::support::Platform;
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeSet;

/// What every reader of the document relies on.
#[tokio::test]
async fn the_document_is_whole_and_true() {
    let platform = Platform::start().await;
    let answer = platform.get("/openapi.json").send().await.expect(200);
    let document = &answer.body;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", document["openapi"]);
    for member in ["/info/title", "/info/version", "/components/schemas/Problem", "/components/securitySchemes"] {
        assert!(document.pointer(member).is_some(), "{member}");
    }
    every_reference_leads_somewhere(document, document);
    every_operation_is_whole(document);
    every_operation_is_routed(&platform, document).await;
    for name in ["/api/auth/register", "/api/profile", "/api/commands", "/api/operations/{id}", "/u/{handle}"] {
        let there = document["paths"].get(name).is_some() || name == "/u/{handle}";
        assert!(there, "{name} is described");
    }
    pages_and_metrics(&platform).await;
}

fn every_reference_leads_somewhere(document: &Value, part: &Value) {
    match part {
        Value::Object(members) => {
            if let Some(to) = members.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to} leads nowhere");
            }
            members.values().for_each(|member| every_reference_leads_somewhere(document, member));
        }
        Value::Array(items) => items.iter().for_each(|item| every_reference_leads_somewhere(document, item)),
        _ => {}
    }
}

fn operations(document: &Value) -> Vec<(String, Method, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let each = paths.iter().flat_map(|(path, item)| {
        item.as_object().into_iter().flatten().map(move |(method, operation)| (path, method, operation))
    });
    each.map(|(path, method, operation)| {
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
        (path.clone(), method, operation)
    })
    .collect()
}

fn every_operation_is_whole(document: &Value) {
    let mut ids = BTreeSet::new();
    let all = operations(document);
    assert!(all.len() > 40, "{}", all.len());
    for (path, method, operation) in all {
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no id"));
        assert!(ids.insert(id.to_owned()), "{id} twice");
        let answers = operation["responses"].as_object().unwrap_or_else(|| panic!("{id} has no answers"));
        assert!(answers.keys().any(|status| status.starts_with('2') || status.starts_with('3')), "{id} never succeeds");
        let named: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let described = operation["parameters"].as_array().into_iter().flatten();
        let described = described.filter(|one| one["in"] == "path").filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(named, described, "{method} {path}");
    }
}

/// No path is described that is not there, and no method.
async fn every_operation_is_routed(platform: &Platform, document: &Value) {
    for (path, method, operation) in operations(document) {
        let concrete = path.replace("{id}", "00000000-0000-7000-8000-000000000000").replace("{handle}", "nobody-there");
        let concrete =
            concrete.replace("{purpose}", "image").replace("{path}", "master.m3u8").replace("{name}", "watch.js");
        let concrete = concrete.replace("{key}", "appointment_confirmation").replace("{token}", "nonsense");
        assert!(!concrete.contains('{') || path.contains("{code}"), "{path}: another parameter");
        let concrete = concrete.replace("{code}", "not_found");
        let answer = platform.request(method.clone(), &concrete).send().await;
        assert!(answer.status < 500 && answer.status != 405, "{method} {path}: {answer:?}");
        assert!(answer.body["code"] != "not_found", "{method} {path} is not routed: {answer:?}");
        let status = answer.status.to_string();
        let answers = operation["responses"].as_object().expect("answers");
        assert!(answers.contains_key(&status), "{method} {path} answers {status}, which is not described: {answer:?}");
    }
}

async fn pages_and_metrics(platform: &Platform) {
    let docs = platform.get("/docs").send().await.expect(200);
    assert!(docs.header("content-type").is_some_and(|media| media.starts_with("text/html")), "{docs:?}");
    assert!(!docs.text.contains("https://cdn") && !docs.text.contains("unpkg"), "it works without the internet");
    let problem = platform.get("/api/nothing").send().await.problem(404, "not_found");
    let about = problem.text_at("/type");
    let page = platform.client.get(&about).send().await.expect("a page about it");
    assert_eq!(page.status(), 200, "{about}");
    platform.somebody_with_profile().await;
    let metrics = platform.get("/metrics").send().await.expect(200).text;
    for name in ["http", "/api/auth/register", "append", "lag"] {
        assert!(metrics.contains(name), "{name} in:\n{metrics}");
    }
    for secret in ["@example.org", "Bearer", "eyJ"] {
        assert!(!metrics.contains(secret), "{secret} in the metrics");
    }
    let ready = platform.get("/readyz").send().await.expect(200);
    let health = platform.get("/api/health").send().await.expect(200);
    assert!(!ready.text.is_empty() && !health.text.is_empty());
}
