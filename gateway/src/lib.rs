//! The gateway: HTTP becomes commands, rows become HTTP. It never decides anything about the domain, and nothing that a
//! client sends reaches a message except by way of a command that was read and understood.

mod answer;
mod app;
mod asked;
mod auth;
mod commands;
mod compress;
mod config;
mod consistency;
mod cors;
mod cursor;
mod edge;
mod extract;
mod health;
mod idempotency;
mod identity;
mod limits;
mod lists;
mod notifications;
mod openapi;
mod operations;
mod ops;
mod page;
mod path;
mod prefer;
mod problem;
mod processing;
mod profile;
mod public;
mod realtime;
mod record;
mod revocation;
mod serve;
mod shapes;
mod shed;
mod storage;
mod table;
mod trace;
mod users;
mod videos;

pub use config::Config;
pub use health::{Health, Part};
pub use ops::{ops_router, serve_ops};

use crate::app::App;
use crate::edge::{Edge, Keys, Labelled};
use crate::realtime::Live;
use anyhow::Context;
use axum::Router;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobs::Blobs;
use metrics_exporter_prometheus::PrometheusHandle;
use nats::Bus;
use projections::Reads;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves HTTP until stopped; then ends what was begun and returns.
///
/// # Errors
/// It was stopped before the vault gave the keys that gateways share, or NATS does not let this role listen.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    bus: Bus,
    reads: Reads,
    blobs: Blobs,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let vault = vault::Client::new(bus.clone());
    let keys = tokio::select! {
        keys = shared_keys(&vault) => keys,
        () = stop.cancelled() => anyhow::bail!("stopped before the vault gave the keys"),
    }?;
    let source = move || jwks(vault.clone());
    let edge = Arc::new(Edge::new(config, keys, Arc::new(move || Box::pin(source()))));
    let reads = reads.woken_by(&bus).await?;
    let app = App::new(edge.clone(), bus, reads, blobs);
    let (live, sockets) = Live::new(app.clone());
    let background = stop.child_token();
    tokio::spawn(health::watch(app.clone(), background.clone()));
    tokio::spawn(realtime::listen(live.clone(), background.clone()));
    tokio::spawn(realtime::watch(live.clone(), background.clone()));
    tokio::spawn(videos::hear_others(app.clone(), background.clone()));
    tokio::spawn(videos::keep_telling(app.clone(), background.clone()));
    let (following, revoked, until) = (edge.clone(), app.bus().clone(), background.clone());
    tokio::spawn(async move { revocation::follow(&following.auth.revocations, &revoked, &until).await });
    let router = routes(metrics).merge(sockets).route_layer(Labelled).with_state(app.clone());
    let closing = CancellationToken::new();
    let closed = tokio::spawn(live.end(closing.clone()));
    serve::connections(listener, edge, router, stop, closing).await;
    closed.await?;
    background.cancel();
    videos::tell_last(&app).await;
    Ok(())
}

fn routes(metrics: PrometheusHandle) -> Router<App> {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/health", get(health::ready))
        .route("/api/health", get(health::ready))
        .route("/metrics", get(move || ops::metrics(metrics.clone())))
        .route("/api/operations/{id}", get(operations::get))
        .route("/api/commands", post(commands::post))
        .merge(table::router())
}

async fn jwks(vault: vault::Client) -> anyhow::Result<jsonwebtoken::jwk::JwkSet> {
    serde_json::from_value(vault.jwks().await?).context("the vault's keys are not a JWK set")
}

/// Asks until the vault is there: roles start in any order.
async fn shared_keys(vault: &vault::Client) -> anyhow::Result<Keys> {
    loop {
        match vault.edge_keys().await {
            Ok(keys) => {
                let fingerprint = STANDARD.decode(keys.fingerprint.expose()).context("the vault's fingerprint key")?;
                let consistency = STANDARD.decode(keys.consistency.expose()).context("the vault's consistency key")?;
                return Ok(Keys { fingerprint, consistency });
            }
            Err(error) => {
                tracing::info!(error = %error, "waiting for the vault");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}
