//! Sockets as people's browsers have them: socket.io-client from npm in a process of its own, driven by lines of JSON.

use super::{Person, eventually};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// The process. It ends with its input, which is ours.
pub struct Sockets {
    child: Child,
    heard: Arc<Mutex<Vec<Value>>>,
    asked: AtomicU32,
}

/// One socket; what it hears is remembered from its beginning.
pub struct Socket<'a> {
    all: &'a Sockets,
    name: String,
}

impl Sockets {
    /// Starts the process.
    pub fn start() -> Sockets {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let clients = here.join(".tools/js/sockets");
        assert!(
            clients.join("node_modules").exists(),
            "there are no clients in .tools/js/sockets: run scripts/fetch --for-tests"
        );
        let mut command = Command::new("node");
        command.arg(here.join("tests/js/sockets/sockets.js")).arg(clients);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child =
            child.unwrap_or_else(|error| panic!("node cannot be started ({error}): run scripts/fetch --for-tests"));
        let heard = Arc::new(Mutex::new(vec![]));
        let (output, hears) = (child.stdout.take().expect("it was piped"), heard.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                hears.lock().expect("not poisoned").push(serde_json::from_str(&line).expect("lines are JSON"));
            }
        });
        Sockets { child, heard, asked: AtomicU32::new(0) }
    }

    /// Opens a socket with the client's own options.
    pub fn open(&self, url: &str, options: Value) -> Socket<'_> {
        let name = self.asked.fetch_add(1, Ordering::Relaxed).to_string();
        self.command(&json!({ "do": "open", "socket": name, "url": url, "options": options }));
        Socket { all: self, name }
    }

    /// Opens a socket for somebody, at the usual place, and waits until it is connected.
    pub async fn of(&self, url: &str, person: &Person) -> Socket<'_> {
        let token = &person.access_token;
        let options = json!({ "path": "/ws", "transports": ["websocket"], "auth": { "token": token } });
        let socket = self.open(url, options);
        socket.hears("connect").await;
        socket
    }

    fn command(&self, command: &Value) {
        let mut input = self.child.stdin.as_ref().expect("it was piped");
        writeln!(input, "{command}").expect("node still runs");
    }
}

impl Socket<'_> {
    /// Everything that happened to it, in order.
    pub fn all(&self) -> Vec<Value> {
        let heard = self.all.heard.lock().expect("not poisoned");
        heard.iter().filter(|line| line["socket"] == self.name.as_str()).cloned().collect()
    }

    /// The events of this name, in order.
    pub fn events(&self, event: &str) -> Vec<Value> {
        self.all().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// Waits for something to happen to it: `connect`, `connect_error`, `disconnect`, `upgrade`.
    pub async fn hears(&self, what: &str) -> Value {
        self.until(what, |line| line["what"] == what).await
    }

    /// Waits for an event from the platform; what it carries.
    pub async fn event(&self, event: &str) -> Value {
        self.until(event, |line| line["event"] == event).await["data"][0].clone()
    }

    /// Sends an event and waits for the acknowledgement.
    pub async fn ask(&self, event: &str, data: Value) -> Value {
        self.ask_with(event, json!([data])).await
    }

    /// The same with all arguments said.
    pub async fn ask_with(&self, event: &str, data: Value) -> Value {
        let ask = self.all.asked.fetch_add(1, Ordering::Relaxed);
        self.all.command(&json!({ "do": "send", "socket": self.name, "event": event, "data": data, "ask": ask }));
        let line = self.until(&format!("an answer to {event}"), |line| line["ask"] == ask).await;
        assert!(line["error"].is_null(), "{event}: {line}");
        line["answer"].clone()
    }

    /// Sends an event and wants no acknowledgement.
    pub fn send(&self, event: &str, data: Value) {
        self.all.command(&json!({ "do": "send", "socket": self.name, "event": event, "data": [data] }));
    }

    async fn until(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("a socket hears {what}"), async || self.all().into_iter().find(|line| fits(line))).await
    }
}

impl Drop for Socket<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.all.command(&json!({ "do": "close", "socket": self.name }));
        } else {
            eprintln!("--- what socket {} heard ---\n{:#?}", self.name, self.all());
        }
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
