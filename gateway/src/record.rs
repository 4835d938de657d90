//! What is known of a request afterwards: two numbers and a line in the log. The label is the route's template, never
//! the path, and nothing here is about a person.

use crate::asked::Asked;
use axum::http::{Method, StatusCode};

/// Counts a request and writes it down.
pub(crate) fn request(asked: &Asked, status: StatusCode) {
    let circumstances = &asked.0;
    let took = circumstances.started.elapsed();
    let method = method(&circumstances.method);
    let endpoint = circumstances.template.get().map_or("unmatched", |path| path.as_str());
    let labels = || (endpoint.to_owned(), code(status));
    let (label, code) = labels();
    metrics::counter!("http_requests_total", "method" => method, "endpoint" => label.clone(), "status" => code)
        .increment(1);
    metrics::histogram!("http_request_seconds", "method" => method, "endpoint" => label).record(took.as_secs_f64());
    // the log has all this in the line below; only a collector reads it from the span
    if circumstances.trace.collected {
        crate::trace::tell(&circumstances.span, method, endpoint, status.as_u16());
    }
    let (trace, request) = (&circumstances.trace, asked.request_id());
    let problem = asked.0.notes.lock().expect("nobody panics while holding it").problem.take();
    let correlation = circumstances.correlation.get().map(tracing::field::display);
    let status = status.as_u16();
    let duration_ms = took.as_secs_f64() * 1e3;
    // a probe that finds us not ready is no failure
    if status >= 500 && problem.as_deref() != Some("not_ready") {
        tracing::warn!(http.method = method, http.route = endpoint, http.status = status, duration_ms,
            problem.code = problem, request.id = request, correlation.id = correlation, trace.id = %format_args!("{:032x}", trace.id),
            "{method} {endpoint} answered {status}");
    } else {
        tracing::debug!(http.method = method, http.route = endpoint, http.status = status, duration_ms,
            problem.code = problem, request.id = request, correlation.id = correlation, trace.id = %format_args!("{:032x}", trace.id),
            "{method} {endpoint} answered {status}");
    }
}

/// Methods that a client made up would make up labels.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// The status as a label, without making a text of it each time for the usual ones.
fn code(status: StatusCode) -> std::borrow::Cow<'static, str> {
    match status.as_u16() {
        200 => "200".into(),
        201 => "201".into(),
        202 => "202".into(),
        204 => "204".into(),
        304 => "304".into(),
        401 => "401".into(),
        404 => "404".into(),
        429 => "429".into(),
        503 => "503".into(),
        other => other.to_string().into(),
    }
}
