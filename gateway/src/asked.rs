//! What a request says besides its path and body, read once at the edge and shared by everything that handles it.
//! Commands are built from this and from nothing else, so no header of a client reaches a message by accident.

use crate::auth::Identity;
use crate::idempotency;
use crate::prefer::Prefer;
use crate::problem::Problem;
use crate::trace::Trace;
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use uuid::Uuid;

/// The circumstances of a request. Cheap to clone.
#[derive(Clone)]
pub struct Asked(pub(crate) Arc<Circumstances>);

pub(crate) struct Circumstances {
    pub method: Method,
    /// The path with `/api/v1` written as `/api`.
    pub path: Box<str>,
    pub request_id: Box<str>,
    pub trace: Trace,
    pub span: tracing::Span,
    pub address: IpAddr,
    pub agent: Option<Box<str>>,
    pub identity: Identity,
    /// Whether revocations are known up to now.
    pub current: bool,
    pub started: Instant,
    pub correlation: OnceLock<Uuid>,
    pub template: OnceLock<MatchedPath>,
    /// SHA-256 of the body without secrets, when the request has an `Idempotency-Key`.
    pub body: OnceLock<[u8; 32]>,
    /// The id of the first command when it is not derived from a key.
    first: OnceLock<Uuid>,
    commands: AtomicU32,
    key: Option<HeaderValue>,
    prefer: Option<HeaderValue>,
    if_match: Option<HeaderValue>,
    if_none_match: Option<HeaderValue>,
    pub token: Option<HeaderValue>,
    pub notes: Mutex<Notes>,
}

/// What sending commands adds to the response, whatever the handler answers.
#[derive(Default)]
pub(crate) struct Notes {
    pub position: Option<u64>,
    pub replayed: bool,
    pub preference: Option<HeaderValue>,
    /// The code of the problem that was answered, for the log.
    pub problem: Option<String>,
}

/// The version a client says it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Any version, as long as there is one: `*`.
    Any,
    /// This version.
    Version(u64),
    /// An entity tag that none of our versions has.
    Never,
}

impl Asked {
    pub(crate) fn read(parts: &Parts, address: IpAddr, identity: Identity, current: bool) -> Self {
        let headers = &parts.headers;
        let take = |name: &str| headers.get(name).cloned();
        let (mut trace, request_id) = crate::trace::read(headers);
        let span = crate::trace::span(&mut trace, &request_id);
        let correlation = OnceLock::new();
        if let Some(id) = text(headers, "x-correlation-id").and_then(|id| Uuid::try_parse(id).ok()) {
            correlation.get_or_init(|| id);
        }
        Asked(Arc::new(Circumstances {
            method: parts.method.clone(),
            path: parts.uri.path().into(),
            request_id,
            trace,
            span,
            address,
            agent: text(headers, "user-agent").map(|agent| agent.chars().take(256).collect::<String>().into()),
            identity,
            current,
            started: Instant::now(),
            correlation,
            template: OnceLock::new(),
            body: OnceLock::new(),
            first: OnceLock::new(),
            commands: AtomicU32::new(0),
            key: take("idempotency-key"),
            prefer: take("prefer"),
            if_match: take("if-match"),
            if_none_match: take("if-none-match"),
            token: take(CONSISTENCY_TOKEN.as_str()),
            notes: Mutex::default(),
        }))
    }

    /// Where the client is, as far as the connection and trusted proxies tell.
    pub fn address(&self) -> IpAddr {
        self.0.address
    }

    /// The client's program as it calls itself, at most 256 characters.
    pub fn agent(&self) -> Option<&str> {
        self.0.agent.as_deref()
    }

    /// The id of this request, as the response and the log say it.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The path, `/api/v1/…` already written as `/api/…`.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// How long the client wants to wait for the outcome of a command.
    pub fn prefer(&self) -> Prefer {
        self.0.prefer.as_ref().and_then(|value| value.to_str().ok()).map(Prefer::read).unwrap_or_default()
    }

    /// The `Idempotency-Key`.
    ///
    /// # Errors
    /// 400 when it is empty, longer than 255 characters or not printable ASCII.
    pub fn idempotency_key(&self) -> Result<Option<&str>, Problem> {
        self.0.key.as_ref().map(idempotency::key).transpose()
    }

    /// The `If-Match` of the request.
    ///
    /// # Errors
    /// 400 when it names several versions: a command can be about one only.
    pub fn if_match(&self) -> Result<Option<IfMatch>, Problem> {
        self.0.if_match.as_ref().map(read_if_match).transpose()
    }

    /// The `If-Match`, where changing without having looked is not accepted.
    ///
    /// # Errors
    /// 428 when there is none, 400 when it names several versions.
    pub fn require_if_match(&self) -> Result<IfMatch, Problem> {
        self.if_match()?.ok_or_else(|| {
            let detail = "send If-Match with the ETag of the version you saw";
            Problem::new(axum::http::StatusCode::PRECONDITION_REQUIRED, "if_match_required", detail)
        })
    }

    /// Whether the client already has what carries this entity tag.
    pub fn has(&self, tag: &str) -> bool {
        let Some(known) = self.0.if_none_match.as_ref().and_then(|value| value.to_str().ok()) else { return false };
        known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == tag)
    }

    /// The id of the next command of this request, and whether a repetition would get the same one. The first command
    /// under an `Idempotency-Key` has v5(v5(namespace, who), key); the n-th after it v5(that, n).
    pub(crate) fn next_command(&self, who: Option<Uuid>) -> Result<(Uuid, bool), Problem> {
        let n = self.0.commands.load(Ordering::Relaxed);
        let next = self.command_id(who, n)?;
        self.0.commands.store(n + 1, Ordering::Relaxed);
        Ok(next)
    }

    /// The id of the n-th command of this request, and whether a repetition would get the same one.
    pub(crate) fn command_id(&self, who: Option<Uuid>, n: u32) -> Result<(Uuid, bool), Problem> {
        Ok(match self.idempotent_id(who)? {
            None if n == 0 => (*self.0.first.get_or_init(Uuid::now_v7), false),
            None => (Uuid::now_v7(), false),
            Some(first) if n == 0 => (first, true),
            Some(first) => (Uuid::new_v5(&first, n.to_string().as_bytes()), true),
        })
    }

    /// The id of the first command under the request's `Idempotency-Key`, if it has one.
    pub(crate) fn idempotent_id(&self, who: Option<Uuid>) -> Result<Option<Uuid>, Problem> {
        let Some(key) = self.idempotency_key()? else { return Ok(None) };
        let scope = match who {
            Some(person) => idempotency::person(person),
            None => idempotency::anonymous(self.0.method.as_str(), &self.0.path, self.0.address),
        };
        Ok(Some(Uuid::new_v5(&scope, key.as_bytes())))
    }

    /// Who is signed in, if anybody validly is.
    pub(crate) fn person(&self) -> Option<Uuid> {
        match &self.0.identity {
            Identity::Person(actor) => Some(actor.id),
            _ => None,
        }
    }

    pub(crate) fn has_key(&self) -> bool {
        self.0.key.is_some()
    }

    pub(crate) fn note(&self, write: impl FnOnce(&mut Notes)) {
        write(&mut self.0.notes.lock().expect("nobody panics while holding it"));
    }
}

/// The header with which a client asks to see at least what it wrote.
pub(crate) const CONSISTENCY_TOKEN: HeaderName = HeaderName::from_static("consistency-token");

pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn read_if_match(value: &HeaderValue) -> Result<IfMatch, Problem> {
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(IfMatch::Any);
    }
    if text.contains(',') {
        return Err(Problem::malformed("if_match_invalid", "If-Match may name one version only"));
    }
    // a weak tag never matches in If-Match (RFC 9110, 13.1.1), and a tag that is not a number is none of ours
    let version = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).and_then(|digits| digits.parse().ok());
    Ok(version.map_or(IfMatch::Never, IfMatch::Version))
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let read = || Asked::read(parts, IpAddr::V4(Ipv4Addr::UNSPECIFIED), Identity::Nobody, false);
        Ok(parts.extensions.get::<Asked>().cloned().unwrap_or_else(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn if_match(text: &str) -> Result<IfMatch, Problem> {
        read_if_match(&HeaderValue::from_str(text).expect("ASCII"))
    }

    #[test]
    fn if_match_is_a_strong_version_or_any() {
        assert_eq!(if_match("\"7\"").expect("one"), IfMatch::Version(7));
        assert_eq!(if_match("*").expect("any"), IfMatch::Any);
        for foreign in ["W/\"7\"", "7", "\"x\"", "\"-1\"", "\"7", ""] {
            assert_eq!(if_match(foreign).expect("readable"), IfMatch::Never, "{foreign}");
        }
        assert_eq!(if_match("\"7\", \"8\"").expect_err("two").code(), "if_match_invalid");
    }

    fn asked(headers: &[(&'static str, &'static str)]) -> Asked {
        let mut request = axum::http::Request::post("/api/profile");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).expect("a request").into_parts();
        Asked::read(&parts, IpAddr::V4(Ipv4Addr::LOCALHOST), Identity::Nobody, false)
    }

    #[test]
    fn the_same_key_gives_the_same_ids_in_the_same_order() {
        let person = Some(Uuid::from_u128(7));
        let ids = |asked: Asked| [(); 3].map(|()| asked.next_command(person).expect("a good key").0);
        let (one, two) = (ids(asked(&[("idempotency-key", "k")])), ids(asked(&[("idempotency-key", "k")])));
        assert_eq!(one, two);
        assert!(one[0] != one[1] && one[1] != one[2]);
        let expected = Uuid::new_v5(&idempotency::person(Uuid::from_u128(7)), b"k");
        assert_eq!(one[0], expected);
        assert_ne!(asked(&[("idempotency-key", "k")]).next_command(None).expect("good").0, expected);
        assert_eq!(asked(&[]).next_command(person).expect("none").0.get_version_num(), 7);
    }

    #[test]
    fn a_client_has_what_it_names() {
        let asked = asked(&[("if-none-match", "\"3\", W/\"4\"")]);
        assert!(asked.has("\"3\"") && asked.has("\"4\"") && !asked.has("\"5\""));
    }

    #[test]
    fn a_correlation_id_that_is_no_uuid_is_not_used() {
        assert!(asked(&[("x-correlation-id", "hello\u{7f}")].map(|(n, _)| (n, "hello"))).0.correlation.get().is_none());
        let good = asked(&[("x-correlation-id", "01890000-0000-7000-8000-000000000000")]);
        assert!(good.0.correlation.get().is_some());
    }
}
