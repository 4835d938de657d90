//! The gateway: HTTP becomes commands, rows become HTTP.

use anyhow::{Context, Result, bail};
use blobs::Blobs;
use metrics_exporter_prometheus::PrometheusHandle;
use projections::{GATEWAY, Reads};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::{self, Edge, Switch};
use crate::connect::Place;
use crate::roles::service;
use crate::{observe, supervise};

/// Runs a gateway until told to stop.
///
/// # Errors
/// The address is in use, or NATS or Postgres refuse it.
pub async fn run(args: cli::Gateway) -> Result<()> {
    let observed = observe::begin("gateway")?;
    let stop = supervise::stop_on_signal()?;
    let place = Place::of(&args.servers);
    let listener = listen(&args.edge.listen).await?;
    let blobs = service::blobs(&args.files, &args.servers.data.data)?;
    serve(&place, config(&args.edge), blobs, listener, observed.metrics.clone(), stop).await
}

/// Serves on a listener until `stop`, then ends what was begun.
///
/// # Errors
/// NATS or Postgres refuse it.
pub async fn serve(
    place: &Place,
    config: gateway::Config,
    blobs: Blobs,
    listener: TcpListener,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> Result<()> {
    let bus = tokio::select! { bus = place.bus("gateway") => bus?, () = stop.cancelled() => return Ok(()) };
    let reads = Reads::connect(&place.database(GATEWAY)?).await?;
    let served = gateway::serve(listener, config, bus.clone(), reads, blobs, metrics, stop).await;
    bus.flushed_close().await;
    served
}

/// What the command line says about the edge.
pub fn config(edge: &Edge) -> gateway::Config {
    let usual = gateway::Config::default();
    let origins: Vec<String> = edge.cors_origins.iter().filter(|origin| !origin.is_empty()).cloned().collect();
    gateway::Config {
        public_url: public_url(edge),
        rate_limits: edge.rate_limits == Switch::On,
        trusted_proxies: edge.trusted_proxies,
        cors_origins: if origins.is_empty() { usual.cors_origins } else { origins },
        upload_patience: Duration::from_secs(edge.upload_patience.into()),
        web: embedded::web(),
        version: env!("CARGO_PKG_VERSION"),
        ..usual
    }
}

/// Where people reach this gateway.
pub fn public_url(edge: &Edge) -> String {
    let local = || {
        let (host, port) = edge.listen.rsplit_once(':').unwrap_or((&edge.listen, "3000"));
        let here = matches!(host, "" | "127.0.0.1" | "0.0.0.0" | "[::]" | "[::1]");
        format!("http://{}:{port}", if here { "localhost" } else { host })
    };
    edge.public_url
        .as_deref()
        .filter(|url| !url.is_empty())
        .map_or_else(local, |url| url.trim_end_matches('/').to_owned())
}

/// Listens for HTTP.
///
/// # Errors
/// Somebody else does, or the address is none: with what to do.
pub async fn listen(address: &str) -> Result<TcpListener> {
    supervise::allow_many_files();
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let port = address.rsplit_once(':').map_or(address, |(_, port)| port);
            bail!(
                "port {port} is in use by another program ({address})\n  \
                 stop that one, or choose another address: --listen 127.0.0.1:3001"
            )
        }
        Err(error) => {
            Err(error).with_context(|| format!("cannot listen on {address}; choose another address with --listen"))
        }
    }
}
