//! A real HTTP server on this machine, in the place of somebody else's. It answers what a test wants and keeps what it
//! heard.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::Response;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

pub struct Server {
    /// `http://127.0.0.1:port`
    pub url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// A request, whole.
#[derive(Clone)]
pub struct Heard {
    pub head: Parts,
    pub body: Vec<u8>,
}

impl Heard {
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.head.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("a text")
    }
}

impl Server {
    /// Every request is answered by `answer`.
    pub async fn start(answer: impl Fn(&Heard) -> Response<Body> + Clone + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heard = Arc::new(Mutex::new(vec![]));
        let kept: Arc<Mutex<Vec<Heard>>> = heard.clone();
        let handler = async move |request: Request| {
            let (head, body) = request.into_parts();
            let one = Heard { head, body: to_bytes(body, 1 << 20).await.expect("a body").to_vec() };
            kept.lock().expect("nobody panics here").push(one.clone());
            answer(&one)
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await });
        Server { url, heard }
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("nobody panics here").clone()
    }

    #[track_caller]
    pub fn only(&self) -> Heard {
        let heard = self.heard();
        assert_eq!(heard.len(), 1);
        heard[0].clone()
    }
}

/// A server that takes connections and never says anything.
pub async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut open = vec![];
        while let Ok((connection, _)) = listener.accept().await {
            open.push(connection);
        }
    });
    url
}

pub fn answer(status: u16, headers: &[(&'static str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(body.into()).expect("an answer")
}
