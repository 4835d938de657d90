//! How often a caller may ask: token buckets in memory, one number each. Requests fall into classes, because one number
//! for everything either breaks honest clients or stops nobody.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use quick_cache::sync::Cache;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use uuid::Uuid;

use crate::problem::Problem;

/// Every bucket fills up in this time.
const WINDOW: u64 = 15 * 60 * 1000;
/// Callers that are remembered; who asked longest ago begins anew.
const REMEMBERED: usize = 100_000;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What a request is to the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Never limited: probes, metrics, documents, keys.
    Free,
    /// Guessing here would pay: signing in, registering, resetting. Counted per address even when signed in.
    Auth,
    /// Keeping a session alive, which a house full of people does from one address.
    Refresh,
    /// Bytes of files, in both directions: a viewer asks often and an upload comes in many pieces. Not limited here.
    Media,
    /// Asking how a command went, as clients do in a loop; public pages.
    Wide,
    /// Everything else.
    Api,
}

/// The class of a request, by its path with `/api/v1` already written as `/api`.
pub(crate) fn class(method: &Method, path: &str) -> Class {
    let writes = method == Method::POST || method == Method::PUT || method == Method::PATCH;
    match path {
        "/livez" | "/readyz" | "/startupz" | "/health" | "/api/health" | "/metrics" | "/openapi.json" => Class::Free,
        "/" | "/docs" | "/robots.txt" | "/favicon.ico" => Class::Free,
        "/api/auth/refresh" | "/api/auth/refresh-token" | "/api/auth/logout" | "/api/logout" => Class::Refresh,
        "/api/login" | "/api/register" | "/api/change-password" | "/api/signup" if writes => Class::Auth,
        "/verify-email" | "/reset-password" if writes => Class::Auth,
        _ if writes && path.starts_with("/api/auth/") => Class::Auth,
        _ if path.starts_with("/api/storage/") => Class::Media,
        _ if path.starts_with("/watch/") || path.ends_with("/status") => Class::Wide,
        _ if path.starts_with("/api/operations/") || path.starts_with("/u/") => Class::Wide,
        _ if path.starts_with("/api/") => Class::Api,
        _ if ["/.well-known/", "/docs/", "/problems", "/assets/"].iter().any(|p| path.starts_with(p)) => Class::Free,
        _ => Class::Wide,
    }
}

/// So many requests in 15 minutes.
struct Policy {
    name: &'static str,
    quota: u64,
    header: HeaderValue,
}

impl Policy {
    fn new(name: &'static str, quota: u64) -> Self {
        let text = format!("\"{name}\";q={quota};w={}", WINDOW / 1000);
        Policy { name, quota, header: HeaderValue::from_str(&text).expect("ASCII") }
    }
}

/// All buckets.
pub(crate) struct Limits {
    start: Instant,
    /// By policy and caller: when the bucket will be full again, in µs since `start`.
    buckets: Cache<(u8, u128), Arc<AtomicU64>>,
    policies: [Policy; 5],
}

/// What the limits say to one request.
pub(crate) struct Verdict {
    policy: usize,
    remaining: u64,
    full_in: u64,
    retry_after: Option<u64>,
}

impl Limits {
    pub(crate) fn new() -> Self {
        let policies = [("anonymous", 100), ("auth", 20), ("refresh", 600), ("wide", 3000), ("person", 6000)];
        Limits {
            start: Instant::now(),
            buckets: Cache::new(REMEMBERED),
            policies: policies.map(|(name, quota)| Policy::new(name, quota)),
        }
    }

    /// Takes one from the bucket of whoever asks; `None` when the class is not limited.
    pub(crate) fn take(&self, class: Class, address: IpAddr, person: Option<Uuid>) -> Option<Verdict> {
        let (policy, caller) = match (class, person) {
            (Class::Free | Class::Media, _) => return None,
            (Class::Auth, _) => (1, network(address)),
            (_, Some(person)) => (4, person.as_u128()),
            (Class::Refresh, None) => (2, network(address)),
            (Class::Wide, None) => (3, network(address)),
            (Class::Api, None) => (0, network(address)),
        };
        let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        Some(self.take_at(policy, caller, now))
    }

    /// The generic cell rate algorithm: a bucket is the time at which it is full again.
    fn take_at(&self, policy: usize, caller: u128, now: u64) -> Verdict {
        let (window, quota) = (WINDOW * 1000, self.policies[policy].quota);
        let step = window / quota;
        let key = (u8::try_from(policy).expect("five policies"), caller);
        let bucket = match self.buckets.get(&key) {
            Some(bucket) => bucket,
            None => self.fresh(key),
        };
        let taken = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let full_at = full_at.max(now) + step;
            (full_at <= now + window).then_some(full_at)
        });
        match taken {
            Ok(before) => {
                let full_in = before.max(now) + step - now;
                Verdict { policy, remaining: (window - full_in) / step, full_in, retry_after: None }
            }
            Err(full_at) => {
                let wait = (full_at + step).saturating_sub(now + window);
                Verdict { policy, remaining: 0, full_in: full_at - now, retry_after: Some(wait.div_ceil(1_000_000)) }
            }
        }
    }

    fn fresh(&self, key: (u8, u128)) -> Arc<AtomicU64> {
        let made = self.buckets.get_or_insert_with::<_, std::convert::Infallible>(&key, || Ok(Arc::default()));
        made.expect("making a number cannot fail")
    }

    /// The problem, when there was nothing left.
    pub(crate) fn refusal(&self, verdict: &Verdict) -> Option<Problem> {
        verdict.retry_after.map(|seconds| Problem::too_many(self.policies[verdict.policy].name, seconds.max(1)))
    }

    /// `RateLimit-Policy` and `RateLimit`, as draft 11 of the HTTP working group writes them.
    pub(crate) fn tell(&self, verdict: &Verdict, headers: &mut HeaderMap) {
        let policy = &self.policies[verdict.policy];
        headers.insert(RATE_LIMIT_POLICY, policy.header.clone());
        let left = format!("\"{}\";r={};t={}", policy.name, verdict.remaining, verdict.full_in.div_ceil(1_000_000));
        headers.insert(RATE_LIMIT, HeaderValue::from_str(&left).expect("ASCII"));
    }
}

/// One household: an IPv4 address or an IPv6 /64.
pub(crate) fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let limits = Limits::new();
        let second = 1_000_000;
        for n in 0..20 {
            let verdict = limits.take_at(1, 7, second);
            assert_eq!((verdict.remaining, verdict.retry_after), (19 - n, None));
        }
        let verdict = limits.take_at(1, 7, second);
        assert_eq!(verdict.retry_after, Some(45), "one of twenty comes back in a twentieth of 15 minutes");
        assert_eq!(limits.refusal(&verdict).expect("refused").code(), "rate_limited");
        assert_eq!(limits.take_at(1, 8, second).remaining, 19, "somebody else has a bucket of their own");
        assert_eq!(limits.take_at(1, 7, 46 * second).retry_after, None);
        assert!(limits.take_at(1, 7, 46 * second).retry_after.is_some());
        assert_eq!(limits.take_at(1, 7, 2000 * second).remaining, 19);
    }

    #[test]
    fn headers_are_structured_fields() {
        let (limits, mut headers) = (Limits::new(), HeaderMap::new());
        limits.tell(&limits.take_at(0, 1, 0), &mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"anonymous\";q=100;w=900");
        assert_eq!(headers["ratelimit"], "\"anonymous\";r=99;t=9");
    }

    #[test]
    fn classes() {
        for (method, path, expected) in [
            (Method::POST, "/api/auth/login", Class::Auth),
            (Method::POST, "/api/login", Class::Auth),
            (Method::GET, "/api/auth/sessions", Class::Api),
            (Method::POST, "/api/auth/refresh", Class::Refresh),
            (Method::GET, "/api/operations/1", Class::Wide),
            (Method::PUT, "/api/profile", Class::Api),
            (Method::GET, "/readyz", Class::Free),
            (Method::GET, "/.well-known/jwks.json", Class::Free),
            (Method::GET, "/u/ada", Class::Wide),
            (Method::GET, "/wp-login.php", Class::Wide),
        ] {
            assert_eq!(class(&method, path), expected, "{method} {path}");
        }
    }

    #[test]
    fn who_shares_a_bucket() {
        let ip = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(ip("::ffff:10.0.0.1"), ip("10.0.0.1"));
        assert_eq!(ip("2001:db8::1"), ip("2001:db8::ffff:1"));
        assert_ne!(ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        let limits = Limits::new();
        let address = "10.0.0.1".parse().expect("an address");
        let person = Some(Uuid::from_u128(1));
        assert_eq!(limits.take(Class::Api, address, person).expect("limited").policy, 4);
        assert_eq!(limits.take(Class::Auth, address, person).expect("limited").policy, 1);
        assert!(limits.take(Class::Free, address, None).is_none());
    }
}
