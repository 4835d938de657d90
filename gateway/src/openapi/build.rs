//! Puts the document together: every operation under each of its paths, and what they share in `components`.

use super::{Access, Doc, reference, schemas};
use crate::table::Route;
use serde_json::{Map, Value, json};

/// Words for the groups of operations, in the order in which they are shown.
const TAGS: &[(&str, &str)] = &[
    ("identity", "Opening an account, coming in, staying in and going out."),
    ("profile", "What a person shows to others, and how they like things."),
    ("users", "Accounts as admins see and change them."),
    ("storage", "Files: bringing them here, and getting them back."),
    ("videos", "Videos: what is said of them, and playing them."),
    ("processing", "The work on videos."),
    ("notifications", "What people are told, by which texts, and what they write."),
    ("commands", "Commands as they are, and what became of them."),
    ("platform", "How the platform is, and what it says of itself."),
];

/// What holds for every operation.
const INTRODUCTION: &str = "Everything that changes something is a command. It answers when it is decided, by default within 5 seconds \
(`Prefer: wait=N` changes that, `Prefer: respond-async` does not wait); a later outcome is found at `/api/operations/{id}`, \
which the `Location` of the `202` names.\n\n\
An answered command carries a `Consistency-Token`. Sent with a later GET it makes that GET wait until it can show the change, \
or answer `503` with `Retry-After`; it is never silently stale. `ETag` is the version of what was changed: `If-Match` makes a \
command fail with `412` when somebody else was faster.\n\n\
With an `Idempotency-Key` a command can be sent again without being done again; the same key with another request is `422`.\n\n\
Every answer that is not a success is `application/problem+json` (RFC 9457); `code` is a stable word and `type` leads to a page about it.\n\n\
Every path under `/api/` is found under `/api/v1/` too.\n\n\
What happens is told over Socket.IO, which this document has no words for: connect to the path `/ws` (or `/socket.io`) with \
`auth: { token }`; hear `notification`, `videoProcessingProgress`, `videoProcessingComplete`, `videoProcessingError` and `videoHidden`; send \
`joinVideo { videoId }` to hear of a video that is not your own, and `authenticate { token }` before the token ends.";

/// The whole document.
pub(crate) fn document(routes: &[Route], version: &str) -> Value {
    let mut paths = Map::new();
    for route in routes {
        for path in route.paths {
            // a router has a form of its own for the rest of a path
            let item = paths.entry(path.replace("{*", "{")).or_insert_with(|| json!({}));
            item[route.method.to_lowercase()] = operation(&route.doc, path, route.paths);
        }
    }
    let tags = TAGS.iter().map(|(name, description)| json!({ "name": name, "description": description }));
    json!({
        "openapi": "3.1.1",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {
            "title": "Reprise",
            "version": version,
            "summary": "Commands in, events kept, rows out",
            "description": INTRODUCTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "This server" }],
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas::schemas(),
            "parameters": parameters(),
            "headers": headers(),
            "responses": problems(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The access token that registration, login and refresh answer with",
                },
            },
        },
    })
}

fn operation(doc: &Doc, path: &str, paths: &[&str]) -> Value {
    let first = paths[0];
    let nth = paths.iter().position(|other| *other == path).unwrap_or_default();
    let id = if nth == 0 { doc.id.to_owned() } else { format!("{}_{}", doc.id, nth + 1) };
    let answers = doc.answers.iter().map(|(status, answer)| (status.to_string(), answer.clone()));
    let answers = answers.chain([("default".to_owned(), reference("responses", "Problem"))]);
    let mut whole = json!({
        "operationId": id,
        "tags": [doc.tag],
        "summary": doc.summary,
        "security": security(doc.access),
        "responses": answers.collect::<Map<_, _>>(),
    });
    if !doc.text.is_empty() {
        whole["description"] = doc.text.into();
    }
    if !doc.parameters.is_empty() {
        whole["parameters"] = doc.parameters.clone().into();
    }
    if let Some(body) = &doc.body {
        whole["requestBody"] = body.clone();
    }
    if nth > 0 {
        whole["x-alias-of"] = first.into();
    }
    if doc.access == Access::Admin {
        whole["x-role"] = "admin".into();
    }
    whole
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone => json!([]),
        Access::Optional => json!([{}, { "bearer": [] }]),
        Access::Person | Access::Admin => json!([{ "bearer": [] }]),
    }
}

/// `IdempotencyKey` in `components` is `Idempotency-Key` on the wire.
pub(super) fn header_name(component: &str) -> String {
    match component {
        "ETag" => return component.to_owned(),
        "WWWAuthenticate" => return "WWW-Authenticate".to_owned(),
        _ => {}
    }
    let mut name = String::new();
    for (at, letter) in component.char_indices() {
        if at > 0 && letter.is_uppercase() {
            name.push('-');
        }
        name.push(letter);
    }
    name
}

fn parameters() -> Value {
    let header = |name: &str, required: bool, description: &str, schema: Value| json!({ "name": name, "in": "header", "required": required, "description": description, "schema": schema });
    let text = || json!({ "type": "string" });
    json!({
        "IdempotencyKey": header("Idempotency-Key", false,
            "A word of the caller's own, one per thing wanted: the same word again gives the first outcome again",
            json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" })),
        "Prefer": header("Prefer", false, "`wait=N` (seconds), `respond-async`, `return=representation` (RFC 7240)", text()),
        "IfMatch": header("If-Match", false, "The `ETag` that the caller saw; another version is refused with 412", text()),
        "IfNoneMatch": header("If-None-Match", false, "The `ETag` that the caller has; the same version is answered with 304", text()),
        "ConsistencyToken": header("Consistency-Token", false,
            "From the answer to a command: the answer to this shows at least that change", text()),
    })
}

fn headers() -> Value {
    let header = |description: &str, schema: Value| json!({ "description": description, "schema": schema });
    let text = || json!({ "type": "string" });
    json!({
        "ETag": header("The version of what is shown", text()),
        "ConsistencyToken": header("Send it with a later GET to see at least this change", text()),
        "PreferenceApplied": header("The part of `Prefer` that was honoured", text()),
        "IdempotentReplayed": header("`true` when this is the outcome of an earlier request with the same key", text()),
        "Location": header("Where to look", text()),
        "Link": header("The next page, `rel=\"next\"` (RFC 8288)", text()),
        "CacheControl": header("How long it may be kept", text()),
        "RetryAfter": header("Seconds to wait before trying again", json!({ "type": "integer", "minimum": 0 })),
        "WWWAuthenticate": header("How to come in", text()),
    })
}

/// Statuses of problems: what each means anywhere, and the headers it carries.
const PROBLEMS: &[(u16, &str, &[&str])] = &[
    (400, "The request cannot be read", &[]),
    (401, "Not signed in, or the token does not count (any more)", &["WWWAuthenticate"]),
    (403, "Signed in, but without the right to this", &[]),
    (404, "There is no such thing, or not for this caller", &[]),
    (406, "No form of the answer is acceptable to the caller", &[]),
    (408, "The request took too long to arrive", &[]),
    (409, "Not as things stand", &[]),
    (410, "It was here and is not any more", &[]),
    (412, "Somebody else was faster: the version is another by now", &["ETag"]),
    (413, "The body is too large", &[]),
    (415, "The body is of a type that is not understood here", &[]),
    (416, "The range is none of it", &[]),
    (422, "The request can be read, but something in it is not acceptable", &[]),
    (423, "Somebody else is at it at this moment", &["RetryAfter"]),
    (428, "`If-Match` is required here", &[]),
    (429, "Too many requests, or too many failed tries", &["RetryAfter"]),
    (500, "A defect on this side", &[]),
    (503, "Too busy, or something needed is away; nothing was done", &["RetryAfter"]),
];

fn problems() -> Value {
    let problem = |description: &str, headers: &[&str]| {
        let mut answer = super::answer(description, None, headers);
        answer["content"] = json!({ "application/problem+json": { "schema": reference("schemas", "Problem") } });
        answer
    };
    let each = PROBLEMS.iter().map(|(status, text, headers)| (format!("Problem{status}"), problem(text, headers)));
    let other = ("Problem".to_owned(), problem("Anything else that went wrong", &[]));
    Value::Object(each.chain([other]).collect())
}
