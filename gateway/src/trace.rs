//! W3C trace context and request ids, in and out. What does not have the exact form is replaced, never passed on.

use axum::http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use std::fmt;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

/// The place of a request in a trace: `span` is ours, the parent is whoever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Of the whole trace.
    pub id: u128,
    /// Of this request.
    pub span: u64,
    /// Of the caller, when there was one.
    pub parent: Option<u64>,
    /// Whether the caller records it.
    pub sampled: bool,
    /// Whether a collector here gets to know of it.
    pub collected: bool,
}

impl Trace {
    /// The trace id as logs write it.
    pub fn hex(&self) -> String {
        format!("{:032x}", self.id)
    }
}

/// As `traceparent` writes it.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.id, self.span, u8::from(self.sampled))
    }
}

/// The trace and the request id of a request: the caller's where they are good, new ones where not.
pub(crate) fn read(headers: &HeaderMap) -> (Trace, Box<str>) {
    let fresh = Uuid::now_v7(); // one draw of randomness serves for all three ids
    let (_, span) = fresh.as_u64_pair();
    let trace = match crate::asked::text(headers, "traceparent").and_then(parse) {
        Some((id, parent, sampled)) => Trace { id, span, parent: Some(parent), sampled, collected: false },
        None => Trace { id: fresh.as_u128(), span, parent: None, sampled: true, collected: false },
    };
    let request_id = crate::asked::text(headers, "x-request-id").filter(|id| is_request_id(id));
    (trace, request_id.map_or_else(|| fresh.to_string().into(), Into::into))
}

/// The span of a request, for the log and for the collector when there is one; then the collector's ids are the ones.
pub(crate) fn span(trace: &mut Trace, request_id: &str) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.status_code = Empty,
        request.id = request_id,
        trace.id = %format_args!("{:032x}", trace.id),
        http.request.method = Empty,
        http.route = Empty,
        http.response.status_code = Empty,
    );
    if span.is_disabled() {
        return span;
    }
    if let Some(parent) = trace.parent {
        let flags = if trace.sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        let (id, parent) = (TraceId::from(trace.id), SpanId::from(parent));
        let caller = SpanContext::new(id, parent, flags, true, TraceState::NONE);
        // without a collector there is nothing to tell
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(caller));
    }
    let context = span.context();
    let collected = context.span().span_context().clone();
    if collected.is_valid() {
        trace.id = u128::from_be_bytes(collected.trace_id().to_bytes());
        trace.span = u64::from_be_bytes(collected.span_id().to_bytes());
        (trace.sampled, trace.collected) = (collected.is_sampled(), true);
    }
    span
}

/// Tells the collector what came of a request, in the words of OpenTelemetry's conventions for HTTP servers.
pub(crate) fn tell(span: &Span, method: &'static str, route: &str, status: u16) {
    span.record("http.request.method", method).record("http.route", route).record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
    // a span that has begun takes no other name by way of its fields
    span.context().span().update_name(format!("{method} {route}"));
}

/// Short, and made of characters that are harmless in a log and in a header.
fn is_request_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(&b))
}

/// Trace id, parent id and the sampled flag of a `traceparent`.
fn parse(text: &str) -> Option<(u128, u64, bool)> {
    let mut parts = text.split('-');
    let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let good = |text: &str, len| text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !(good(version, 2) && good(id, 32) && good(parent, 16) && good(flags, 2)) || version == "ff" {
        return None;
    }
    // later versions may append fields, version 00 may not
    if version == "00" && parts.next().is_some() {
        return None;
    }
    let id = u128::from_str_radix(id, 16).ok().filter(|id| *id != 0)?;
    let parent = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
    Some((id, parent, u8::from_str_radix(flags, 16).ok()? & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_good_traceparent_is_continued() {
        let (id, parent, sampled) = parse(GOOD).expect("the standard's example");
        assert_eq!((id, parent, sampled), (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7, true));
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", GOOD.parse().expect("a header"));
        let (trace, _) = read(&headers);
        assert_eq!((trace.id, trace.parent), (id, Some(parent)));
        assert!(trace.to_string().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && trace.span != parent);
        assert!(parse(&trace.to_string()).is_some());
    }

    #[test]
    fn with_a_collector_its_ids_are_the_ones() {
        use opentelemetry::trace::TracerProvider;
        use tracing_subscriber::layer::SubscriberExt;
        let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let (id, parent, sampled) = parse(GOOD).expect("the standard's example");
            let mut trace = Trace { id, span: 7, parent: Some(parent), sampled, collected: false };
            let request = span(&mut trace, "r");
            let told = request.context().span().span_context().clone();
            assert_eq!(trace.id, id, "the caller's trace goes on");
            assert_eq!(told.span_id(), SpanId::from(trace.span), "what follows hangs below this span");
            assert_ne!(trace.span, 7);
            assert!(trace.collected);
        });
    }

    #[test]
    fn a_bad_one_is_not() {
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert!(parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more").is_some());
    }

    #[test]
    fn request_ids_are_harmless() {
        let id = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", text.parse().expect("a header"));
            read(&headers).1
        };
        assert_eq!(&*id("abc-1"), "abc-1");
        for bad in ["a b", "<script>", "\"", &"x".repeat(129)] {
            assert!(Uuid::try_parse(&id(bad)).is_ok(), "{bad}");
        }
    }
}
