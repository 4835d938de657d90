//! Requests and answers: what a client sees, with the whole answer in the message of every failed expectation.

use super::Person;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::fmt;

/// A request that is being put together.
pub struct Request {
    builder: reqwest::RequestBuilder,
    what: String,
}

impl Request {
    /// `method` on `url`.
    pub fn new(client: &reqwest::Client, method: Method, url: &str) -> Self {
        Request { builder: client.request(method.clone(), url), what: format!("{method} {url}") }
    }

    /// Signed in.
    pub fn by(self, person: &Person) -> Self {
        self.token(&person.access_token)
    }

    /// With this access token, whatever it is.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// With a JSON body.
    pub fn json(mut self, body: Value) -> Self {
        self.builder = self.builder.json(&body);
        self
    }

    /// With a body as it is.
    pub fn body(mut self, media: &str, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.header("content-type", media).body(body);
        self
    }

    /// As fresh as `answer`: read your writes.
    pub fn after(self, answer: &Answer) -> Self {
        let token = answer.header("consistency-token").expect("a write answers with a consistency token").to_owned();
        self.header("consistency-token", &token)
    }

    /// Sends it.
    pub async fn send(self) -> Answer {
        let what = self.what.clone();
        self.try_send().await.unwrap_or_else(|error| panic!("{what}: {error:?}"))
    }

    /// Sends it to a server that may not be there.
    pub async fn try_send(self) -> reqwest::Result<Answer> {
        let answer = self.builder.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { what: self.what, status, headers, text, body })
    }
}

/// What came back.
#[derive(Clone)]
pub struct Answer {
    /// What was asked.
    pub what: String,
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Answer {
    /// A header's value, when there is one.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Demands a status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Demands a well-formed problem with this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Self {
        let problem = self.refused(status);
        assert_eq!(problem.body["code"], code, "{problem:?}");
        problem
    }

    /// Demands a well-formed problem with this status, whatever its code.
    #[track_caller]
    pub fn refused(self, status: u16) -> Self {
        let answer = self.expect(status);
        let media = answer.header("content-type").unwrap_or_default();
        assert!(media.starts_with("application/problem+json"), "not a problem: {answer:?}");
        assert_eq!(answer.body["status"], status, "{answer:?}");
        for member in ["type", "title", "code"] {
            assert!(answer.body[member].is_string(), "no {member}: {answer:?}");
        }
        answer
    }

    /// Demands a well-formed problem whose status is one of these.
    #[track_caller]
    pub fn refused_within(self, statuses: std::ops::RangeInclusive<u16>) -> Self {
        assert!(statuses.contains(&self.status), "{self:?}");
        let status = self.status;
        self.refused(status)
    }

    /// A text of the body by JSON pointer.
    #[track_caller]
    pub fn text_at(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer}: {self:?}")).to_owned()
    }

    /// The aggregate version that the `ETag` tells.
    #[track_caller]
    pub fn version(&self) -> u64 {
        let tag = self.header("etag").unwrap_or_else(|| panic!("no ETag: {self:?}"));
        tag.trim_matches('"').parse().unwrap_or_else(|_| panic!("not a version: {self:?}"))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} -> {}", self.what, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", String::from_utf8_lossy(value.as_bytes()))?;
        }
        write!(f, "\n{}", self.text.chars().take(4000).collect::<String>())
    }
}
