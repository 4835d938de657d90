//! Taking a delivery to where it goes, and saying what came of it. An attempt that comes twice goes out under the same id,
//! and only the first report of it counts.

use events::notification::Words;
use events::notification::inbox::{self, Attempt, Category, Channel, Command, Delivery};
use events::{Event, Message};
use kernel::{Done, Fault, Worker, ask};
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

use crate::greeting::greetable;
use crate::letter::{self, Letter};
use crate::mailer::Undelivered;
use crate::wishes;
use crate::{Address, AddressOf, Mailer};

/// Makes the address at which somebody ends mails of a category. A function: only the vault can make one.
pub type UnsubscribeAt =
    Arc<dyn Fn(Uuid, Category) -> Pin<Box<dyn Future<Output = anyhow::Result<String>> + Send>> + Send + Sync>;

/// The ways out of Reprise.
pub struct Ways {
    /// Mails.
    pub mailer: Arc<Mailer>,
    /// Where to write to somebody.
    pub address_of: AddressOf,
    /// Where somebody ends mails.
    pub unsubscribe_at: UnsubscribeAt,
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
        let person = event.subject;
        let result = match delivery.channel {
            Channel::Email => self.mail(person, delivery, event).await?,
            Channel::Push | Channel::Sms | Channel::InApp => never("this way out is not set up"),
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
        let Some(letter) = self.write(person, delivery).await? else { return Ok(never("nothing of it is left")) };
        let sent = self.mailer.send(delivery.delivery, event.time, &email, name.as_deref(), &letter).await;
        Ok(match sent {
            Ok(()) => Attempt::Sent { provider_id: None },
            Err(Undelivered::Now(error)) => not_now(&error),
            Err(Undelivered::Never(error)) => never(&error),
            Err(Undelivered::NoSuchAddress(error)) => Attempt::Gone { error },
        })
    }

    async fn write(&self, person: Uuid, delivery: &Delivery) -> anyhow::Result<Option<Letter>> {
        let unsubscribe = match wishes::is_fixed(delivery.category, Channel::Email) {
            true => None,
            false => Some((self.unsubscribe_at)(person, delivery.category).await?),
        };
        let site = self.mailer.site();
        let mut things: Vec<Words> = delivery.items.iter().filter_map(|item| Words::of(&item.what)).collect();
        Ok(match (things.len(), &delivery.items[..]) {
            (0, _) => None,
            (1, [item]) => Some(letter::notice(site, things.remove(0), item.what.html(), unsubscribe)),
            _ => Some(letter::digest(site, things, unsubscribe)),
        })
    }
}

fn never(error: &str) -> Attempt {
    Attempt::Never { error: error.to_owned() }
}

fn not_now(error: &str) -> Attempt {
    Attempt::NotNow { error: error.to_owned(), rest_s: None }
}
