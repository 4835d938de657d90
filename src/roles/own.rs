//! What roles that are not the gateway have in common when they are a process of their own: signals, and a small
//! listener for probes and metrics.

use anyhow::Result;
use gateway::{Health, Part, ops_router, serve_ops};
use nats::Bus;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::cli::Own;
use crate::connect::Place;
use crate::observe::{self, Observed};
use crate::roles::gateway::listen;
use crate::supervise;

/// A process with one role.
pub struct Process {
    /// Where the servers are.
    pub place: Place,
    /// Cancelled when it is time to stop.
    pub stop: CancellationToken,
    /// Logs, metrics, traces.
    pub observed: Observed,
}

impl Process {
    /// Begins one.
    ///
    /// # Errors
    /// The system gives no signals, or a setting about logs cannot be.
    pub fn begin(role: &'static str, own: &Own) -> Result<Self> {
        let observed = observe::begin(role)?;
        Ok(Process { place: Place::of(&own.servers), stop: supervise::stop_on_signal()?, observed })
    }

    /// Connects to NATS as `role`; `None` when it was told to stop before it could.
    ///
    /// # Errors
    /// NATS does not know the role.
    pub async fn bus(&self, role: &str) -> Result<Option<Bus>> {
        tokio::select! { bus = self.place.bus(role) => bus.map(Some), () = self.stop.cancelled() => Ok(None) }
    }

    /// Serves probes and metrics when an address for that is given.
    ///
    /// # Errors
    /// The address is in use.
    pub async fn probes(&self, own: &Own, bus: &Bus, rows: Option<PgPool>) -> Result<()> {
        let Some(address) = own.ops.ops_listen else { return Ok(()) };
        let listener = listen(&address.to_string()).await?;
        let health = Health::default();
        let router = ops_router(self.observed.metrics.clone(), health.clone(), env!("CARGO_PKG_VERSION"));
        tokio::spawn(look(health, bus.clone(), rows, self.stop.clone()));
        tokio::spawn(serve_ops(listener, router, self.stop.clone()));
        Ok(())
    }
}

/// Looks every second how the servers are.
async fn look(health: Health, bus: Bus, rows: Option<PgPool>, stop: CancellationToken) {
    let part = |well: bool, what: &str| if well { Part::ok() } else { Part::down(format!("{what} does not answer")) };
    while !stop.is_cancelled() {
        let mut parts = BTreeMap::from([("nats", part(bus.is_connected(), "NATS"))]);
        if let Some(rows) = &rows {
            let answer = tokio::time::timeout(Duration::from_secs(2), sqlx::query("select").execute(rows)).await;
            parts.insert("postgres", part(matches!(answer, Ok(Ok(_))), "Postgres"));
        }
        health.report(parts);
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(Duration::from_secs(1)) => {} }
    }
    health.report(BTreeMap::from([("stopping", Part::down("this process is stopping"))]));
}
