//! Notification: what people are told. What happens with what is theirs goes to their inbox, which decides where else it
//! goes and when. Mails about the account itself (proofs, new passwords) go out at once and past it: they cannot be
//! switched off, wait for nobody, and carry what must be in no log. Here too: the texts that messages are made of, and
//! what people write with the contact form.

mod admins;
mod contact;
mod delivering;
mod greeting;
mod http;
mod inbox;
mod letter;
mod mailer;
mod push;
mod push_services;
mod reactions;
mod refusal;
mod sms;
mod subscription;
mod telling;
mod template;
#[cfg(test)]
mod tests;
mod times;
mod unsent;
mod vapid;
mod wishes;

pub use admins::Admins;
pub use delivering::{Permit, UnsubscribeAt, WasSent, Ways};
pub use letter::Letter;
pub use mailer::{Mailer, Undelivered};
pub use push::{Push, PushKey, Urgency, push_key};
pub use push_services::PushServices;
pub use sms::{Sms, is_phone};
pub use subscription::{Subscription, Unacceptable, acceptable};
pub use telling::Tell;
pub use unsent::Unsent;

use crate::greeting::greetable;
use chrono::{DateTime, TimeDelta, Utc};
use events::identity::{session, user};
use events::notification::inbox::Category;
use events::{Event, Message};
use kernel::{Done, Fault, Service, Worker};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;
use vault::api::{MintToken, Purpose, UnsubscribeToken};

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
/// Pages gather for 50 milliseconds: that long they are looked at again before the event has to come again.
const LOOKS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(50);

/// What notification contributes.
pub fn service(mint: Mint, ways: Ways, tell: Tell, admins: Admins) -> Service {
    let post = Arc::new(Post { mailer: ways.mailer.clone(), mint, address_of: ways.address_of.clone() });
    let mails: Worker = Arc::new(move |event| {
        let post = post.clone();
        Box::pin(async move { post.deliver(&event).await })
    });
    rules()
        .works("mail_the_person", mails)
        .works("deliver", delivering::worker(ways))
        .works("tell_who_is_here", telling::worker(tell))
        .works("tell_admins_what_came", admins::worker(admins))
}

/// What of it needs nobody outside.
pub fn rules() -> Service {
    Service::new("notification")
        .decides::<inbox::Inbox>("inbox")
        .decides::<Template>("template")
        .decides::<Contact>("contact")
        .reacts("tell_owner_when_video_done", reactions::tell_owner_when_video_done)
        .reacts("release_when_due", reactions::release_when_due)
        .reacts("erase_inbox_when_user_erased", reactions::erase_inbox_when_user_erased)
}

/// Where mails are ended: a page of `site`, with a token from the vault that says whose mails of which category.
pub fn unsubscribe_by(vault: vault::Client, site: &str) -> UnsubscribeAt {
    let site = site.trim_end_matches('/').to_owned();
    Arc::new(move |user, category: Category| {
        let (vault, site) = (vault.clone(), site.clone());
        Box::pin(async move {
            let question = UnsubscribeToken { user, category: category.word().to_owned() };
            let token = vault.unsubscribe_token(&question).await?.token;
            Ok(format!("{site}/api/notifications/unsubscribe/{}", token.expose()))
        })
    })
}

/// Permissions come from the vault.
pub fn permit_by(vault: vault::Client) -> Permit {
    Arc::new(move |video, expires_at| {
        let vault = vault.clone();
        Box::pin(async move {
            let question = vault::api::Permit { video, expires_at };
            Ok(vault.permit(&question).await?.query.expose().to_owned())
        })
    })
}

/// Tokens come from the vault: the same event gives the same one.
pub fn from_vault(vault: vault::Client) -> Mint {
    Arc::new(move |question| {
        let vault = vault.clone();
        Box::pin(async move { Ok(vault.mint_token(&question).await?.token.expose().to_owned()) })
    })
}

struct Post {
    mailer: Arc<Mailer>,
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
            Err(error @ (Undelivered::Never(_) | Undelivered::NoSuchAddress(_))) => Err(Fault::Reject(error.into())),
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
        // whoever gave no address is not looked for
        Event::User(user::Event::Registered { email: Some(_), .. }) => (event.subject, Occasion::Welcome),
        _ => return None,
    })
}
