//! Connections: accepted, served with limits on time and size, and ended in good order when the gateway stops.

use crate::edge::Edge;
use axum::Router;
use axum::http::Request;
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The head of a request must have arrived after this long; this is also how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);
/// More header fields end the connection. The edge refuses far fewer, in better words; room for so many is on the stack.
const FIELDS: usize = 100;
/// A longer head ends the connection. The edge refuses far less, in better words.
const HEAD_SIZE: usize = 64 * 1024;
/// While connections are told to end, new ones are still taken: a balancer needs a moment to see that we are not ready.
const LAME: Duration = Duration::from_millis(500);
/// So long the last connections have for their request to arrive.
const LAST: Duration = Duration::from_millis(100);

/// Serves until stopped; then says `closing`, and answers everything that was begun.
pub(crate) async fn connections(
    listener: TcpListener,
    edge: Arc<Edge>,
    router: Router,
    stop: CancellationToken,
    closing: CancellationToken,
) {
    let open = TaskTracker::new();
    let room = Arc::new(Semaphore::new(edge.config.connections));
    let begin = |stream: TcpStream, place: Option<OwnedSemaphorePermit>| {
        let serving = serve(stream, edge.clone(), router.clone(), closing.clone());
        open.spawn(async move {
            serving.await;
            drop(place);
        });
    };
    let mut lame = Box::pin(lame(&edge, &stop));
    loop {
        tokio::select! {
            biased;
            () = &mut lame => break,
            (stream, place) = accept(&listener, &room) => begin(stream, place),
        }
    }
    // whoever was connected already, as far as they can know, is answered too
    while let Some(Ok((stream, _))) = listener.accept().now_or_never() {
        begin(stream, None);
    }
    drop(listener);
    // a connection that has not said anything yet is closed at once below: let the last ones speak first
    tokio::time::sleep(LAST).await;
    closing.cancel();
    open.close();
    if tokio::time::timeout(edge.config.drain, open.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
}

/// Stopping begins with saying so: not ready any more, every answer ends its connection.
async fn lame(edge: &Edge, stop: &CancellationToken) {
    stop.cancelled().await;
    edge.draining.store(true, Ordering::Relaxed);
    tokio::time::sleep(LAME).await;
}

/// The next connection, when there is room for one.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    let place = room.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                // out of file descriptors, mostly: accepting again at once would only spin
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one connection until it ends, or becomes a socket, which the realtime edge has from then on.
async fn serve(stream: TcpStream, edge: Arc<Edge>, router: Router, closing: CancellationToken) {
    let peer = stream.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip().to_canonical());
    // answers are small and complete; waiting for more to fill a packet only delays them
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "TCP_NODELAY could not be set");
    }
    let router = Arc::new(router);
    let handle = move |request: Request<Incoming>| {
        let (edge, router) = (edge.clone(), router.clone());
        async move { Ok::<_, Infallible>(edge.handle(&router, peer, request).await) }
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(FIELDS)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), service_fn(handle))
        .with_upgrades();
    let mut connection = pin!(connection);
    // how a connection ends is the client's business
    if closing.run_until_cancelled(connection.as_mut()).await.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

#[cfg(test)]
mod tests;
