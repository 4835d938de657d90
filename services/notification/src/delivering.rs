//! Taking a delivery to where it goes, and saying what came of it. An attempt that comes twice goes out under the same id,
//! and only the first report of it counts.

use chrono::{DateTime, TimeDelta, Utc};
use events::notification::Words;
use events::notification::inbox::{self, Attempt, Category, Channel, Command, Delivery, Target, What};
use events::{Event, Message, Personal};
use kernel::{Done, Fault, Worker, ask};
use serde_json::json;
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

use crate::greeting::greetable;
use crate::letter::{self, Letter};
use crate::mailer::Undelivered;
use crate::wishes;
use crate::{Address, AddressOf, Mailer, Push, Sms, Subscription, Unsent, Urgency};

/// A browser is shown so many characters of a text; there is room for about 4000 bytes in all.
const BODY: usize = 500;

/// Makes the address at which somebody ends mails of a category. A function: only the vault can make one.
pub type UnsubscribeAt =
    Arc<dyn Fn(Uuid, Category) -> Pin<Box<dyn Future<Output = anyhow::Result<String>> + Send>> + Send + Sync>;

/// Mails are read days after they came: so long their links lead to what only the person may see.
const LINKS_SERVE: TimeDelta = TimeDelta::days(7);

/// Makes the query with which whoever has it may watch a video until then. A function: only the vault can make one.
pub type Permit =
    Arc<dyn Fn(Uuid, DateTime<Utc>) -> Pin<Box<dyn Future<Output = anyhow::Result<String>> + Send>> + Send + Sync>;

/// Whether a delivery went out, as far as is remembered. A function, so that this crate needs no database.
pub type WasSent = Arc<dyn Fn(Uuid) -> Pin<Box<dyn Future<Output = anyhow::Result<bool>> + Send>> + Send + Sync>;

/// The ways out of Reprise.
pub struct Ways {
    /// Mails.
    pub mailer: Arc<Mailer>,
    /// Where to write to somebody.
    pub address_of: AddressOf,
    /// Where somebody ends mails.
    pub unsubscribe_at: UnsubscribeAt,
    /// How links lead to what is not public.
    pub permit: Permit,
    /// What went out before.
    pub was_sent: WasSent,
    /// Messages to browsers.
    pub push: Push,
    /// Messages to telephones, when there is an account for them.
    pub sms: Option<Sms>,
}

pub(crate) fn worker(ways: Ways) -> Worker {
    let ways = Arc::new(ways);
    Arc::new(move |event| {
        let ways = ways.clone();
        Box::pin(async move { ways.deliver(&event).await })
    })
}

impl Ways {
    async fn deliver(&self, event: &Message<Event>) -> Done {
        let Event::Inbox(inbox::Event::DeliveryQueued(delivery)) = &event.body else { return Ok(vec![]) };
        // events may be delivered from the beginning again, and a provider knows nothing of our ids for that long
        if (self.was_sent)(delivery.delivery).await? {
            return Ok(vec![]);
        }
        let person = event.subject;
        let result = match delivery.channel {
            Channel::Email => self.mail(person, delivery, event).await?,
            Channel::Push => self.push(delivery, event.time).await?,
            Channel::Sms => self.sms(delivery, event.time).await?,
            Channel::InApp => never("an inbox is no way out"),
        };
        let result_word = match &result {
            Attempt::Sent { .. } => "sent",
            Attempt::NotNow { .. } => "not_now",
            Attempt::Never { .. } => "never",
            Attempt::Gone { .. } => "gone",
        };
        let channel = delivery.channel.word();
        metrics::counter!("reprise_deliveries_total", "channel" => channel, "result" => result_word).increment(1);
        tracing::info!(delivery.id = %delivery.delivery, channel, attempt = delivery.attempt, result = result_word, "delivery tried");
        let Delivery { delivery, attempt, .. } = *delivery;
        Ok(vec![ask(person, Command::Report { delivery, attempt, result })])
    }

    async fn mail(&self, person: Uuid, delivery: &Delivery, event: &Message<Event>) -> Result<Attempt, Fault> {
        let (email, name) = match (self.address_of)(person).await? {
            Address::Known { email, name, .. } => (email, name.and_then(greetable)),
            Address::Nowhere => return Ok(never("there is no address")),
            Address::NotYet => return Ok(not_now("the person is not known here yet")),
        };
        let Some(letter) = self.write(person, delivery, event.time).await? else {
            return Ok(never("nothing of it is left"));
        };
        let sent = self.mailer.send(delivery.delivery, event.time, &email, name.as_deref(), &letter).await;
        Ok(match sent {
            Ok(()) => Attempt::Sent { provider_id: None },
            Err(Undelivered::Now(error)) => not_now(&error),
            Err(Undelivered::Never(error)) => never(&error),
            Err(Undelivered::NoSuchAddress(error)) => Attempt::Gone { error },
        })
    }

    async fn push(&self, delivery: &Delivery, at: DateTime<Utc>) -> Result<Attempt, Fault> {
        let things = self.words(delivery, at).await?;
        let (Some(Target::Browser(browser)), Some(words)) = (&delivery.to, things.first()) else {
            return Ok(never("nothing of it is left"));
        };
        let open = |text: &Personal<String>| text.open().cloned().unwrap_or_default();
        let to = Subscription {
            endpoint: open(&browser.endpoint),
            p256dh: open(&browser.p256dh),
            auth: open(&browser.auth),
        };
        let urgency = match delivery.category {
            Category::Security => Urgency::High,
            Category::Transactional | Category::Activity => Urgency::Normal,
            Category::Marketing => Urgency::VeryLow,
        };
        let said = json!({
            "id": delivery.items.first().map(|item| item.notice),
            "kind": words.kind,
            "title": words.title,
            "body": words.text.chars().take(BODY).collect::<String>(),
            "url": words.address(self.mailer.site()),
        });
        Ok(tried(self.push.send(delivery.delivery, &to, said.to_string().as_bytes(), urgency).await))
    }

    async fn sms(&self, delivery: &Delivery, at: DateTime<Utc>) -> Result<Attempt, Fault> {
        let Some(sms) = &self.sms else { return Ok(never("no account for text messages is set up")) };
        let number = match &delivery.to {
            Some(Target::Telephone(number)) => number.open(),
            _ => None,
        };
        let things = self.words(delivery, at).await?;
        let (Some(number), Some(words)) = (number, things.first()) else {
            return Ok(never("nothing of it is left"));
        };
        let link = words.address(self.mailer.site()).map(|link| format!(" {link}")).unwrap_or_default();
        Ok(tried(sms.send(delivery.delivery, number, &format!("{}: {}{link}", words.title, words.text)).await))
    }

    async fn write(&self, person: Uuid, delivery: &Delivery, at: DateTime<Utc>) -> anyhow::Result<Option<Letter>> {
        let unsubscribe = match wishes::is_fixed(delivery.category, Channel::Email) {
            true => None,
            false => Some((self.unsubscribe_at)(person, delivery.category).await?),
        };
        let site = self.mailer.site();
        let mut things = self.words(delivery, at).await?;
        Ok(match (things.len(), &delivery.items[..]) {
            (0, _) => None,
            (1, [item]) => Some(letter::notice(site, things.remove(0), item.what.html(), unsubscribe)),
            _ => Some(letter::digest(site, things, unsubscribe)),
        })
    }

    /// What is left of what a delivery says. Whoever follows a link is signed in nowhere, so one to a video carries a
    /// permission; it is the same one when the attempt is repeated.
    async fn words(&self, delivery: &Delivery, at: DateTime<Utc>) -> anyhow::Result<Vec<Words>> {
        let mut things = vec![];
        for item in &delivery.items {
            let Some(mut words) = Words::of(&item.what) else { continue };
            if let What::VideoReady { video, .. } | What::VideoFailed { video, .. } = item.what {
                let query = (self.permit)(video, at + LINKS_SERVE).await?;
                words.link = words.link.map(|link| format!("{link}?{query}"));
            }
            things.push(words);
        }
        Ok(things)
    }
}

fn tried(sent: Result<Option<String>, Unsent>) -> Attempt {
    match sent {
        Ok(provider_id) => Attempt::Sent { provider_id },
        Err(Unsent::Gone(error)) => Attempt::Gone { error },
        Err(Unsent::Refused(error)) => Attempt::Never { error },
        Err(Unsent::NotNow { why, after }) => {
            let rest_s = after.map(|rest| u32::try_from(rest.as_secs()).unwrap_or(u32::MAX));
            Attempt::NotNow { error: why, rest_s }
        }
    }
}

fn never(error: &str) -> Attempt {
    Attempt::Never { error: error.to_owned() }
}

fn not_now(error: &str) -> Attempt {
    Attempt::NotNow { error: error.to_owned(), rest_s: None }
}
