//! Ids in paths, and how much of an answer is wanted: an id that is none is said to be none, whatever the route.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use uuid::Uuid;

/// The only parameter of the path, a UUID.
pub(crate) struct Id(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| Uuid::try_parse(&text).ok());
        id.map(Id).ok_or_else(|| Problem::malformed("id_invalid", "the id in the path is not a UUID"))
    }
}

/// Whether the client wants the whole of what it changed: `Prefer: return=representation` (RFC 7240).
pub(crate) struct Whole(pub(crate) bool);

impl<S: Send + Sync> FromRequestParts<S> for Whole {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let prefer = parts.headers.get("prefer").and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Whole(prefer.split([',', ';']).any(|it| it.trim().eq_ignore_ascii_case("return=representation"))))
    }
}

/// Whether a person looks with a browser, to whom a page says more than JSON.
pub(crate) struct Browser(pub(crate) bool);

impl<S: Send + Sync> FromRequestParts<S> for Browser {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let accept = parts.headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Browser(accept.contains("text/html")))
    }
}
