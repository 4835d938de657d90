//! The HTTP side of sockets: who may knock. A socket begins as a request, and until it is one its client may poll; what a
//! socket keeps of the request that began it is as little as can be, because it keeps it for as long as it lives.

use super::Live;
use super::seats::Seat;
use crate::app::App;
use crate::asked::Asked;
use crate::auth::Identity;
use crate::problem::Problem;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use axum::routing::any;
use axum::{BoxError, Router};
use hyper::upgrade::OnUpgrade;
use socketioxide::socket::Sid;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tower::{Service, ServiceExt};

/// Where clients look for sockets: S1's clients at the first, others where Socket.IO is by default.
const PATHS: [&str; 4] = ["/ws", "/ws/", "/socket.io", "/socket.io/"];

/// What is known of a client before it says who it is. Kept with the socket, and its seat with it.
#[derive(Clone)]
pub(super) struct Knock {
    /// What the `Authorization` of its first request came to.
    pub identity: Identity,
    /// Where it is.
    pub address: IpAddr,
    _seat: Arc<Seat>,
}

pub(super) fn router<S, B>(live: Live, service: S) -> Router<App>
where
    S: Service<Request, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let handler = any(move |asked: Asked, request: Request| open(live, service, asked, request));
    PATHS.iter().fold(Router::new(), |router, path| router.route(path, handler.clone()))
}

async fn open<S, B>(live: Live, service: S, asked: Asked, request: Request) -> Result<Response, Problem>
where
    S: Service<Request, Response = Response<B>, Error = Infallible>,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let edge = live.edge();
    let leaving = || Problem::unavailable("unavailable", "this gateway is stopping, connect again", 1);
    if edge.draining.load(Ordering::Relaxed) && !is_known(request.uri()) {
        return Err(leaving());
    }
    if !edge.cors.admits(request.headers()) {
        return Err(Problem::forbidden("origin_not_allowed", "pages of this origin may not open sockets"));
    }
    let request = if is_known(request.uri()) {
        request
    } else {
        edge.count(asked.address(), asked.person())?;
        let seat = Arc::new(live.0.seats.take(asked.address())?);
        lightened(request, Knock { identity: asked.0.identity.clone(), address: asked.address(), _seat: seat })
    };
    tokio::select! {
        biased;
        answer = service.oneshot(request) => match answer {
            Ok(response) => Ok(response.map(Body::new)),
            Err(never) => match never {},
        },
        () = live.0.closed.cancelled() => Err(leaving()),
    }
}

/// Whether this is about a socket that was begun, as Socket.IO reads it: every other request may begin one.
fn is_known(uri: &Uri) -> bool {
    let named = uri.query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("sid=")));
    named.is_some_and(|sid| sid.split('=').next().is_some_and(|sid| sid.parse::<Sid>().is_ok()))
}

/// The request with what the socket needs of it. Copied: a header and an address that are taken over hold the whole
/// buffer that they were read into, 8 KB.
fn lightened(request: Request, knock: Knock) -> Request {
    let (mut parts, body) = request.into_parts();
    let mut headers = HeaderMap::with_capacity(1);
    let key = parts.headers.get(header::SEC_WEBSOCKET_KEY);
    if let Some(Ok(key)) = key.map(|key| HeaderValue::from_bytes(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    parts.headers = headers;
    parts.uri = parts.uri.to_string().parse().unwrap_or_default();
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    parts.extensions.clear();
    parts.extensions.insert(knock);
    if let Some(upgrade) = upgrade {
        parts.extensions.insert(upgrade);
    }
    Request::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_a_socket_need_not_take_a_seat() {
        let known = |query: &str| is_known(&format!("/ws/?{query}").parse().expect("an address"));
        assert!(known(&format!("EIO=4&transport=polling&sid={}", Sid::new())));
        for query in ["EIO=4&transport=polling", "EIO=4&sid=", "EIO=4&sid=made-up", "EIO=4&xsid=AAAAAAAAAAAAAAHs"] {
            assert!(!known(query), "{query}");
        }
    }
}
