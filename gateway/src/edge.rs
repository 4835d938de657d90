//! What happens to every request before and after its handler, in one function instead of a tower of layers:
//! who, from where, how often, within which limits; then the problem, the headers, the log line and the numbers.

use crate::asked::{Asked, text};
use crate::auth::{Auth, KeySource};
use crate::config::Config;
use crate::consistency;
use crate::cors::Cors;
use crate::limits::{Class, Limits, Verdict, class};
use crate::problem::{Place, Problem};
use crate::realtime::PAYLOAD;
use crate::shed::Places;
use crate::{compress, record};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::MatchedPath;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::FutureExt;
use http_body_util::Limited;
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tower::Service;
use tracing::Instrument;
use uuid::Uuid;

/// A handler must have answered after this long; the longest wait a client may ask for is shorter.
const SLOWEST: Duration = Duration::from_secs(45);
/// The same for a piece of a file, which may be all of it over a slow line.
const UPLOAD: Duration = Duration::from_secs(12 * 60 * 60);
/// Longest path with its query.
const ADDRESS: usize = 8 * 1024;
/// Longest header, all fields together.
const HEADER: usize = 16 * 1024;
/// Most header fields.
const FIELDS: usize = 64;
/// Longest body.
const BODY: usize = 1024 * 1024;
/// Longest body where somebody unknown writes.
const AUTH_BODY: usize = 64 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const CONSISTENCY_TOKEN: HeaderName = HeaderName::from_static("consistency-token");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Keys that gateways share.
pub(crate) struct Keys {
    pub fingerprint: Vec<u8>,
    pub consistency: Vec<u8>,
}

/// The edge of the platform.
pub(crate) struct Edge {
    pub config: Config,
    pub keys: Keys,
    pub auth: Auth,
    pub commands: Places,
    pub requests: Places,
    pub draining: AtomicBool,
    pub cors: Cors,
    limits: Limits,
}

impl Edge {
    pub(crate) fn new(config: Config, keys: Keys, source: KeySource) -> Self {
        Edge {
            auth: Auth::new(source),
            commands: Places::new("commands", config.commands_at_once),
            requests: Places::new("requests", config.requests_at_once),
            draining: AtomicBool::new(false),
            limits: Limits::new(),
            cors: Cors::new(&config),
            keys,
            config,
        }
    }

    /// Answers a request that came from `peer`.
    pub(crate) async fn handle<B>(&self, router: &Router, peer: IpAddr, request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        parts.uri = canonical(parts.uri);
        let address = self.address(peer, &parts.headers);
        let identity = self.auth.identify(parts.headers.get(header::AUTHORIZATION)).await;
        let asked = Asked::read(&parts, address, identity, self.auth.revocations.is_current());
        let class = class(&parts.method, parts.uri.path());
        let origin = parts.headers.get(header::ORIGIN).cloned();
        let encodings = parts.headers.get(header::ACCEPT_ENCODING).filter(|_| class != Class::Auth).cloned();
        let verdict = if self.config.rate_limits && parts.method != Method::OPTIONS {
            self.limits.take(class, address, asked.person())
        } else {
            None
        };
        let response = match self.cors.preflight(&parts) {
            Some(response) => response,
            None => {
                let span = asked.0.span.clone();
                self.admit(router, parts, body, &asked, class, verdict.as_ref()).instrument(span).await
            }
        };
        let mut response = compress::fitting(self.settle(&asked, response).await, encodings);
        self.dress(&asked, response.headers_mut(), verdict.as_ref());
        self.cors.allow(origin.as_ref(), response.headers_mut());
        record::request(&asked, response.status());
        response
    }

    async fn admit<B>(
        &self,
        router: &Router,
        mut parts: Parts,
        body: B,
        asked: &Asked,
        class: Class,
        verdict: Option<&Verdict>,
    ) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        if let Some(problem) = verdict.and_then(|verdict| self.limits.refusal(verdict)) {
            return problem.into_response();
        }
        let limit = match class {
            Class::Auth | Class::Contact => AUTH_BODY,
            // the rules know how long a file may be
            Class::Media => usize::MAX,
            Class::Socket => PAYLOAD,
            _ => BODY,
        };
        if let Some(status) = excess(&parts, limit) {
            return Problem::of_status(status, None).into_response();
        }
        let _place = match class {
            Class::Free => None,   // a probe must see that there is too much to do, not be a part of it
            Class::Socket => None, // it mostly waits, and has places of its own
            _ => match self.requests.take() {
                Ok(place) => Some(place),
                Err(problem) => return problem.into_response(),
            },
        };
        parts.extensions.insert(asked.clone());
        let request = Request::from_parts(parts, Body::new(Limited::new(body, limit)));
        run(router, request, if class == Class::Media { UPLOAD } else { SLOWEST }).await
    }

    /// Counts what somebody asks without a request of its own, over a socket.
    ///
    /// # Errors
    /// 429 when that was too much.
    pub(crate) fn count(&self, address: IpAddr, person: Option<Uuid>) -> Result<(), Problem> {
        let limited = self.config.rate_limits.then(|| self.limits.take(Class::Wide, address, person)).flatten();
        limited.and_then(|verdict| self.limits.refusal(&verdict)).map_or(Ok(()), Err)
    }

    /// Tells how much is under way.
    pub(crate) fn measure(&self) {
        for places in [&self.commands, &self.requests] {
            metrics::gauge!("http_in_flight", "what" => places.what).set(places.taken() as f64);
        }
    }

    /// Who is behind the connection: what trusted proxies say, the last one first.
    fn address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if self.config.trusted_proxies == 0 {
            return peer;
        }
        let forwarded: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        let nth = forwarded.len().checked_sub(self.config.trusted_proxies).and_then(|n| forwarded.get(n));
        nth.and_then(|address| one(address.trim())).unwrap_or(peer)
    }

    /// Makes a problem of everything that is not a success.
    async fn settle(&self, asked: &Asked, mut response: Response) -> Response {
        let problem = match response.extensions_mut().remove::<Problem>() {
            Some(problem) => problem,
            None if response.status().as_u16() < 400 || is_page(&response) => return response,
            None => foreign(response).await,
        };
        asked.note(|notes| notes.problem = Some(problem.code().to_owned()));
        let trace_id = asked.0.trace.hex();
        let place =
            Place { instance: Some(asked.path()), request_id: Some(asked.request_id()), trace_id: Some(&trace_id) };
        problem.render(&self.config.public_url, place)
    }

    /// The headers that every response has.
    fn dress(&self, asked: &Asked, headers: &mut HeaderMap, verdict: Option<&Verdict>) {
        let put = |headers: &mut HeaderMap, name, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(name, value);
            }
        };
        put(headers, REQUEST_ID, asked.request_id());
        put(headers, TRACEPARENT, &asked.0.trace.to_string());
        if let Some(id) = asked.0.correlation.get() {
            put(headers, CORRELATION_ID, &id.to_string());
        }
        asked.note(|notes| {
            if let Some(position) = notes.position {
                headers.insert(CONSISTENCY_TOKEN, consistency::token(&self.keys.consistency, position));
            }
            if let Some(preference) = notes.preference.take() {
                headers.insert(PREFERENCE_APPLIED, preference);
            }
            if notes.replayed {
                headers.insert(REPLAYED, HeaderValue::from_static("true"));
            }
        });
        if let Some(verdict) = verdict {
            self.limits.tell(verdict, headers);
        }
        // a connection that becomes a socket has said what becomes of it
        if self.draining.load(Ordering::Relaxed) && !headers.contains_key(header::UPGRADE) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        secure(headers, self.config.public_url.starts_with("https://"));
        if asked.path().starts_with("/api/") && !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }
}

/// What is too long in a request, as far as its head tells.
fn excess(parts: &Parts, body: usize) -> Option<StatusCode> {
    let fields = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if parts.uri.path_and_query().is_some_and(|address| address.as_str().len() > ADDRESS) {
        return Some(StatusCode::URI_TOO_LONG);
    }
    if parts.headers.len() > FIELDS || fields.sum::<usize>() > HEADER {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    let announced = text(&parts.headers, "content-length").and_then(|length| length.parse::<usize>().ok());
    announced.is_some_and(|length| length > body).then_some(StatusCode::PAYLOAD_TOO_LARGE)
}

/// An address as proxies write it, some with the port.
fn one(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse::<IpAddr>().ok().or_else(with_port).map(|address| address.to_canonical())
}

/// Runs the handler. A panic is one answer of 500 and one line in the log, not the end of a connection.
async fn run(router: &Router, request: Request<Body>, slowest: Duration) -> Response {
    let answer = router.clone().call(request);
    match tokio::time::timeout(slowest, AssertUnwindSafe(answer).catch_unwind()).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(_)) => {
            tracing::error!("a handler panicked");
            Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR, None).into_response()
        }
        Err(_) => Problem::unavailable("timeout", "this took too long, try again shortly", 2).into_response(),
    }
}

/// A page for people says in its own words what is wrong.
fn is_page(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

/// The problem in an answer that the framework gave; its text is worth keeping when it is the client's fault.
async fn foreign(response: Response) -> Problem {
    let (parts, body) = response.into_parts();
    let text = match parts.status.is_client_error() {
        true => axum::body::to_bytes(body, 1000).await.ok().and_then(|text| String::from_utf8(text.into()).ok()),
        false => None,
    };
    let allow = parts.headers.get(header::ALLOW).cloned();
    Problem::of_status(parts.status, text.filter(|text| !text.is_empty())).allowing(allow)
}

/// `/api/v1/…` is `/api/…`: decided once, before routing, so that there is one route and one label.
fn canonical(uri: Uri) -> Uri {
    let Some(rest) = uri.path().strip_prefix("/api/v1/") else { return uri };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("/api/{rest}{query}");
    let mut parts = uri.clone().into_parts();
    match path.parse() {
        Ok(path) => {
            parts.path_and_query = Some(path);
            Uri::from_parts(parts).unwrap_or(uri)
        }
        Err(_) => uri,
    }
}

/// What browsers should not do with our answers.
fn secure(headers: &mut HeaderMap, https: bool) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
        let policy = if page {
            "default-src 'self'; img-src 'self' data: https:; object-src 'none'; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'"
        } else {
            "default-src 'none'; frame-ancestors 'none'"
        };
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    if https {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}

/// Tells the edge which route was taken, for the label of metrics. Put onto the router with `route_layer`.
#[derive(Clone, Copy)]
pub(crate) struct Labelled;

impl<S> tower::Layer<S> for Labelled {
    type Service = Labelling<S>;

    fn layer(&self, inner: S) -> Labelling<S> {
        Labelling(inner)
    }
}

/// See [`Labelled`].
#[derive(Clone)]
pub(crate) struct Labelling<S>(S);

impl<S: Service<Request<Body>>> Service<Request<Body>> for Labelling<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        if let (Some(asked), Some(path)) =
            (request.extensions().get::<Asked>(), request.extensions().get::<MatchedPath>())
        {
            asked.0.template.get_or_init(|| path.clone());
        }
        self.0.call(request)
    }
}

#[cfg(test)]
mod tests;
