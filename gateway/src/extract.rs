//! What handlers take from a request: who sent it and the JSON in it. Whatever is wrong is said as precisely as it is
//! known: where the JSON breaks, which field has the wrong type.

use crate::asked::Asked;
use crate::auth::{Actor, Identity, Refused};
use crate::idempotency;
use crate::problem::Problem;
use axum::body::Body as Raw;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::time::Duration;

/// A body must have arrived after this long.
const SLOWEST: Duration = Duration::from_secs(30);

/// Somebody who is signed in, or nobody. A token that is shown but not good is 401 nevertheless.
#[derive(Clone, Debug)]
pub struct MaybeActor(pub Option<Actor>);

/// Somebody who is signed in and an admin.
#[derive(Clone, Debug)]
pub struct Admin(pub Actor);

/// The JSON body. `Body<Option<T>>` is also content with an empty one.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

/// Who it is, if anybody.
///
/// # Errors
/// 401 with what is wrong with the token; 503 when that cannot be known.
pub(crate) fn identify(identity: &Identity) -> Result<Option<Actor>, Problem> {
    let refused = |code, detail| Problem::new(StatusCode::UNAUTHORIZED, code, detail);
    match identity {
        Identity::Nobody => Ok(None),
        Identity::Person(actor) => Ok(Some(actor.clone())),
        Identity::Refused(Refused::Invalid) => Err(refused("token_invalid", "this access token is not valid")),
        Identity::Refused(Refused::Expired) => {
            Err(refused("token_expired", "this access token has expired, refresh it"))
        }
        Identity::Refused(Refused::Ended) => Err(refused("session_ended", "this session is over, sign in again")),
        Identity::Unknown => Err(Problem::unavailable(
            "unavailable",
            "access tokens cannot be checked at the moment, try again shortly",
            2,
        )),
    }
}

impl<S: Sync> FromRequestParts<S> for MaybeActor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let asked = parts.extensions.get::<Asked>();
        asked.map_or(Ok(None), |asked| identify(&asked.0.identity)).map(MaybeActor)
    }
}

impl<S: Sync> FromRequestParts<S> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let MaybeActor(actor) = MaybeActor::from_request_parts(parts, state).await?;
        actor.ok_or_else(|| Problem::unauthenticated("sign in and send the access token as Authorization: Bearer …"))
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let actor = Actor::from_request_parts(parts, state).await?;
        if !actor.is_admin() {
            return Err(Problem::forbidden("admin_required", "only an admin may do this"));
        }
        let current = parts.extensions.get::<Asked>().is_some_and(|asked| asked.0.current);
        current.then_some(Admin(actor)).ok_or_else(|| {
            let detail = "whether this session is still good cannot be known at the moment, try again shortly";
            Problem::unavailable("unavailable", detail, 2)
        })
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        if bytes.is_empty() {
            let nothing = serde_json::from_slice(b"null").map(Body);
            return nothing.map_err(|_| Problem::malformed("body_required", "send a JSON body"));
        }
        if !is_json(&parts.headers) || is_encoded(&parts.headers) {
            return Err(Problem::of_status(StatusCode::UNSUPPORTED_MEDIA_TYPE, None));
        }
        if let Some(asked) = parts.extensions.get::<Asked>().filter(|asked| asked.has_key()) {
            asked.0.body.get_or_init(|| idempotency::digest(&bytes));
        }
        // serde reads a struct from a list too, by position; nobody means that
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(Problem::field("field_invalid", "", "send an object, not a list"));
        }
        json(&bytes).map(Body)
    }
}

/// The whole body.
///
/// # Errors
/// 413 when it is longer than the edge allows here, 408 when it takes too long, 400 when it breaks off.
pub(crate) async fn read(body: Raw) -> Result<Bytes, Problem> {
    match tokio::time::timeout(SLOWEST, body.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if is_too_long(&error) => Err(Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE, None)),
        Ok(Err(_)) => Err(Problem::malformed("body_broken", "the body broke off")),
        Err(_) => Err(Problem::of_status(StatusCode::REQUEST_TIMEOUT, None)),
    }
}

fn is_too_long(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<LengthLimitError>())
}

/// `application/json` and everything that ends in `+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else { return false };
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Bodies are taken as they are: what unpacks to a thousand times its size is nobody's friend.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Reads JSON.
///
/// # Errors
/// 400 with line and column when it is not JSON, 422 with the place when it does not have the form that is wanted.
pub(crate) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => misfit::<T>(bytes, error),
        _ => Problem::malformed("json_malformed", format!("this is not JSON: {error}")),
    })
}

/// Reads again, slower, to know where the wrong field is.
fn misfit<T: DeserializeOwned>(bytes: &[u8], error: serde_json::Error) -> Problem {
    let mut track = serde_path_to_error::Track::new();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let again = T::deserialize(serde_path_to_error::Deserializer::new(&mut reader, &mut track));
    let error = again.err().unwrap_or(error);
    let path: String = track.path().iter().map(segment).collect();
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default().to_owned();
    Problem::field("field_invalid", path, text)
}

fn segment(segment: &serde_path_to_error::Segment) -> String {
    use serde_path_to_error::Segment::{Enum, Map, Seq, Unknown};
    match segment {
        Seq { index } => format!("/{index}"),
        Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Enum { variant } => format!("/{variant}"),
        Unknown => String::new(),
    }
}
