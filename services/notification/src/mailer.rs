//! How a mail leaves: over SMTP when a server is configured, else as a file that any mail program opens.
//! An error never names the address: it ends in logs and dead letters.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use lettre::message::header::{Date, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::error::Error as _;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::Letter;

/// Mails that are on their way to the server at the same time, each on a connection that stays open for the next one.
/// Servers refuse too many connections of one client; Postfix takes 50.
const AT_ONCE: u32 = 32;
/// An answer of the server takes no longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends mails, by one of two ways.
pub struct Mailer {
    way: Way,
    from: Mailbox,
    site: String,
    domain: String,
}

enum Way {
    Smtp { transport: AsyncSmtpTransport<Tokio1Executor>, free: Semaphore },
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
        let transport = transport.timeout(Some(PATIENCE)).pool_config(PoolConfig::new().max_size(AT_ONCE)).build();
        Self::new(Way::Smtp { transport, free: Semaphore::new(AT_ONCE as usize) }, from, site)
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
            Way::Smtp { transport, free } => {
                let _turn = free.acquire().await.expect("it is never closed");
                transport.send(mail).await.map(drop).map_err(|error| undelivered(&error))
            }
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

/// What a server says often repeats the address; the code says enough.
fn undelivered(error: &Error) -> Undelivered {
    let cause = error.source();
    let Some(code) = error.status() else {
        // this is how a certificate shows that nobody here trusts
        let untrusted = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
        let untrusted = untrusted.is_some_and(|error| error.kind() == std::io::ErrorKind::InvalidData);
        return Undelivered::Now(if untrusted { "no TLS that can be trusted" } else { "no answer" }.to_owned());
    };
    let said = format!("SMTP {code}");
    match u16::from(code) {
        // it does not let us in: that is between the two of us, and will be put right
        530 | 534 | 535 | 538 => Undelivered::Now(said),
        550 | 551 | 553 if cause.is_none_or(|cause| is_about_the_mailbox(&cause.to_string())) => {
            Undelivered::NoSuchAddress(said)
        }
        _ if error.is_permanent() => Undelivered::Never(said),
        _ => Undelivered::Now(said),
    }
}

/// RFC 5321: the mailbox is not there, or its name cannot be one. A server refuses a sender with the same codes, and whoever
/// is written to must not pay for that; most say the difference (RFC 3463).
fn is_about_the_mailbox(said: &str) -> bool {
    let first = said.split_whitespace().next().unwrap_or_default();
    let detailed = first.starts_with("5.") && first.split('.').count() == 3;
    !detailed || ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"].contains(&first)
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
