//! A success on its way out. What sending commands adds (`Consistency-Token`, `Preference-Applied`,
//! `Idempotent-Replayed`) the edge adds by itself, so a handler says only status, body and version.

use crate::app::Accepted;
use crate::asked::Asked;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nats::Outcome;
use serde::Serialize;
use uuid::Uuid;

/// A success.
#[derive(Debug)]
pub struct Answer(Response);

impl Answer {
    /// A status without a body.
    pub fn bare(status: StatusCode) -> Self {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        Answer(response)
    }

    /// 204.
    pub fn nothing() -> Self {
        Answer::bare(StatusCode::NO_CONTENT)
    }

    /// JSON with a status.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("bodies have names for keys, so they have a JSON form");
        let mut answer =
            Answer::bare(status).header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        *answer.0.body_mut() = Body::from(body);
        answer
    }

    /// 200 with JSON.
    pub fn ok(body: &impl Serialize) -> Self {
        Answer::json(StatusCode::OK, body)
    }

    /// 201 with JSON and the path of what is new.
    pub fn created(location: &str, body: &impl Serialize) -> Self {
        Answer::json(StatusCode::CREATED, body).location(location)
    }

    /// 200 with a page.
    pub fn html(page: impl Into<Body>) -> Self {
        let mut answer = Answer::bare(StatusCode::OK);
        *answer.0.body_mut() = page.into();
        answer.header(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
    }

    /// 202: the command goes on; the operation tells how it ends.
    pub fn later(operation: Uuid) -> Self {
        let body = serde_json::json!({ "id": operation, "status": "pending" });
        Answer::json(StatusCode::ACCEPTED, &body)
            .location(&format!("/api/operations/{operation}"))
            .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// What `done` makes of the outcome, with the new version as its `ETag`; or 202 when there is none yet.
    pub fn of(accepted: &Accepted, done: impl FnOnce(&Outcome) -> Answer) -> Self {
        match accepted {
            Accepted::Done(outcome) => done(outcome).etag(outcome.version),
            Accepted::Later(operation) => Answer::later(*operation),
        }
    }

    /// The same with a strong `ETag` of a version; 0 is no version.
    pub fn etag(self, version: u64) -> Self {
        match version {
            0 => self,
            version => self.tag(&format!("\"{version}\"")),
        }
    }

    /// The same with this `ETag`, quotes included.
    pub fn tag(self, tag: &str) -> Self {
        match HeaderValue::from_str(tag) {
            Ok(tag) => self.header(header::ETAG, tag),
            Err(_) => self,
        }
    }

    /// The same with a `Location`.
    pub fn location(self, path: &str) -> Self {
        match HeaderValue::from_str(path) {
            Ok(path) => self.header(header::LOCATION, path),
            Err(_) => self,
        }
    }

    /// The same with a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }

    /// 304 instead, if the client has what carries this `ETag`.
    pub fn unless_known(self, asked: &Asked) -> Self {
        let tag = self.0.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        if self.0.status() != StatusCode::OK || !tag.is_some_and(|tag| asked.has(tag)) {
            return self;
        }
        let mut bare = Answer::bare(StatusCode::NOT_MODIFIED);
        for name in [header::ETAG, header::CACHE_CONTROL, header::VARY] {
            if let Some(value) = self.0.headers().get(&name) {
                bare.0.headers_mut().insert(name, value.clone());
            }
        }
        bare
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        self.0
    }
}
