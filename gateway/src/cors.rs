//! Which pages of other origins may call with credentials: those on the list, and nobody else.

use crate::config::Config;
use crate::problem::Problem;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const ASK: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, Consistency-Token, \
                   X-Request-Id, X-Correlation-Id, traceparent, tracestate, ce-id, ce-source, ce-specversion, ce-type, \
                   ce-subject, ce-time, Range, Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, \
                   Upload-Checksum";
const SEE: &str = "ETag, Location, Retry-After, Link, Consistency-Token, Preference-Applied, Idempotent-Replayed, \
                   RateLimit, RateLimit-Policy, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, \
                   Upload-Offset, Upload-Length, Upload-Expires, Accept-Ranges, Content-Range, X-Request-Id, X-Correlation-Id, traceparent";

/// The list.
pub(crate) struct Cors {
    origins: Vec<HeaderValue>,
}

impl Cors {
    pub(crate) fn new(config: &Config) -> Self {
        let own = std::iter::once(&config.public_url);
        let origins = config.cors_origins.iter().chain(own).map(|origin| origin.trim_end_matches('/'));
        Cors { origins: origins.filter_map(|origin| HeaderValue::from_str(origin).ok()).collect() }
    }

    /// The answer to a browser that asks whether it may ask.
    pub(crate) fn preflight(&self, parts: &Parts) -> Option<Response> {
        let origin = parts.headers.get(header::ORIGIN)?;
        if parts.method != Method::OPTIONS || !parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            return None;
        }
        if !self.origins.contains(origin) {
            let detail = "pages of this origin may not call from a browser";
            return Some(Problem::forbidden("origin_not_allowed", detail).into_response());
        }
        let headers = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, ASK),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ];
        Some((StatusCode::NO_CONTENT, headers).into_response())
    }

    /// Whether a browser may open a socket for a page: one of an origin on the list, or one of this very address.
    /// Whoever is no browser says no origin.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let own = || {
            let (_, authority) = origin.to_str().ok()?.split_once("://")?;
            let host = headers.get(header::HOST)?.to_str().ok()?;
            Some(authority.eq_ignore_ascii_case(host))
        };
        self.origins.contains(origin) || own() == Some(true)
    }

    /// Lets a page of an origin on the list see the answer.
    pub(crate) fn allow(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let Some(origin) = origin else { return };
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if self.origins.contains(origin) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(SEE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_open_a_socket() {
        let cors = Cors::new(&Config { cors_origins: vec!["https://app.example".into()], ..Config::default() });
        let admits = |origin: Option<&str>| {
            let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("here.example:3000"))]);
            origin.map(|origin| headers.insert(header::ORIGIN, HeaderValue::from_str(origin).expect("ASCII")));
            cors.admits(&headers)
        };
        let good = [None, Some("https://app.example"), Some("http://localhost:3000"), Some("http://here.example:3000")];
        assert_eq!(good.map(admits), [true; 4]);
        let bad = ["https://evil.example", "null", "http://here.example", "http://here.example:3000.evil.example"];
        assert_eq!(bad.map(|origin| admits(Some(origin))), [false; 4]);
    }
}
