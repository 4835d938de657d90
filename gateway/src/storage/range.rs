//! Answering with a blob, or a part of it (RFC 9110, section 14): one range or the whole, and what a client has is not
//! sent again.

use crate::problem::Problem;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use blobs::{Blobs, Key};
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
    let found = blobs.head(key).await.map_err(|fault| Problem::internal(&fault))?.ok_or_else(missing)?;
    let tag = format!("\"{}\"", found.etag.trim_matches('"'));
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
    if has(headers, &tag) {
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
    let range = match wanted(headers, &tag, found.size) {
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
    if method != Method::HEAD {
        let read = blobs.get(key, range).await.map_err(|fault| Problem::internal(&fault))?;
        let (_, bytes) = read.ok_or_else(missing)?;
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

/// Whether the client has what carries this tag.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
}

fn wanted(headers: &HeaderMap, tag: &str, size: u64) -> Wanted {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let Some(ranges) = text(header::RANGE).and_then(|range| range.strip_prefix("bytes=")) else { return Wanted::Whole };
    // a range of something else than the client has is of no use to it
    if text(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Wanted::Whole;
    }
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
        wanted(&headers, "\"a\"", 100)
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
