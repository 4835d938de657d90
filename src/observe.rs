//! Seeing inside: logs for people on a terminal and JSON lines for everything else, metrics, and traces when a
//! collector is named. Nothing here ever gets an opened personal field.

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::env;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// What is being measured; dropped at the end, so that the last traces leave.
pub struct Observed {
    /// Renders the metrics.
    pub metrics: PrometheusHandle,
    traces: Option<SdkTracerProvider>,
}

impl Drop for Observed {
    fn drop(&mut self) {
        if let Some(traces) = self.traces.take() {
            let _ = traces.shutdown();
        }
    }
}

/// Begins to observe, as `role`. Call it inside the runtime, once.
///
/// # Errors
/// The filter or the collector's address cannot be read.
pub fn begin(role: &'static str) -> Result<Observed> {
    let words = env::var("REPRISE_LOG").or_else(|_| env::var("RUST_LOG")).unwrap_or_else(|_| default_filter().into());
    let filter = EnvFilter::try_new(words).context("REPRISE_LOG (or RUST_LOG) is no filter like info,nats=debug")?;
    let traces = traces(role)?;
    let bridge = traces.as_ref().map(|provider| {
        let only_requests = EnvFilter::new("info,hyper=off,reqwest=off,opentelemetry=off");
        tracing_opentelemetry::layer().with_tracer(provider.tracer("reprise")).with_filter(only_requests)
    });
    tracing_subscriber::registry().with(bridge).with(lines().with_filter(filter)).init();
    Ok(Observed { metrics: metrics()?, traces })
}

fn default_filter() -> &'static str {
    "info,async_nats=warn,sqlx=warn,hyper=warn,opentelemetry=warn"
}

/// One line an event: for a person when there is one, JSON otherwise.
fn lines<S>() -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        layer.with_target(false).compact().boxed()
    } else {
        layer.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    }
}

fn traces(role: &'static str) -> Result<Option<SdkTracerProvider>> {
    let named = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"].map(env::var_os);
    if named.iter().flatten().all(|name| name.is_empty()) {
        return Ok(None);
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build();
    let exporter = exporter.context("OTEL_EXPORTER_OTLP_ENDPOINT is no address like http://localhost:4318")?;
    let words = [KeyValue::new("service.version", env!("CARGO_PKG_VERSION")), KeyValue::new("reprise.role", role)];
    let resource = Resource::builder().with_service_name("reprise").with_attributes(words).build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    opentelemetry::global::set_tracer_provider(provider.clone());
    opentelemetry::global::set_text_map_propagator(opentelemetry_sdk::propagation::TraceContextPropagator::new());
    Ok(Some(provider))
}

/// Seconds in buckets that tell 1 ms from 2 ms and 2 s from 5 s.
fn metrics() -> Result<PrometheusHandle> {
    const SECONDS: [f64; 15] =
        [0.0005, 0.001, 0.002, 0.003, 0.006, 0.0125, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0];
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?;
    let handle = builder.install_recorder().context("metrics are already being recorded")?;
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}
