//! A NATS client of our own, so small that it shares nothing with the code under test: whoever gets the lines of
//! `reprise env` could have written it. It blocks; it is meant for looking, not for load.

use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection.
pub struct Stranger {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    inbox: String,
    asked: u32,
    waiting: VecDeque<Received>,
    /// What the server refused so far.
    pub refused: Vec<String>,
}

/// A message that came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Where it was published.
    pub subject: String,
    /// The status of its header block: `404`, `204`.
    pub status: Option<u16>,
    /// Its headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// What it says.
    pub payload: Vec<u8>,
}

impl Received {
    /// The payload as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or(Value::Null)
    }
}

impl Stranger {
    /// Connects with the lines of `reprise env`.
    pub fn from_env(env: &BTreeMap<String, String>) -> io::Result<Stranger> {
        let inbox = env.get("NATS_INBOX_PREFIX").map_or("_INBOX", String::as_str);
        Stranger::connect(&env["NATS_URL"], env.get("NATS_NKEY").map(String::as_str), inbox)
    }

    /// Connects with a seed.
    pub fn connect(url: &str, seed: Option<&str>, inbox: &str) -> io::Result<Stranger> {
        let address = url.trim_start_matches("nats://").trim_end_matches('/');
        let writer = TcpStream::connect(address)?;
        writer.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut reader = BufReader::new(writer.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let info: Value = serde_json::from_str(line.trim_start_matches("INFO ")).map_err(io::Error::other)?;
        let mut hello = json!({ "verbose": false, "pedantic": false, "headers": true, "no_responders": true,
            "lang": "rust", "version": "0", "name": "stranger", "protocol": 1 });
        if let Some(seed) = seed {
            let pair = nkeys::KeyPair::from_seed(seed).map_err(io::Error::other)?;
            let nonce = info["nonce"].as_str().unwrap_or_default();
            let signature = pair.sign(nonce.as_bytes()).map_err(io::Error::other)?;
            hello["nkey"] = json!(pair.public_key());
            hello["sig"] = json!(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(signature));
        }
        let (inbox, waiting) = (format!("{inbox}.stranger{}", std::process::id()), VecDeque::new());
        let mut stranger = Stranger { reader, writer, inbox, asked: 0, waiting, refused: vec![] };
        let greeting = format!("CONNECT {hello}\r\nSUB {}.* 1\r\n", stranger.inbox);
        stranger.writer.write_all(greeting.as_bytes())?;
        stranger.flush()?;
        Ok(stranger)
    }

    /// Says something, at most once.
    pub fn publish(&mut self, subject: &str, payload: &[u8]) -> io::Result<()> {
        self.write(subject, "", payload)
    }

    /// Subscribes; what comes is found by [`Stranger::next`].
    pub fn subscribe(&mut self, subject: &str) -> io::Result<()> {
        self.writer.write_all(format!("SUB {subject} 2\r\n").as_bytes())?;
        self.flush()
    }

    /// Asks, and takes the first answer; `None` when the server refuses or nobody answers.
    pub fn ask(&mut self, subject: &str, question: &Value) -> io::Result<Option<Received>> {
        let refusals = self.refused.len();
        let reply = self.send_question(subject, question.to_string().as_bytes())?;
        loop {
            let Some(message) = self.next(refusals)? else { return Ok(None) };
            if message.subject == reply {
                return Ok(Some(message).filter(|message| message.status != Some(503)));
            }
        }
    }

    /// Asks for a batch by direct get: everything until the end of it.
    pub fn page(&mut self, subject: &str, question: &Value) -> io::Result<Vec<Received>> {
        let refusals = self.refused.len();
        let reply = self.send_question(subject, question.to_string().as_bytes())?;
        let mut page = vec![];
        loop {
            let Some(message) = self.next(refusals)? else { return Err(io::Error::other("refused")) };
            match message.status {
                _ if message.subject != reply => {}
                Some(204 | 404) => return Ok(page),
                Some(status) => return Err(io::Error::other(format!("{subject}: status {status}"))),
                None => page.push(message),
            }
        }
    }

    /// Publishes with an acknowledgement, as JetStream gives it.
    pub fn store(&mut self, subject: &str, payload: &[u8]) -> io::Result<Value> {
        let refusals = self.refused.len();
        let reply = self.send_question(subject, payload)?;
        loop {
            let Some(message) = self.next(refusals)? else { return Err(io::Error::other("refused")) };
            if message.subject == reply {
                return Ok(message.json());
            }
        }
    }

    /// The next message; `None` when the server refused something since there were `refusals`.
    pub fn next(&mut self, refusals: usize) -> io::Result<Option<Received>> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(Some(message));
            }
            if self.refused.len() > refusals {
                return Ok(None);
            }
            self.read_one()?;
        }
    }

    /// Whether the server allows this: publishes nothing anybody reads, and looks for the refusal.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.write_all(b"PING\r\n")?;
        while !self.read_one()? {}
        Ok(())
    }

    fn send_question(&mut self, subject: &str, payload: &[u8]) -> io::Result<String> {
        self.asked += 1;
        let reply = format!("{}.{}", self.inbox, self.asked);
        self.write(subject, &reply, payload)?;
        Ok(reply)
    }

    fn write(&mut self, subject: &str, reply: &str, payload: &[u8]) -> io::Result<()> {
        self.writer.write_all(format!("PUB {subject} {reply} {}\r\n", payload.len()).as_bytes())?;
        self.writer.write_all(payload)?;
        self.writer.write_all(b"\r\n")
    }

    /// Reads one thing the server says; answers whether it was a pong.
    fn read_one(&mut self) -> io::Result<bool> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(io::Error::other(format!("the server hung up: {:?}", self.refused)));
        }
        let words: Vec<_> = line.split_whitespace().collect();
        match words.first().copied().unwrap_or_default() {
            "MSG" => self.read_message(words[1], 0, words[words.len() - 1])?,
            "HMSG" => {
                let head = words[words.len() - 2].parse().map_err(io::Error::other)?;
                self.read_message(words[1], head, words[words.len() - 1])?;
            }
            "PING" => self.writer.write_all(b"PONG\r\n")?,
            "PONG" => return Ok(true),
            "-ERR" => self.refused.push(line.trim().to_owned()),
            _ => {}
        }
        Ok(false)
    }

    fn read_message(&mut self, subject: &str, head: usize, size: &str) -> io::Result<()> {
        let size: usize = size.parse().map_err(io::Error::other)?;
        let mut bytes = vec![0; size + 2];
        self.reader.read_exact(&mut bytes)?;
        bytes.truncate(size);
        let payload = bytes.split_off(head);
        let block = String::from_utf8_lossy(&bytes).into_owned();
        let mut lines = block.lines();
        let status = lines.next().and_then(|first| first.split_whitespace().nth(1)).and_then(|code| code.parse().ok());
        let pair = |line: &str| line.split_once(':').map(|(k, v)| (k.to_lowercase(), v.trim().to_owned()));
        let headers = lines.filter_map(pair).collect();
        self.waiting.push_back(Received { subject: subject.to_owned(), status, headers, payload });
        Ok(())
    }
}
