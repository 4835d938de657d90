//! The world outside: a listener of the test that remembers what it is given, as a push service and as a collector of
//! traces.

use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Takes every request, and keeps it.
pub struct Listener {
    /// `http://host:port`
    pub url: String,
    taken: Arc<Mutex<Vec<Taken>>>,
    answer: Arc<Mutex<&'static str>>,
}

/// A request: its head, and its body.
type Taken = (String, Vec<u8>);

impl Listener {
    /// A browser that hears through it as its push service, as it subscribes.
    pub fn browser(&self) -> Value {
        json!({
            "endpoint": format!("{}/one", self.url),
            // the example of RFC 8291
            "keys": {
                "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
                "auth": "BTBZMqHH6r4Tts7J_aSIgg",
            },
        })
    }

    /// Starts one that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (taken, answer) = (Arc::new(Mutex::new(vec![])), Arc::new(Mutex::new("201 Created")));
        let (all, says) = (taken.clone(), answer.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, all.clone(), says.clone()));
            }
        });
        Listener { url, taken, answer }
    }

    /// From now on it answers so.
    pub fn answer_with(&self, answer: &'static str) {
        *self.answer.lock().expect("nobody panics here") = answer;
    }

    /// The heads of all requests.
    pub fn taken(&self) -> Vec<String> {
        self.requests().into_iter().map(|(head, _)| head).collect()
    }

    /// All requests.
    pub fn requests(&self) -> Vec<Taken> {
        self.taken.lock().expect("nobody panics here").clone()
    }
}

/// One request after the other (RFC 9112), each with a body of a length that is said.
async fn take(
    mut stream: TcpStream,
    taken: Arc<Mutex<Vec<Taken>>>,
    says: Arc<Mutex<&'static str>>,
) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let said = head.to_lowercase();
        let length = said.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).await?;
        taken.lock().expect("nobody panics here").push((head, body));
        let answer = *says.lock().expect("nobody panics here");
        writer.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await?;
    }
}
