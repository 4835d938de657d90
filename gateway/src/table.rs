//! The table of contents of the HTTP side: every route with its handler and its description, from which the router and
//! the OpenAPI document are both built.

use crate::app::App;
use crate::openapi::Doc;
use crate::{identity, notifications, openapi, processing, profile, public, storage, users, videos};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};

/// One operation: where it is, what it does, what it says of itself.
pub(crate) struct Route {
    /// `GET`, `POST`, …
    pub(crate) method: &'static str,
    /// Its paths; the first is the one, the others are names that other systems' clients know.
    pub(crate) paths: &'static [&'static str],
    /// What answers; nothing when the core of the gateway itself does.
    pub(crate) handler: Option<MethodRouter<App>>,
    /// What it says of itself.
    pub(crate) doc: Doc,
}

/// Every route there is.
pub(crate) fn routes() -> Vec<Route> {
    let parts = [
        identity::routes(),
        profile::routes(),
        users::routes(),
        storage::routes(),
        videos::routes(),
        processing::routes(),
        notifications::routes(),
        public::routes(),
        openapi::edge_routes(),
    ];
    parts.into_iter().flatten().collect()
}

/// What answers them. The core adds its own routes, and `/api/v1` for all.
pub(crate) fn router() -> Router<App> {
    let mut router = Router::new();
    for route in routes() {
        for (path, handler) in route.paths.iter().filter_map(|path| Some((path, route.handler.clone()?))) {
            router = router.route(path, handler);
        }
    }
    // the edge bounds every body by what it is for; this one would bound forms with files in them too
    router.layer(DefaultBodyLimit::disable())
}

type Paths = &'static [&'static str];

pub(crate) fn get<H: Handler<T, App>, T: 'static>(paths: Paths, handler: H, doc: Doc) -> Route {
    Route { method: "GET", paths, handler: Some(routing::get(handler)), doc }
}

pub(crate) fn post<H: Handler<T, App>, T: 'static>(paths: Paths, handler: H, doc: Doc) -> Route {
    Route { method: "POST", paths, handler: Some(routing::post(handler)), doc }
}

pub(crate) fn put<H: Handler<T, App>, T: 'static>(paths: Paths, handler: H, doc: Doc) -> Route {
    Route { method: "PUT", paths, handler: Some(routing::put(handler)), doc }
}

pub(crate) fn patch<H: Handler<T, App>, T: 'static>(paths: Paths, handler: H, doc: Doc) -> Route {
    Route { method: "PATCH", paths, handler: Some(routing::patch(handler)), doc }
}

pub(crate) fn head<H: Handler<T, App>, T: 'static>(paths: Paths, handler: H, doc: Doc) -> Route {
    Route { method: "HEAD", paths, handler: Some(routing::head(handler)), doc }
}

pub(crate) fn options<H: Handler<T, App>, T: 'static>(paths: Paths, handler: H, doc: Doc) -> Route {
    Route { method: "OPTIONS", paths, handler: Some(routing::options(handler)), doc }
}

pub(crate) fn delete<H: Handler<T, App>, T: 'static>(paths: Paths, handler: H, doc: Doc) -> Route {
    Route { method: "DELETE", paths, handler: Some(routing::delete(handler)), doc }
}
