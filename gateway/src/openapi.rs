//! The OpenAPI 3.1 document. An operation describes itself beside its handler ([`Doc`]) and the table that builds the
//! router builds the document, so neither can know a path that the other does not.

mod answers;
mod build;
mod edge;
mod media;
mod notifications;
pub(crate) mod pages;
mod problems;
mod schemas;
mod templates;
#[cfg(test)]
mod tests;

pub(crate) use build::document;
pub(crate) use edge::routes as edge_routes;
pub(crate) use problems::PROBLEMS;

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everyone; a token is not looked at.
    Anyone,
    /// Everyone; somebody signed in may see more.
    Optional,
    /// Whoever is signed in.
    Person,
    /// Admins.
    Admin,
}

/// What an operation says of itself.
#[derive(Clone)]
pub(crate) struct Doc {
    pub(crate) id: &'static str,
    pub(crate) tag: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) text: &'static str,
    pub(crate) access: Access,
    pub(crate) parameters: Vec<Value>,
    pub(crate) body: Option<Value>,
    pub(crate) answers: BTreeMap<u16, Value>,
}

/// An operation for everyone that answers with problems only, until more is said.
pub(crate) fn doc(id: &'static str, tag: &'static str, summary: &'static str) -> Doc {
    let new = Doc {
        id,
        tag,
        summary,
        text: "",
        access: Access::Anyone,
        parameters: vec![],
        body: None,
        answers: BTreeMap::new(),
    };
    new.refuses(&[400, 406, 408, 429, 500, 503])
}

impl Doc {
    /// More than the summary says.
    pub(crate) fn text(mut self, text: &'static str) -> Self {
        self.text = text;
        self
    }

    /// Who may call it, and the refusals of everyone else.
    pub(crate) fn access(mut self, access: Access) -> Self {
        self.access = access;
        match access {
            Access::Anyone => self,
            Access::Optional => self.refuses(&[401]),
            Access::Person => self.refuses(&[401]),
            Access::Admin => self.refuses(&[401, 403]),
        }
    }

    /// A JSON body: the name of its schema, and a true example.
    pub(crate) fn body(mut self, schema: &str, example: Value) -> Self {
        let content = json!({ "application/json": { "schema": reference("schemas", schema), "example": example } });
        self.body = Some(json!({ "required": true, "content": content }));
        self.refuses(&[413, 415, 422])
    }

    /// What a form of a page sends: the name of its schema.
    pub(crate) fn form(mut self, schema: &str) -> Self {
        let content = json!({ "application/x-www-form-urlencoded": { "schema": reference("schemas", schema) } });
        self.body = Some(json!({ "required": true, "content": content }));
        self.refuses(&[413, 415, 422])
    }

    /// A parameter of the path, of type UUID unless another schema is said.
    pub(crate) fn id_of(mut self, name: &'static str, description: &'static str) -> Self {
        let schema = json!({ "type": "string", "format": "uuid" });
        self.parameters.push(
            json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema }),
        );
        self.refuses(&[404])
    }

    /// A parameter of the path with a schema of its own.
    pub(crate) fn path(mut self, name: &'static str, description: &'static str, schema: Value) -> Self {
        self.parameters.push(
            json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema }),
        );
        self.refuses(&[404])
    }

    /// A parameter of the query.
    pub(crate) fn query(mut self, name: &'static str, description: &'static str, schema: Value) -> Self {
        self.parameters.push(json!({ "name": name, "in": "query", "description": description, "schema": schema }));
        self
    }

    /// A shared header parameter of `components`.
    pub(crate) fn header(mut self, component: &'static str) -> Self {
        self.parameters.push(reference("parameters", component));
        self
    }

    /// It becomes a command: it can be repeated safely, waited for or not, refused by the rules, and answered late.
    pub(crate) fn command(mut self) -> Self {
        let late = "Not decided in the time the caller would wait; `Location` is where the outcome will be";
        self.answers.insert(202, answer(late, Some("Operation"), LATE));
        self.header("IdempotencyKey").header("Prefer").refuses(&[403, 404, 409, 410, 422])
    }

    /// It takes `If-Match`.
    pub(crate) fn if_match(self) -> Self {
        self.header("IfMatch").refuses(&[412])
    }

    /// It reads what projections remember: it can wait for them, and say that nothing changed.
    pub(crate) fn reads(self) -> Self {
        self.header("ConsistencyToken")
    }

    /// It takes `If-None-Match` and may answer 304.
    pub(crate) fn cached(mut self) -> Self {
        self.answers.insert(304, answer("As the caller has it already", None, &["ETag"]));
        self.header("IfNoneMatch")
    }

    /// A success, with the name of its schema; `""` for none.
    pub(crate) fn answers(self, status: u16, schema: &str, description: &str) -> Self {
        self.answers_with(status, schema, description, &[])
    }

    /// A success with headers of `components`.
    pub(crate) fn answers_with(mut self, status: u16, schema: &str, description: &str, headers: &[&str]) -> Self {
        let schema = (!schema.is_empty()).then_some(schema);
        self.answers.insert(status, answer(description, schema, headers));
        self
    }

    /// A page or a text; under a status of failure it may be a problem all the same.
    pub(crate) fn answers_text(mut self, status: u16, media: &str, description: &str, headers: &[&str]) -> Self {
        let mut whole = answer(description, None, headers);
        whole["content"] = json!({ media: { "schema": { "type": "string" } } });
        if status >= 400 {
            whole["content"]["application/problem+json"] = json!({ "schema": reference("schemas", "Problem") });
        }
        self.answers.insert(status, whole);
        self
    }

    /// Problems it may answer with.
    pub(crate) fn refuses(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            self.answers.insert(*status, reference("responses", &format!("Problem{status}")));
        }
        self
    }
}

/// What a `202` carries.
const LATE: &[&str] = &["Location", "RetryAfter", "PreferenceApplied"];
/// What an answered command carries.
pub(crate) const DONE: &[&str] = &["ETag", "ConsistencyToken", "PreferenceApplied", "IdempotentReplayed"];

/// A pointer into `components`.
pub(crate) fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn answer(description: &str, schema: Option<&str>, headers: &[&str]) -> Value {
    let mut answer = json!({ "description": description });
    if let Some(schema) = schema {
        answer["content"] = json!({ "application/json": { "schema": reference("schemas", schema) } });
    }
    if !headers.is_empty() {
        let all = headers.iter().map(|name| ((*name).to_owned(), reference("headers", name)));
        let named = all.map(|(name, to)| (build::header_name(&name), to));
        answer["headers"] = Value::Object(named.collect());
    }
    answer
}
