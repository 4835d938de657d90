//! How the servers of others are spoken to: no redirect is followed, nobody is waited for for long, and of what they say
//! only the beginning is read. The certificate authorities are those of the system, or Mozilla's where there are none.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::timeout;

use crate::Unsent;

const CONNECT: Duration = Duration::from_secs(5);
/// What is read of an answer, at most.
const READ: usize = 16 * 1024;
/// Nobody who wants to be left alone is left alone for longer.
const LONGEST_PAUSE: u64 = 24 * 60 * 60;

/// A client with patience for one answer.
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    patience: Duration,
}

/// What was answered. The body is empty when it was too long or did not come.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Http {
    pub fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let builder = HttpsConnectorBuilder::new();
        let tls = builder.with_native_roots().unwrap_or_else(|_| HttpsConnectorBuilder::new().with_webpki_roots());
        let https = tls.https_or_http().enable_http1().wrap_connector(tcp);
        Http { client: Client::builder(TokioExecutor::new()).build(https), patience: Duration::from_secs(15) }
    }

    pub fn waiting(self, patience: Duration) -> Self {
        Http { patience, ..self }
    }

    /// # Errors
    /// There is no answer. That never means that the request was not heard.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Unsent> {
        let answer = timeout(self.patience, self.client.request(request)).await;
        // what the client says of it could name the address
        let answer = answer.map_err(|_| Unsent::not_now("no answer in time"))?;
        let answer = answer.map_err(|error| {
            Unsent::not_now(if error.is_connect() { "no connection" } else { "the connection broke" })
        })?;
        let (head, body) = answer.into_parts();
        // it is decided already: a body that does not come changes nothing
        let body = timeout(self.patience, Limited::new(body, READ).collect()).await;
        let body = body.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

impl Answer {
    /// The status says that another try may help: `why` is told with it.
    pub fn not_now(&self, why: &str) -> Option<Unsent> {
        let later = matches!(self.status.as_u16(), 408 | 425 | 429 | 500..);
        later.then(|| Unsent::NotNow { why: why.to_owned(), after: retry_after(&self.headers, Utc::now()) })
    }
}

/// `Retry-After` in its two forms: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = text.parse().ok().or_else(|| {
        let until = DateTime::parse_from_rfc2822(text).ok()?.to_utc();
        u64::try_from((until - now).num_seconds()).ok()
    });
    seconds.map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_PAUSE)))
}

/// This machine itself: where tests and local servers are, and where nothing needs to be encrypted.
pub(crate) fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-03-01T12:00:00Z").expect("a time").to_utc();
        for (text, expected) in [
            ("120", Some(120)),
            ("0", Some(0)),
            ("Sun, 01 Mar 2026 12:01:30 GMT", Some(90)),
            ("Sun, 01 Mar 2026 11:00:00 GMT", None),
            ("99999999", Some(LONGEST_PAUSE)),
            ("-5", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn loopback_is_this_machine_only() {
        for (uri, expected) in [
            ("http://127.0.0.1:9/x", true),
            ("http://[::1]:9/x", true),
            ("http://localhost/x", true),
            ("http://localhost.example/x", false),
            ("http://127.0.0.1.example/x", false),
            ("http://10.0.0.1/x", false),
        ] {
            assert_eq!(is_loopback(&uri.parse().expect("an address")), expected, "{uri}");
        }
    }
}
