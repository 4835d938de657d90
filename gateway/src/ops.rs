//! Probes and metrics of a role that is not the gateway: the same addresses and the same answers, on a port of its own.

use crate::health::{self, Health};
use crate::problem::{Place, Problem};
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// `/livez`, `/readyz`, `/health` and `/metrics`. Who makes it reports into `health` at least every few seconds.
pub fn ops_router(metrics: PrometheusHandle, health: Health, version: &'static str) -> Router {
    let answer = move || match health.answer(version) {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.render("", Place::default()),
    };
    let ready = move || std::future::ready(answer());
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(ready.clone()))
        .route("/health", get(ready))
        .route("/metrics", get(move || self::metrics(metrics.clone())))
        .fallback(|| async { Problem::of_status(StatusCode::NOT_FOUND, None).render("", Place::default()) })
}

/// Serves it until stopped.
///
/// # Errors
/// The listener broke.
pub async fn serve_ops(listener: TcpListener, router: Router, stop: CancellationToken) -> anyhow::Result<()> {
    Ok(axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await?)
}

/// `GET /metrics`, in the text format of Prometheus.
pub(crate) async fn metrics(handle: PrometheusHandle) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()).into_response()
}
