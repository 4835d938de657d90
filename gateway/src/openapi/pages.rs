//! Pages for people: the landing page, the API's documentation made from the document itself, and one about each
//! problem. No script, nothing from elsewhere: what is sent is all there is, and the policy in the header says so.

use super::PROBLEMS;
use crate::page::{self, Page};
use crate::problem::title;
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use minijinja::value::{Serde, Value as Shown};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// `GET /`
pub(crate) fn home(origin: &str, version: &str) -> Response {
    page::html(StatusCode::OK, Page::Home, context! { origin, version })
}

/// `GET /problems`
pub(crate) fn problems() -> Response {
    page::html(StatusCode::OK, Page::Problems, context! { problems => Shown::from(Serde(PROBLEMS)) })
}

/// `GET /problems/{code}`
pub(crate) fn problem(code: &str) -> Option<Response> {
    let known = PROBLEMS.iter().find(|page| page.code == code)?;
    let title = title(known.code);
    let values =
        context! { title, code => known.code, status => known.status, why => known.why, remedy => known.remedy };
    Some(page::html(StatusCode::OK, Page::Problem, values))
}

/// `GET /docs`
pub(crate) fn docs(document: &Value, origin: &str) -> Response {
    let info = &document["info"];
    let introduction: Vec<String> =
        info["description"].as_str().unwrap_or_default().split("\n\n").map(|text| text.replace('`', "")).collect();
    let groups: Vec<Group> = list(&document["tags"]).iter().map(|tag| group(document, tag)).collect();
    let (title, version) = (info["title"].as_str(), info["version"].as_str());
    page::html(
        StatusCode::OK,
        Page::Docs,
        context! { origin, title, version, introduction, groups => Shown::from(Serde(groups)) },
    )
}

#[derive(Serialize)]
struct Group {
    tag: String,
    description: String,
    operations: Vec<Operation>,
}

#[derive(Serialize)]
struct Operation {
    id: String,
    method: String,
    path: String,
    aliases: Vec<String>,
    summary: String,
    text: String,
    who: &'static str,
    parameters: Vec<Row>,
    fields: Vec<Row>,
    answers: Vec<Answer>,
    sample: String,
}

#[derive(Serialize)]
struct Row {
    name: String,
    place: String,
    kind: String,
    required: bool,
    description: String,
}

#[derive(Serialize)]
struct Answer {
    status: String,
    description: String,
}

fn group(document: &Value, tag: &Value) -> Group {
    let mut operations = vec![];
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in methods.as_object().into_iter().flatten() {
            let mine = operation["tags"][0] == tag["name"] && operation.get("x-alias-of").is_none();
            if mine {
                operations.push(describe(document, path, method, operation));
            }
        }
    }
    Group { tag: text(&tag["name"]), description: text(&tag["description"]), operations }
}

fn describe(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let paths = document["paths"].as_object().into_iter().flatten();
    let aliases = paths.filter(|(_, methods)| methods[method]["x-alias-of"] == path).map(|(path, _)| path.clone());
    let answers = operation["responses"].as_object().into_iter().flatten().filter(|(status, _)| *status != "default");
    let answers = answers.map(|(status, answer)| Answer {
        status: status.clone(),
        description: plain(&resolve(document, answer)["description"]),
    });
    Operation {
        id: text(&operation["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        aliases: aliases.collect(),
        summary: plain(&operation["summary"]),
        text: plain(&operation["description"]),
        who: who(operation),
        parameters: list(&operation["parameters"]).iter().map(|it| parameter(resolve(document, it))).collect(),
        fields: fields(document, operation),
        answers: answers.collect(),
        sample: sample(path, method, operation),
    }
}

fn who(operation: &Value) -> &'static str {
    match (operation.get("x-role").is_some(), list(&operation["security"]).len()) {
        (true, _) => "admins",
        (_, 0) => "everyone",
        (_, 1) => "signed in",
        _ => "everyone, or signed in",
    }
}

fn parameter(of: &Value) -> Row {
    Row {
        name: text(&of["name"]),
        place: text(&of["in"]),
        kind: kind(&of["schema"]),
        required: of["required"] == true,
        description: plain(&of["description"]),
    }
}

fn fields(document: &Value, operation: &Value) -> Vec<Row> {
    let schema = resolve(document, &operation["requestBody"]["content"]["application/json"]["schema"]);
    // one thing under several names is several schemas: all their fields, required where all of them require it
    let ways = match list(&schema["oneOf"]) {
        [] => std::slice::from_ref(schema),
        ways => ways,
    };
    let mut rows = BTreeMap::new();
    for (name, of) in ways.iter().filter_map(|way| way["properties"].as_object()).flatten() {
        let required = ways.iter().all(|way| list(&way["required"]).iter().any(|it| it == name));
        let (place, description) = ("body".to_owned(), plain(&of["description"]));
        rows.insert(name, Row { name: name.clone(), place, kind: kind(of), required, description });
    }
    rows.into_values().collect()
}

fn kind(schema: &Value) -> String {
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        other => text(other),
    }
}

/// A line for a shell that calls the operation with its example.
fn sample(path: &str, method: &str, operation: &Value) -> String {
    let mut lines = vec![format!("curl -s \"$REPRISE_URL{}\"", path.replace('{', "$").replace('}', ""))];
    if method != "get" && method != "post" {
        lines[0] =
            format!("curl -s -X {} \"$REPRISE_URL{}\"", method.to_uppercase(), path.replace('{', "$").replace('}', ""));
    }
    if list(&operation["security"]).len() == 1 {
        lines.push("-H \"authorization: Bearer $TOKEN\"".to_owned());
    }
    match operation["requestBody"]["content"]["application/json"].get("example") {
        Some(example) => {
            lines.push("-H 'content-type: application/json'".to_owned());
            lines.push(format!("-d '{}'", example.to_string().replace('\'', "'\\''")));
        }
        None if method == "post" => lines.push("-X POST".to_owned()),
        None => {}
    }
    lines.join(" \\\n  ")
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    pointer.and_then(|to| document.pointer(to)).unwrap_or(value)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Descriptions are Markdown in the document; a page shows their words.
fn plain(value: &Value) -> String {
    text(value).replace('`', "")
}
