use super::*;
use crate::answer::Answer;
use crate::config::Config;
use crate::edge::Keys;
use axum::routing::get;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
    /// Told when `/slow` has begun.
    begun: Arc<Notify>,
    /// Lets `/slow` end.
    end: Arc<Notify>,
}

async fn start(drain: Duration) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (begun.clone(), end.clone());
    let slow = move || async move {
        tell.notify_one();
        wait.notified().await;
        Answer::ok(&"done")
    };
    let router = Router::new().route("/slow", get(slow)).route("/", get(|| async { Answer::ok(&"hello") }));
    let keys = Keys { fingerprint: vec![], consistency: vec![] };
    let source = Arc::new(|| futures::future::ready(Err(anyhow::anyhow!("no vault"))).boxed());
    let edge = Arc::new(Edge::new(Config { drain, ..Config::default() }, keys, source));
    let stop = CancellationToken::new();
    let served = tokio::spawn(connections(listener, edge, router, stop.clone(), CancellationToken::new()));
    Running { address, stop, served, begun, end }
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a listener");
    stream.write_all(text.as_bytes()).await.expect("sent");
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut text)).await;
    read.expect("an end within 10 s").expect("a whole answer");
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn what_was_begun_is_ended_in_good_order() {
    let running = start(Duration::from_secs(10)).await;
    let slow = send(running.address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    running.begun.notified().await;
    running.stop.cancel();
    // while it is lame it still takes requests, but ends their connections
    let late = rest(send(running.address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
    assert!(late.starts_with("HTTP/1.1 200") && late.contains("connection: close"), "{late}");
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(running.address).await.is_ok() {
        assert!(Instant::now() < deadline, "it still accepts");
        tokio::task::yield_now().await;
    }
    assert!(!running.served.is_finished(), "it must wait for what was begun");
    running.end.notify_one();
    let answer = rest(slow).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\"done\""), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    tokio::time::timeout(Duration::from_secs(5), running.served).await.expect("stopped").expect("without a panic");
}

#[tokio::test]
async fn who_never_ends_is_cut_off() {
    let running = start(Duration::from_millis(200)).await;
    let _slow = send(running.address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    running.begun.notified().await;
    running.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), running.served).await.expect("stopped").expect("without a panic");
}

#[tokio::test]
async fn heads_have_limits() {
    let running = start(Duration::from_secs(1)).await;
    let many = "X-A: b\r\n".repeat(FIELDS + 1);
    let long = format!("X-A: {}\r\n", "b".repeat(2 * HEAD_SIZE));
    for fields in [many, long] {
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n");
        let answer = rest(send(running.address, &request).await).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let answer = rest(send(running.address, "NONSENSE\r\n\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let smuggled = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let answer = rest(send(running.address, smuggled).await).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}
