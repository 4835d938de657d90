//! How a mail leaves: over SMTP when a server is configured, else as a file that any mail program opens.
//! An error never names the address: it ends in logs and dead letters.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use lettre::message::header::{Date, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use uuid::Uuid;

use crate::Letter;

/// Sends mails, by one of two ways.
pub struct Mailer {
    way: Way,
    from: Mailbox,
    site: String,
    domain: String,
}

enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Folder(PathBuf),
}

/// Why a mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// It may leave later.
    #[error("the mail could not be sent now: {0}")]
    Now(String),
    /// This mail will never leave: the address is none, or the server refuses it for good.
    #[error("the mail can never be sent: {0}")]
    Never(String),
    /// The server says that there is no such mailbox.
    #[error("there is no such mailbox: {0}")]
    NoSuchAddress(String),
}

impl Mailer {
    /// Over the server at `url`: `smtp://user:password@host:587?tls=required`, `smtps://…`, or plain `smtp://host:25`.
    /// `from` is a mailbox, `site` the public address of the platform, which links lead to.
    ///
    /// # Errors
    /// The address of the server, or `from`, cannot be read.
    pub fn smtp(url: &str, from: Option<&str>, site: &str) -> Result<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .ok()
            .context("REPRISE_SMTP_URL is not smtp://[user:password@]host[:port][?tls=required] or smtps://…")?;
        Self::new(Way::Smtp(transport.timeout(Some(Duration::from_secs(20))).build()), from, site)
    }

    /// As files `<event id>.eml` in `folder`, which is made when it is not there.
    ///
    /// # Errors
    /// The folder cannot be made, or `from` cannot be read.
    pub fn folder(folder: &Path, from: Option<&str>, site: &str) -> Result<Self> {
        // tokens are in these files: they are nobody else's to read
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("cannot make {}", folder.display()))?;
        Self::new(Way::Folder(folder.to_owned()), from, site)
    }

    fn new(way: Way, from: Option<&str>, site: &str) -> Result<Self> {
        let site = site.trim_end_matches('/').to_owned();
        let domain = domain(&site);
        ensure!(!domain.is_empty(), "REPRISE_PUBLIC_URL={site} is not an address like https://reprise.example");
        let sender = if domain.contains('.') { domain.clone() } else { format!("{domain}.localdomain") };
        let from = match from {
            Some(given) => {
                given.parse().context("REPRISE_MAIL_FROM is not a mailbox like Reprise <mail@example.org>")?
            }
            None => Mailbox::new(Some("Reprise".into()), format!("no-reply@{sender}").parse()?),
        };
        Ok(Mailer { way, from, site, domain })
    }

    /// The public address of the platform, without a slash at its end.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// Sends a mail for an event or a delivery. Called again for the same one it sends the same Message-ID, or writes the
    /// same file.
    ///
    /// # Errors
    /// [`Undelivered`] says whether another try makes sense.
    pub async fn send(
        &self,
        event: Uuid,
        time: DateTime<Utc>,
        email: &str,
        name: Option<&str>,
        letter: &Letter,
    ) -> Result<(), Undelivered> {
        let mail = self.compose(event, time, email, name, letter)?;
        match &self.way {
            Way::Smtp(transport) => transport.send(mail).await.map(drop).map_err(|error| {
                // what a server says often repeats the address; the code says enough
                let code = error.status().map_or("no answer".to_owned(), |code| format!("SMTP {code}"));
                match (error.is_permanent(), error.status().map(u16::from)) {
                    // RFC 5321: the mailbox is not there, or its name cannot be one
                    (true, Some(550 | 551 | 553)) => Undelivered::NoSuchAddress(code),
                    (true, _) => Undelivered::Never(code),
                    (false, _) => Undelivered::Now(code),
                }
            }),
            Way::Folder(folder) => {
                write(folder, event, &mail.formatted()).await.map_err(|error| Undelivered::Now(error.to_string()))
            }
        }
    }

    fn compose(
        &self,
        event: Uuid,
        time: DateTime<Utc>,
        email: &str,
        name: Option<&str>,
        letter: &Letter,
    ) -> Result<Message, Undelivered> {
        let address = email.parse().map_err(|_| Undelivered::Never("the address is none".into()))?;
        let mail = Message::builder()
            .message_id(Some(format!("<{event}@{}>", self.domain)))
            .header(Date::new(SystemTime::from(time)))
            .from(self.from.clone())
            .to(Mailbox::new(name.map(str::to_owned), address))
            .subject(letter.subject.clone());
        let mail = letter.unsubscribe.iter().fold(mail, |mail, url| {
            // RFC 8058: a mail program may end it with one click
            mail.raw_header(raw("List-Unsubscribe", format!("<{url}>")))
                .raw_header(raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()))
        });
        mail.multipart(MultiPart::alternative_plain_html(letter.text(name), letter.html(name)))
            .map_err(|error| Undelivered::Never(error.to_string()))
    }
}

fn raw(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// The host in `https://host:port/…`.
fn domain(site: &str) -> String {
    let rest = site.split_once("://").map_or("", |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(host, _)| host)
        .to_owned()
}

/// Whole or not at all: nobody sees half a mail.
async fn write(folder: &Path, event: Uuid, mail: &[u8]) -> std::io::Result<()> {
    let (draft, file) = (folder.join(format!(".{event}.draft")), folder.join(format!("{event}.eml")));
    tokio::fs::write(&draft, mail).await?;
    tokio::fs::rename(&draft, &file).await
}
