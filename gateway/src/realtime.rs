//! Sockets: people who are told of things as they happen, over Socket.IO. What services say on `rt.<kind>.<id>` reaches
//! every gateway, and each hands it to its own room `<kind>:<id>`: rooms are of one node and gateways know nothing of each
//! other. Nothing is kept for who is away; whoever comes back asks over HTTP.

mod admit;
mod ask;
mod door;
mod hide;
mod members;
mod room;
mod seats;
mod tell;
mod watch;

pub(crate) use tell::listen;
pub(crate) use watch::watch;

use crate::app::App;
use crate::edge::Edge;
use axum::Router;
use members::Members;
use quick_cache::sync::Cache;
use seats::Seats;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longest message of a client; the longest there is carries a token.
pub(crate) const PAYLOAD: usize = 16 * 1024;
/// Between two signs of life, and so long a client may take to answer one. A polling request lasts no longer.
const PING: Duration = Duration::from_secs(25);
const PONG: Duration = Duration::from_secs(20);
/// A client must have said who it is after this long.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// Messages that wait for a slow client; what comes on top is lost, and soon the client too.
const WAITING: usize = 64;
/// Each socket keeps as much for reading: clients say little.
const READ: usize = 1024;
/// Sockets that do not end after this long are left to the end of the process.
const ENDING: Duration = Duration::from_secs(3);
/// Messages that are recognised when they come again.
const REMEMBERED: usize = 10_000;

/// Every socket of this gateway. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Live(Arc<Parts>);

struct Parts {
    app: App,
    io: SocketIo,
    members: Arc<Members>,
    seats: Seats,
    told: Cache<Uuid, ()>,
    /// No request for a socket is answered any more.
    closed: CancellationToken,
}

impl Live {
    /// The sockets, none yet, and the way to them.
    pub(crate) fn new(app: App) -> (Live, Router<App>) {
        let (service, io) = SocketIo::builder()
            .req_path("/")
            .ping_interval(PING)
            .ping_timeout(PONG)
            .connect_timeout(INTRODUCTION)
            .upgrade_timeout(INTRODUCTION)
            .max_buffer_size(WAITING)
            .max_payload(PAYLOAD as u64)
            .ws_read_buffer_size(READ)
            .ws_max_message_size(PAYLOAD)
            .ws_max_frame_size(PAYLOAD)
            .build_svc();
        let config = app.config();
        let seats = Seats::new(config.sockets, config.rate_limits);
        let members = Arc::new(Members::new(config.rate_limits));
        let (told, closed) = (Cache::new(REMEMBERED), CancellationToken::new());
        let live = Live(Arc::new(Parts { app, io, members, seats, told, closed }));
        let admitting = live.clone();
        let admit = move |socket: SocketRef, said: TryData<Value>| admit::admit(admitting, socket, said);
        live.0.io.ns("/", (async || ()).with(admit));
        let router = door::router(live.clone(), service);
        (live, router)
    }

    fn app(&self) -> &App {
        &self.0.app
    }

    fn edge(&self) -> &Edge {
        self.0.app.edge()
    }

    /// When it is `closing`, ends every socket in a way that makes clients connect again, which they do elsewhere.
    pub(crate) async fn end(self, closing: CancellationToken) {
        closing.cancelled().await;
        if tokio::time::timeout(ENDING, self.0.io.close()).await.is_err() {
            tracing::warn!("some sockets did not end in time and were cut off");
        }
        self.0.closed.cancel();
    }
}
