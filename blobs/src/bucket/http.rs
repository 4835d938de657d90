//! How the S3 client speaks HTTP: over the client that the platform has already, with the certificate authorities of
//! the system, or Mozilla's where there are none. A server that falls silent is a timeout, never a hanging request.

use futures::future::BoxFuture;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector as Connector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::time::timeout;
use tower_http::timeout::TimeoutBody;

const CONNECT: Duration = Duration::from_secs(5);
/// For sending a request, with the part of a blob in it, until the answer begins.
const ANSWER: Duration = Duration::from_secs(60);
/// Between two pieces of an answer.
const SILENCE: Duration = Duration::from_secs(30);

/// Connects the S3 client.
#[derive(Debug)]
pub(super) struct Http;

#[derive(Debug)]
struct Service(Client<HttpsConnector<HttpConnector>, HttpRequestBody>);

impl Connector for Http {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let builder = HttpsConnectorBuilder::new();
        let tls = builder.with_native_roots().unwrap_or_else(|_| HttpsConnectorBuilder::new().with_webpki_roots());
        let https = tls.https_or_http().enable_http1().wrap_connector(tcp);
        Ok(HttpClient::new(Service(Client::builder(TokioExecutor::new()).build(https))))
    }
}

impl HttpService for Service {
    fn call<'a, 'b>(&'a self, request: HttpRequest) -> BoxFuture<'b, Result<HttpResponse, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let silent = || HttpError::new(HttpErrorKind::Timeout, io::Error::from(io::ErrorKind::TimedOut));
            let answer = timeout(ANSWER, self.0.request(request)).await.map_err(|_| silent())?;
            let (head, body) = answer.map_err(|error| failed(error.is_connect(), error.into()))?.into_parts();
            let body = TimeoutBody::new(SILENCE, body).map_err(|error| failed(false, error));
            Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
        })
    }
}

/// Tells what may be tried again: what never reached the server, and what broke off.
fn failed(connecting: bool, error: Box<dyn Error + Send + Sync>) -> HttpError {
    let mut kind = if connecting { HttpErrorKind::Connect } else { HttpErrorKind::Unknown };
    let mut cause: Option<&(dyn Error + 'static)> = Some(&*error);
    while let (HttpErrorKind::Unknown, Some(error)) = (kind, cause) {
        if error.is::<tower_http::timeout::TimeoutError>() {
            kind = HttpErrorKind::Timeout;
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_closed() || error.is_canceled() || error.is_incomplete_message())
        {
            kind = HttpErrorKind::Request;
        }
        if error.is::<io::Error>() {
            kind = HttpErrorKind::Interrupted;
        }
        cause = error.source();
    }
    HttpError::new_boxed(kind, error)
}
