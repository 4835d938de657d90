//! Compression of what is worth it, as a stream. Answers of the auth routes are never compressed: beside something the
//! caller chose they carry secrets, whose length must not tell about them.

use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, Request, header};
use axum::response::Response;
use futures::FutureExt;
use std::convert::Infallible;
use tower::Service;
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

/// A shorter body gets longer.
const WORTH: u64 = 1024;

/// The response in the best encoding that the client knows.
pub(crate) fn fitting(response: Response, accepted: Option<HeaderValue>) -> Response {
    let Some(accepted) = accepted else { return response };
    if response.body().size_hint().exact().is_some_and(|size| size < WORTH) {
        return response;
    }
    let mut asked = Request::new(());
    asked.headers_mut().insert(header::ACCEPT_ENCODING, accepted);
    let mut answer = Some(response);
    let given = tower::service_fn(move |_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(answer.take().expect("called once")))
    });
    let worth = SizeAbove::new(WORTH).and(NotForContentType::SSE).and(NotForContentType::IMAGES);
    // what people uploaded, and films: small already, and long
    let [film, sound, file] = ["video/", "audio/", "application/octet-stream"].map(NotForContentType::const_new);
    let worth = worth.and(film).and(sound).and(file);
    let compressed = Compression::new(given).quality(CompressionLevel::Precise(4)).compress_when(worth).call(asked);
    match compressed.now_or_never() {
        Some(Ok(response)) => response.map(Body::new),
        Some(Err(never)) => match never {},
        None => unreachable!("the answer is there already"),
    }
}
