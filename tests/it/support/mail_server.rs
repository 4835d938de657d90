//! A mail server of others, in a process of its own: smtp-server from npm (`tests/js/mail`). It wants STARTTLS, a login and
//! the right sender, and has no mailboxes whose names begin with `nobody`.

use super::platform::Setup;
use super::scripts::node;
use super::{eventually, process::free_port};
use mail_parser::{Message, MessageParser};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::NamedTempFile;

/// Who mails come from, the only address that the server sends for.
const SENDER: &str = "mail@reprise.example";
/// What it has to be told before it takes one.
const LOGIN: (&str, &str) = ("reprise", "correct-horse");

/// The server. It ends when this is dropped.
pub struct MailServer {
    port: u16,
    key: String,
    certificate: String,
    trusted: NamedTempFile,
    child: Option<Child>,
    said: Arc<Mutex<Vec<Value>>>,
}

/// A mail that it accepted.
#[derive(Clone, Debug, Deserialize)]
pub struct Accepted {
    /// Whom the envelope names.
    pub to: Vec<String>,
    /// Who was logged in.
    pub user: String,
    /// Whether nobody between could read it.
    pub secure: bool,
    /// Which connection brought it.
    pub connection: String,
    mail: String,
}

impl Accepted {
    /// What it says.
    #[track_caller]
    pub fn read(&self) -> Message<'_> {
        MessageParser::default().parse(self.mail.as_bytes()).expect("what was accepted is a mail")
    }
}

impl MailServer {
    /// Starts one with a certificate of its own.
    pub async fn start() -> Self {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let (key, certificate) = (own.signing_key.serialize_pem(), own.cert.pem());
        let trusted = NamedTempFile::new().expect("a file");
        std::fs::write(trusted.path(), &certificate).expect("the file can be written");
        let mut server = MailServer { port: free_port(), key, certificate, trusted, child: None, said: Arc::default() };
        server.start_again().await;
        server
    }

    /// The settings with which a platform sends its mails there.
    pub fn known_to(&self, setup: Setup) -> Setup {
        let (user, password) = LOGIN;
        let url = format!("smtp://{user}:{password}@localhost:{}?tls=required", self.port);
        let setup =
            setup.variable("REPRISE_SMTP_URL", &url).variable("REPRISE_MAIL_FROM", &format!("Reprise <{SENDER}>"));
        setup.variable("SSL_CERT_FILE", &self.trusted.path().display().to_string())
    }

    /// Nobody answers from now on.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Starts it again at the same address.
    pub async fn start_again(&mut self) {
        self.stop();
        let MailServer { port, key, certificate, said, .. } = self;
        let settings = json!({
            "port": port, "key": key, "cert": certificate, "user": LOGIN.0, "pass": LOGIN.1, "sender": SENDER,
        });
        let mut command = node("mail", "server");
        let command = command.arg(settings.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node runs: scripts/fetch --for-tests sees to it");
        let (output, hears) = (child.stdout.take().expect("it was piped"), said.clone());
        self.child = Some(child);
        let starts = || self.lines().iter().filter(|line| line.get("listens").is_some()).count();
        let before = starts();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                hears.lock().expect("not poisoned").push(serde_json::from_str(&line).expect("lines are JSON"));
            }
        });
        eventually("the mail server listens", async || (starts() > before).then_some(())).await;
    }

    /// The mails that it accepted for an address, oldest first.
    pub fn mails(&self, to: &str) -> Vec<Accepted> {
        let all = self.lines().into_iter().filter_map(|line| serde_json::from_value::<Accepted>(line).ok());
        all.filter(|mail| mail.to == [to]).collect()
    }

    /// Those of them with this subject.
    pub fn about(&self, to: &str, subject: &str) -> Vec<Accepted> {
        self.mails(to).into_iter().filter(|mail| mail.read().subject() == Some(subject)).collect()
    }

    fn lines(&self) -> Vec<Value> {
        self.said.lock().expect("not poisoned").clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.stop();
    }
}
