//! Answering with a blob, or a part of it (RFC 9110, section 14): one range or the whole, and what a client has is not
//! sent again.

use crate::problem::Problem;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use blobs::{Blobs, Found, Key};
use std::ops::Range;

/// Nothing is loaded, nothing runs, and it is of no origin.
const SANDBOX: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// How a blob is shown.
pub(super) struct Shown<'a> {
    /// Its media type.
    pub(super) mime: &'a str,
    /// `Cache-Control`.
    pub(super) cache: &'static str,
    /// `Content-Disposition`, for what browsers must not show as a page.
    pub(super) disposition: Option<String>,
    /// Somebody else made it: no browser runs what may be in it.
    pub(super) sandboxed: bool,
}

/// What of a blob is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<u64>),
    /// No byte of it is in the range.
    Nothing,
    /// Several ranges at once, which nobody needs and which multiply work.
    Several,
}

/// A blob as an answer.
///
/// # Errors
/// 404 when it is not there, 416 when the range is none of it.
pub(super) async fn answer(
    blobs: &Blobs,
    key: &Key,
    method: &Method,
    headers: &HeaderMap,
    shown: Shown<'_>,
) -> Result<Response, Problem> {
    let asked = Conditions::new(method, headers);
    let read = blobs.read(key, |found| asked.read(found)).await.map_err(|fault| Problem::internal(&fault))?;
    let (found, bytes) = read.ok_or_else(missing)?;
    let tag = tag_of(&found);
    let mut response = Response::new(Body::empty());
    let put = |response: &mut Response, name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    };
    put(&mut response, header::ETAG, &tag);
    put(&mut response, header::LAST_MODIFIED, &found.modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    put(&mut response, header::CACHE_CONTROL, shown.cache);
    put(&mut response, header::ACCEPT_RANGES, "bytes");
    if asked.has(&tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    put(&mut response, header::CONTENT_TYPE, shown.mime);
    if let Some(disposition) = &shown.disposition {
        put(&mut response, header::CONTENT_DISPOSITION, disposition);
    }
    if shown.sandboxed {
        put(&mut response, header::CONTENT_SECURITY_POLICY, SANDBOX);
    }
    let range = match asked.wanted(&tag, found.size) {
        Wanted::Whole => None,
        Wanted::Part(range) => Some(range),
        Wanted::Nothing | Wanted::Several => return Err(unsatisfiable(found.size)),
    };
    let length = range.as_ref().map_or(found.size, |range| range.end - range.start);
    put(&mut response, header::CONTENT_LENGTH, &length.to_string());
    if let Some(range) = &range {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let text = format!("bytes {}-{}/{}", range.start, range.end - 1, found.size);
        put(&mut response, header::CONTENT_RANGE, &text);
    }
    if !asked.head {
        *response.body_mut() = Body::from_stream(bytes);
    }
    Ok(response)
}

fn missing() -> Problem {
    Problem::missing("file_missing", "there is no such file, or it is not shown to you")
}

fn unsatisfiable(size: u64) -> Problem {
    let detail = format!("ask for one range within the {size} bytes of it");
    Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", detail)
}

fn tag_of(found: &Found) -> String {
    format!("\"{}\"", found.etag.trim_matches('"'))
}

/// What a client says of what it wants and of what it has.
struct Conditions {
    head: bool,
    known: Option<HeaderValue>,
    range: Option<HeaderValue>,
    if_range: Option<HeaderValue>,
}

impl Conditions {
    fn new(method: &Method, headers: &HeaderMap) -> Self {
        let value = |name| headers.get(name).cloned();
        let (known, range, if_range) = (value(header::IF_NONE_MATCH), value(header::RANGE), value(header::IF_RANGE));
        Conditions { head: *method == Method::HEAD, known, range, if_range }
    }

    /// What has to be read of a blob to answer.
    fn read(&self, found: &Found) -> Option<Range<u64>> {
        let tag = tag_of(found);
        match self.wanted(&tag, found.size) {
            _ if self.head || self.has(&tag) => None,
            Wanted::Whole => Some(0..found.size),
            Wanted::Part(range) => Some(range),
            Wanted::Nothing | Wanted::Several => None,
        }
    }

    /// Whether the client has what carries this tag.
    fn has(&self, tag: &str) -> bool {
        let known = text(&self.known).unwrap_or_default();
        known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
    }

    fn wanted(&self, tag: &str, size: u64) -> Wanted {
        let ranges = text(&self.range).and_then(|range| range.strip_prefix("bytes="));
        // a range of something else than the client has is of no use to it
        let stale = text(&self.if_range).is_some_and(|known| known != tag);
        ranges.filter(|_| !stale).map_or(Wanted::Whole, |ranges| wanted(ranges, size))
    }
}

fn text(value: &Option<HeaderValue>) -> Option<&str> {
    value.as_ref().and_then(|value| value.to_str().ok())
}

fn wanted(ranges: &str, size: u64) -> Wanted {
    if ranges.contains(',') {
        return Wanted::Several;
    }
    let Some((first, last)) = ranges.trim().split_once('-') else { return Wanted::Whole };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(last)) if first.is_empty() => size.saturating_sub(last)..size,
        // what is no range is ignored
        _ => return Wanted::Whole,
    };
    if range.start >= range.end { Wanted::Nothing } else { Wanted::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(range: &'static str, if_range: Option<&'static str>) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static(range));
        if let Some(known) = if_range {
            headers.insert(header::IF_RANGE, HeaderValue::from_static(known));
        }
        Conditions::new(&Method::GET, &headers).wanted("\"a\"", 100)
    }

    #[test]
    fn one_range_is_one_part() {
        assert_eq!(ask("bytes=0-9", None), Wanted::Part(0..10));
        assert_eq!(ask("bytes=90-", None), Wanted::Part(90..100));
        assert_eq!(ask("bytes=-10", None), Wanted::Part(90..100));
        assert_eq!(ask("bytes=-1000", None), Wanted::Part(0..100));
        assert_eq!(ask("bytes=50-1000", None), Wanted::Part(50..100));
        assert_eq!(ask("bytes=0-0", Some("\"a\"")), Wanted::Part(0..1));
    }

    #[test]
    fn what_is_none_is_the_whole_or_nothing() {
        assert_eq!(ask("bytes=0-9", Some("\"b\"")), Wanted::Whole);
        assert_eq!(ask("lines=1-2", None), Wanted::Whole);
        assert_eq!(ask("bytes=9-0", None), Wanted::Whole);
        assert_eq!(ask("bytes=100-", None), Wanted::Nothing);
        assert_eq!(ask("bytes=-0", None), Wanted::Nothing);
        assert_eq!(ask("bytes=0-1,5-6", None), Wanted::Several);
    }
}
