//! Everything that is not a success is a problem (RFC 9457) with a stable `code` and a `type` that opens a page about it.
//! Handlers only say what went wrong; the edge adds where, under which request, and writes the JSON.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kernel::{Kind, Refusal};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::health::Part;

/// Why a request was not done, in words for whoever sent it. Never carries a cause from inside: that is logged.
#[derive(Clone, Debug)]
pub struct Problem(Box<Told>);

#[derive(Clone, Debug)]
struct Told {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: Cow<'static, str>,
    errors: Vec<Wrong>,
    policies: Vec<&'static str>,
    retry_after: Option<u64>,
    allow: Option<HeaderValue>,
    checks: BTreeMap<&'static str, Part>,
}

/// One thing that is wrong in the request.
#[derive(Clone, Debug, Serialize)]
pub struct Wrong {
    /// Where: a JSON pointer into the body, such as `/data/handle`.
    pub pointer: String,
    /// What.
    pub detail: String,
}

impl Problem {
    /// A problem with its own code. `code` is lower case with underscores and never changes its meaning.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Problem(Box::new(Told {
            status,
            code: code.into(),
            detail: detail.into(),
            errors: vec![],
            policies: vec![],
            retry_after: None,
            allow: None,
            checks: BTreeMap::new(),
        }))
    }

    /// 400: the request cannot be understood.
    pub fn malformed(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: nobody is signed in, or not validly; `detail` says why.
    pub fn unauthenticated(detail: impl Into<Cow<'static, str>>) -> Self {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    /// 403: somebody is, but may not.
    pub fn forbidden(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Problem::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404.
    pub fn missing(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 409: not as things stand.
    pub fn conflict(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Problem::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: understood, but not acceptable.
    pub fn invalid(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 422 about one field of the body, named by its JSON pointer.
    pub fn field(code: &'static str, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail.clone()).and(pointer, detail)
    }

    /// 503: not now; try again after so many seconds.
    pub fn unavailable(code: &'static str, detail: impl Into<Cow<'static, str>>, retry_after: u64) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).after(retry_after)
    }

    /// 429: this caller is too fast.
    pub fn too_many(policy: &'static str, retry_after: u64) -> Self {
        let detail = format!("too many requests, try again in {retry_after} s");
        let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).after(retry_after);
        problem.0.policies.push(policy);
        problem
    }

    /// 503 of a probe: which parts are not well.
    pub(crate) fn not_ready(checks: BTreeMap<&'static str, Part>) -> Self {
        let ill = checks.iter().filter_map(|(name, part)| Some(format!("{name}: {}", part.detail.as_deref()?)));
        let detail = ill.collect::<Vec<_>>().join("; ");
        let mut problem = Problem::unavailable("not_ready", detail, 1);
        problem.0.checks = checks;
        problem
    }

    /// 503 for a failure inside; the cause goes to the log, not to the client.
    pub fn internal(cause: &(dyn std::fmt::Display + Send + Sync)) -> Self {
        tracing::error!(error = format!("{cause:#}"), "a request failed for a reason of ours");
        Problem::unavailable("unavailable", "this does not work at the moment, try again shortly", 2)
    }

    /// What a decider refused.
    pub fn refused(refusal: Refusal) -> Self {
        let status = match refusal.kind {
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::Missing => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Stale => StatusCode::PRECONDITION_FAILED,
        };
        Problem::new(status, refusal.code, refusal.detail)
    }

    /// What a bare status means, when a layer below said no more.
    pub fn of_status(status: StatusCode, detail: Option<String>) -> Self {
        let (code, text) = match status.as_u16() {
            400 => ("bad_request", "the request cannot be understood"),
            401 => ("unauthenticated", "sign in first"),
            403 => ("forbidden", "this is not allowed"),
            404 => ("not_found", "there is nothing at this address"),
            405 => ("method_not_allowed", "this address does not know the method, see Allow"),
            408 => ("request_timeout", "the request took too long to arrive"),
            413 => ("body_too_large", "the body is too large"),
            414 => ("uri_too_long", "the address is too long"),
            415 => ("unsupported_media_type", "send JSON with Content-Type: application/json"),
            422 => ("invalid", "the request is not acceptable"),
            431 => ("headers_too_large", "the header fields are too large"),
            501 => ("not_implemented", "this is not known here"),
            503 => ("unavailable", "this does not work at the moment, try again shortly"),
            code if code < 500 => ("bad_request", "the request cannot be done"),
            _ => ("internal", "something went wrong here; the request id helps to find out what"),
        };
        Problem::new(status, code, detail.map_or(Cow::Borrowed(text), Cow::Owned))
    }

    /// The same, naming one more wrong thing.
    pub fn and(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.0.errors.push(Wrong { pointer: pointer.into(), detail: detail.into() });
        self
    }

    /// The same, with `Retry-After` in seconds.
    pub fn after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The same, with the methods that are known.
    pub(crate) fn allowing(mut self, allow: Option<HeaderValue>) -> Self {
        self.0.allow = allow;
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable word for programs.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The text for people.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The response as it leaves: `base` is the public address before `/problems/…`.
    pub(crate) fn render(&self, base: &str, place: Place<'_>) -> Response {
        let told = &self.0;
        let body = serde_json::to_vec(&self.page(base, place)).expect("texts and numbers have a JSON form");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = told.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = told.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(allow) = &told.allow {
            headers.insert(header::ALLOW, allow.clone());
        }
        if told.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, challenge(told));
        }
        response
    }

    /// The JSON of the problem, as it also stands inside an operation.
    pub(crate) fn page<'a>(&'a self, base: &str, place: Place<'a>) -> Page<'a> {
        let told = &*self.0;
        Page {
            kind: format!("{base}/problems/{}", told.code),
            title: title(&told.code),
            status: told.status.as_u16(),
            detail: self.detail(),
            code: self.code(),
            instance: place.instance,
            request_id: place.request_id,
            trace_id: place.trace_id,
            errors: &told.errors,
            policies: &told.policies,
            checks: &told.checks,
        }
    }
}

/// Where a problem met the request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place<'a> {
    pub instance: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub trace_id: Option<&'a str>,
}

/// The members of the JSON.
#[derive(Serialize)]
pub(crate) struct Page<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Wrong],
    #[serde(rename = "violated-policies", skip_serializing_if = "<[_]>::is_empty")]
    policies: &'a [&'static str],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    checks: &'a BTreeMap<&'static str, Part>,
}

/// `username_taken` → `Username taken`: the same for every problem of a type, as the standard wants.
pub(crate) fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

fn challenge(told: &Told) -> HeaderValue {
    match told.code.as_ref() {
        "token_invalid" | "token_expired" | "session_ended" => {
            HeaderValue::from_static("Bearer realm=\"reprise\", error=\"invalid_token\"")
        }
        _ => HeaderValue::from_static("Bearer realm=\"reprise\""),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self); // the edge renders it, because only the edge knows the request
        response
    }
}

/// A cause from inside: `?` in a handler logs it and answers 503.
impl<E: Into<anyhow::Error>> From<E> for Problem {
    fn from(cause: E) -> Self {
        Problem::internal(&cause.into())
    }
}
