//! The document is what is served: every route is in it, everything in it is consistent, every code has a page.

use super::{PROBLEMS, document, pages};
use crate::table::routes;
use axum::body::to_bytes;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn whole() -> Value {
    document(&routes(), "0")
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods.iter().map(move |(method, operation)| (method.clone(), path.clone(), operation.clone()))
    });
    all.collect()
}

fn visit(value: &Value, look: &mut impl FnMut(&Value)) {
    look(value);
    match value {
        Value::Object(members) => members.values().for_each(|value| visit(value, look)),
        Value::Array(items) => items.iter().for_each(|value| visit(value, look)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = whole();
    visit(&document, &mut |value| {
        if let Some(to) = value.get("$ref").and_then(Value::as_str) {
            let pointer = to.strip_prefix('#').expect("references stay inside");
            assert!(document.pointer(pointer).is_some(), "{to}");
        }
    });
}

#[test]
fn every_component_is_used() {
    let document = whole();
    let mut used = BTreeSet::new();
    visit(&document, &mut |value| {
        used.extend(value.get("$ref").and_then(Value::as_str).map(str::to_owned));
    });
    for kind in ["schemas", "parameters", "headers", "responses"] {
        for name in document["components"][kind].as_object().expect("components").keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference), "{reference}");
        }
    }
}

#[test]
fn operations_are_told_apart_and_complete() {
    let document = whole();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let id = operation["operationId"].as_str().expect("an id").to_owned();
        assert!(ids.insert(id), "{method} {path}: the id is taken");
        let answers = operation["responses"].as_object().expect("answers");
        assert!(answers.contains_key("default") && answers.keys().any(|it| it.starts_with('2')), "{method} {path}");
        let signed_in = !operation["security"].as_array().expect("security").is_empty();
        assert_eq!(signed_in, answers.contains_key("401") && !operation["security"][0].is_null(), "{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
    }
}

#[test]
fn what_stands_in_a_path_is_described() {
    for (method, path, operation) in operations(&whole()) {
        let named: BTreeSet<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let inside = parameters.iter().filter(|it| it["in"] == "path").filter_map(|it| it["name"].as_str());
        assert_eq!(named, inside.collect(), "{method} {path}");
    }
}

#[test]
fn examples_are_accepted_by_the_readers() {
    use crate::notifications::shapes::*;
    use crate::shapes::*;
    use serde::de::DeserializeOwned;

    fn reads<T: DeserializeOwned>(example: &Value) -> Result<(), serde_json::Error> {
        serde_json::from_value::<T>(example.clone()).map(drop)
    }
    for (method, path, operation) in operations(&whole()) {
        let body = &operation["requestBody"]["content"]["application/json"];
        let Some(schema) = body["schema"]["$ref"].as_str() else { continue };
        let read = match schema.rsplit('/').next().expect("a name") {
            "Registration" | "AdminRegistration" => reads::<Registration>,
            "Login" => reads::<Login>,
            "Refresh" => reads::<Refresh>,
            "PasswordChange" => reads::<PasswordChange>,
            "ForgottenPassword" => reads::<ForgottenPassword>,
            "PasswordReset" => reads::<PasswordReset>,
            "EmailVerification" => reads::<EmailVerification>,
            "ProfileChange" => reads::<ProfileChange>,
            "HandleChange" => reads::<HandleChange>,
            "VisibilityChange" => reads::<VisibilityChange>,
            "PreferencesChange" => reads::<PreferencesChange>,
            "UserChange" => reads::<UserChange>,
            "VideoDraft" | "VideoChange" => reads::<VideoSaid>,
            "Publication" => reads::<Publication>,
            "NotificationsRead" => reads::<Seen>,
            "NotificationPreferencesChange" => reads::<Wishes>,
            "PushSubscription" => reads::<Browser>,
            "PushSubscriptionEnd" => reads::<Which>,
            "Telling" => reads::<Telling>,
            "Appointment" => reads::<Appointment>,
            "TemplateTest" => reads::<TemplateTest>,
            "DeliveryReceipt" => reads::<Said>,
            "TemplatePut" => reads::<TemplatePut>,
            "TemplatePublication" => reads::<TemplatePublication>,
            "TemplatePreview" => reads::<TemplatePreview>,
            "ContactForm" => reads::<ContactForm>,
            other => panic!("{method} {path}: {other} has no reader"),
        };
        read(&body["example"]).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    }
}

/// The routes that the core builds are those that are described for it.
#[test]
fn the_core_s_routes_are_described() {
    let routes = crate::openapi::edge_routes();
    let described: BTreeSet<&str> = routes.iter().flat_map(|route| route.paths).copied().collect();
    let source = include_str!("../lib.rs");
    let built: BTreeSet<&str> = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(described, built);
}

/// The sources of the gateway, of the contexts and of the texts of messages, but for these tests and the pages themselves.
fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src"), root.join("../services"), root.join("../templates")];
    let mut sources = vec![];
    let left_out = ["openapi/tests.rs", "openapi/problems.rs"];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the workspace") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") && !left_out.iter().any(|it| path.ends_with(it)) {
                sources.push(std::fs::read_to_string(&path).expect("a source"));
            }
        }
    }
    sources
}

/// The words in quotes after `needle`.
fn said(sources: &[String], needle: &str) -> BTreeSet<String> {
    let places = sources.iter().flat_map(|source| source.split(needle).skip(1));
    let texts = places.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    texts.filter(|text| text.chars().all(|c| c.is_ascii_lowercase() || c == '_')).map(str::to_owned).collect()
}

#[test]
fn every_code_that_is_said_has_a_page() {
    let pages: BTreeSet<&str> = PROBLEMS.iter().map(|page| page.code).collect();
    assert_eq!(pages.len(), PROBLEMS.len(), "a code has two pages");
    let sources = sources();
    let said = |needle: &str| said(&sources, needle);
    let makers = ["malformed", "forbidden", "missing", "conflict", "invalid", "field", "unavailable"];
    let mut codes: BTreeSet<String> = makers.iter().flat_map(|maker| said(&format!("Problem::{maker}("))).collect();
    let statuses = [
        "UNAUTHORIZED",
        "GONE",
        "PRECONDITION_REQUIRED",
        "PRECONDITION_FAILED",
        "UNPROCESSABLE_ENTITY",
        "TOO_MANY_REQUESTS",
    ];
    codes.extend(statuses.iter().flat_map(|status| said(&format!("StatusCode::{status},"))));
    // what deciders say: `Self::Missing => "user_missing"`
    let endings = ["_taken", "_invalid", "_missing", "_required", "_used", "_yours"];
    codes.extend(said("=>").into_iter().filter(|word| endings.iter().any(|ending| word.ends_with(ending))));
    let bare: Vec<&String> = codes.iter().filter(|code| !pages.contains(code.as_str())).collect();
    assert!(bare.is_empty(), "no page about {bare:?}");
    let all = sources.concat();
    let idle: Vec<&&str> = pages.iter().filter(|code| !all.contains(&format!("\"{code}\""))).collect();
    assert!(idle.is_empty(), "nobody says {idle:?}");
}

#[tokio::test]
async fn the_pages_show_every_operation_and_every_problem() {
    let document = whole();
    let text = |response: axum::response::Response| async {
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    };
    let page = text(pages::docs(&document, "http://localhost:3000")).await;
    for (method, path, operation) in operations(&document) {
        let shown = path.replace('/', "&#x2f;");
        assert!(page.contains(&path) || page.contains(&shown), "{method} {path}");
        if operation.get("x-alias-of").is_none() {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(page.contains(&format!("id=\"{id}\"")), "{method} {path}");
        }
    }
    assert!(!page.contains("<script"), "no script is needed");
    let all = text(pages::problems()).await;
    for problem in PROBLEMS {
        assert!(all.contains(&format!("<code>{}</code>", problem.code)));
        assert!(text(pages::problem(problem.code).expect("a page")).await.contains(problem.code));
    }
    assert!(pages::problem("no_such_thing").is_none());
    assert!(text(pages::home("http://localhost:3000", "1")).await.contains("/docs"));
}
