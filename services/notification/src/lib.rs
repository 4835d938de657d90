//! Notification: when something happens that a person should hear of, they get a mail, sent under one Message-ID however
//! often the event comes. It decides over the texts of messages, and over what people write with the contact form.

mod contact;
mod letter;
mod mailer;
mod template;

pub use letter::Letter;
pub use mailer::{Mailer, Undelivered};

use chrono::{DateTime, TimeDelta, Utc};
use events::identity::{session, user};
use events::{Event, Message, video};
use kernel::{Done, Fault, Service, Worker};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;
use vault::api::{MintToken, Purpose};

use crate::contact::Contact;
use crate::template::Template;

/// What is known of a person's address.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// Write there.
    Known {
        /// The e-mail address.
        email: String,
        /// What to call them.
        name: Option<String>,
        /// Where their page is, once they have one.
        handle: Option<String>,
    },
    /// They gave none, or are forgotten: there is nobody to write to.
    Nowhere,
    /// What is remembered does not know the person yet.
    NotYet,
}

/// Looks up where to write to a person. A function, so that this crate needs no database.
pub type AddressOf = Arc<dyn Fn(Uuid) -> Pin<Box<dyn Future<Output = anyhow::Result<Address>> + Send>> + Send + Sync>;

/// Makes the token of a mail; [`from_vault`] is the real one.
pub type Mint = Arc<dyn Fn(MintToken) -> Pin<Box<dyn Future<Output = anyhow::Result<String>> + Send>> + Send + Sync>;

/// After this time nobody is waited for any more: whoever is unknown by then is gone.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);
/// Pages follow events within milliseconds: that long they are looked at again before the event has to come again.
const LOOKS: u32 = 50;
const BETWEEN: Duration = Duration::from_millis(20);

/// What notification contributes.
pub fn service(mailer: Mailer, mint: Mint, address_of: AddressOf) -> Service {
    let post = Arc::new(Post { mailer, mint, address_of });
    let worker: Worker = Arc::new(move |event| {
        let post = post.clone();
        Box::pin(async move { post.deliver(&event).await })
    });
    Service::new("notification")
        .decides::<Template>("template")
        .decides::<Contact>("contact")
        .works("mail_the_person", worker)
}

/// Tokens come from the vault: the same event gives the same one.
pub fn from_vault(vault: vault::Client) -> Mint {
    Arc::new(move |question| {
        let vault = vault.clone();
        Box::pin(async move { Ok(vault.mint_token(&question).await?.token.expose().to_owned()) })
    })
}

struct Post {
    mailer: Mailer,
    mint: Mint,
    address_of: AddressOf,
}

/// Which mail an event calls for.
enum Occasion {
    Verify { until: DateTime<Utc> },
    Reset { until: DateTime<Utc> },
    Welcome,
    PasswordChanged,
    SessionStolen,
    VideoReady { video: Uuid, title: String },
    VideoFailed { title: String, message: String },
}

impl Post {
    async fn deliver(&self, event: &Message<Event>) -> Done {
        let Some((person, occasion)) = occasion(event, Utc::now()) else { return Ok(vec![]) };
        let (email, name, handle) = match self.recipient(person, &occasion).await? {
            Address::Known { email, name, handle } => (email, name.and_then(greetable), handle),
            Address::Nowhere => return Ok(vec![]),
            Address::NotYet if Utc::now() - event.time > PATIENCE => return Ok(vec![]),
            Address::NotYet => return Err(Fault::Retry(anyhow::anyhow!("the person is not known here yet"))),
        };
        let letter = self.write(event, person, occasion, handle.as_deref().unwrap_or_default()).await?;
        let sent = self.mailer.send(event.id, event.time, &email, name.as_deref(), &letter).await;
        match sent {
            Ok(()) => {
                metrics::counter!("reprise_mails_total", "kind" => letter.kind).increment(1);
                tracing::info!(event.id = %event.id, mail.kind = letter.kind, "mail sent");
                Ok(vec![])
            }
            Err(error @ Undelivered::Never(_)) => Err(Fault::Reject(error.into())),
            Err(error) => Err(Fault::Retry(error.into())),
        }
    }

    /// Where to write to. A welcome names the person's page, so it waits for that too.
    async fn recipient(&self, person: Uuid, occasion: &Occasion) -> anyhow::Result<Address> {
        for _ in 0..LOOKS {
            match (self.address_of)(person).await? {
                Address::NotYet => {}
                Address::Known { handle: None, .. } if matches!(occasion, Occasion::Welcome) => {}
                known => return Ok(known),
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Ok(Address::NotYet)
    }

    async fn write(
        &self,
        event: &Message<Event>,
        person: Uuid,
        occasion: Occasion,
        handle: &str,
    ) -> anyhow::Result<Letter> {
        let site = self.mailer.site();
        Ok(match occasion {
            Occasion::Verify { until } => {
                letter::verify(site, &self.token(event, person, Purpose::Verify, until).await?, until)
            }
            Occasion::Reset { until } => {
                letter::reset(site, &self.token(event, person, Purpose::Reset, until).await?, until)
            }
            Occasion::Welcome => letter::welcome(site, handle),
            Occasion::PasswordChanged => letter::password_changed(site, event.time),
            Occasion::SessionStolen => letter::session_stolen(site, event.time),
            Occasion::VideoReady { video, title } => letter::video_ready(site, video, &title),
            Occasion::VideoFailed { title, message } => letter::video_failed(site, &title, &message),
        })
    }

    async fn token(
        &self,
        event: &Message<Event>,
        user: Uuid,
        purpose: Purpose,
        expires_at: DateTime<Utc>,
    ) -> anyhow::Result<String> {
        (self.mint)(MintToken { user, purpose, event: event.id, expires_at }).await
    }
}

/// A name as it may stand in a mail: one line, no address in it. Anybody can register somebody else's address under any
/// name, and our mails are not to carry what they want to say.
fn greetable(name: String) -> Option<String> {
    let dotted = name.split('.').skip(1).any(|rest| rest.starts_with(char::is_alphanumeric));
    let fine = name.chars().count() <= 60 && !dotted && !name.contains(|c: char| c.is_control() || "/@:".contains(c));
    (fine && !name.trim().is_empty()).then_some(name)
}

/// Whom to write because of an event, and what. A link that no longer serves is not sent.
fn occasion(event: &Message<Event>, now: DateTime<Utc>) -> Option<(Uuid, Occasion)> {
    Some(match &event.body {
        Event::User(user::Event::EmailVerificationRequested { expires_at }) if *expires_at > now => {
            (event.subject, Occasion::Verify { until: *expires_at })
        }
        Event::User(user::Event::PasswordResetRequested { expires_at }) if *expires_at > now => {
            (event.subject, Occasion::Reset { until: *expires_at })
        }
        Event::User(user::Event::PasswordChanged { .. }) => (event.subject, Occasion::PasswordChanged),
        Event::Session(session::Event::ReuseDetected { user }) => (*user, Occasion::SessionStolen),
        Event::User(user::Event::Registered { .. }) => (event.subject, Occasion::Welcome),
        Event::Video(video::Event::Ready { owner, title, .. }) => {
            (*owner, Occasion::VideoReady { video: event.subject, title: title.open()?.clone() })
        }
        Event::Video(video::Event::ProcessingFailed { owner, title, message, .. }) => {
            (*owner, Occasion::VideoFailed { title: title.open()?.clone(), message: message.clone() })
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::greetable;

    #[test]
    fn a_name_is_not_an_advertisement() {
        for name in ["Ada Lovelace", "St. John", "Ada <b>", "李小龍"] {
            assert!(greetable(name.into()).is_some(), "{name}");
        }
        for name in ["win at example.com", "http://example", "a\nb", " ", "me@home", &"x".repeat(61)] {
            assert!(greetable(name.into()).is_none(), "{name}");
        }
    }
}
