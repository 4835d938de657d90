//! How people want to be told things, which of their browsers are, and which ways to them are dead ends.

use chrono::{DateTime, Utc};
use events::notification::inbox::{self, Channel, Preferences, Receipt, Subscription};
use events::{Event, Personal};
use serde_json::{Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use crate::Reads;
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, cell, text};

/// One person's wishes.
#[derive(Clone, PartialEq, FromRow)]
pub struct Row {
    /// The person.
    pub person: Uuid,
    /// `events::notification::inbox::Preferences` without the telephone.
    pub preferences: Value,
    /// The telephone.
    pub phone: Option<String>,
    /// `[{"id", "service", "since"}]`: the browsers, without the addresses that messages are sent to.
    pub browsers: Value,
    /// `{"email": "bounced"}`: what is sent nothing any more, and why.
    pub suppressed: Value,
    /// The version of the aggregate after the last event about it.
    pub version: i64,
}

impl Stored for Row {
    const TABLE: &'static str = "wishes_page";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("person", "uuid"),
        ("preferences", "jsonb not null"),
        ("phone", "text"),
        ("browsers", "jsonb not null"),
        ("suppressed", "jsonb not null"),
        ("version", "bigint not null"),
    ];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.person
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            cell(self.person),
            cell(&self.preferences),
            text(&self.phone),
            cell(&self.browsers),
            cell(&self.suppressed),
            cell(self.version),
        ]
    }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct WishesPage {
    wishes: Table<Row>,
}

impl Projection for WishesPage {
    fn name(&self) -> &'static str {
        "wishes_page"
    }

    fn listens(&self) -> &'static [&'static str] {
        &["evt.notification.inbox."]
    }

    fn needs(&mut self, recorded: &Recorded) {
        let Ok(event) = recorded.event() else { return };
        if is_about_wishes(&event.body) {
            self.wishes.need(&event.subject);
        }
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = recorded.event()?;
        let Event::Inbox(what) = &event.body else { return Ok(()) };
        if !is_about_wishes(&event.body) {
            return Ok(());
        }
        if let inbox::Event::Erased { .. } = what {
            self.wishes.remove(&event.subject);
            self.wishes.scrub();
            return Ok(());
        }
        let mut row = self.wishes.get(&event.subject).cloned().unwrap_or_else(|| Row::new(event.subject));
        row.evolve(what, event.time)?;
        row.version = event.sequence.map_or(0, |sequence| sequence.0 as i64);
        self.wishes.put(row);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.wishes]
    }
}

fn is_about_wishes(event: &Event) -> bool {
    use inbox::Event as Inbox;
    matches!(
        event,
        Event::Inbox(
            Inbox::PreferencesSet(_)
                | Inbox::Unsubscribed { .. }
                | Inbox::PushSubscribed(_)
                | Inbox::PushEnded { .. }
                | Inbox::DeliveryBounced { .. }
                | Inbox::SuppressionLifted { .. }
                | Inbox::Erased { .. }
        )
    )
}

impl Row {
    /// Of somebody who said nothing yet.
    pub fn new(person: Uuid) -> Row {
        let (preferences, browsers, suppressed) = (json!({}), json!([]), json!({}));
        Row { person, preferences, phone: None, browsers, suppressed, version: 0 }
    }

    fn evolve(&mut self, what: &inbox::Event, now: DateTime<Utc>) -> anyhow::Result<()> {
        match what {
            inbox::Event::PreferencesSet(preferences) => {
                self.phone = preferences.phone.as_ref().and_then(Personal::open).cloned();
                self.preferences = serde_json::to_value(Preferences { phone: None, ..preferences.clone() })?;
            }
            inbox::Event::Unsubscribed { category } => {
                let mut preferences: Preferences = serde_json::from_value(self.preferences.take())?;
                preferences.channels.entry(*category).or_default().insert(Channel::Email, false);
                self.preferences = serde_json::to_value(preferences)?;
            }
            inbox::Event::PushSubscribed(Subscription { subscription, endpoint, .. }) => {
                self.forget(*subscription);
                let host = endpoint.open().and_then(|endpoint| endpoint.split('/').nth(2));
                let browser = json!({ "id": subscription, "service": host, "since": now });
                self.browsers.as_array_mut().into_iter().for_each(|all| all.push(browser.clone()));
            }
            inbox::Event::PushEnded { subscription, .. } => self.forget(*subscription),
            inbox::Event::DeliveryBounced { channel, receipt, .. } => {
                let why = match receipt {
                    Receipt::Bounced => "bounced",
                    Receipt::Complained => "complained",
                };
                self.suppressed[channel.word()] = json!(why);
            }
            inbox::Event::SuppressionLifted { channel } => {
                self.suppressed.as_object_mut().into_iter().for_each(|all| drop(all.remove(channel.word())));
            }
            _ => {}
        }
        Ok(())
    }

    fn forget(&mut self, subscription: Uuid) {
        let id = json!(subscription);
        self.browsers.as_array_mut().into_iter().for_each(|all| all.retain(|browser| browser["id"] != id));
    }
}

/// The wishes of a person who said some.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn get(reads: &Reads, person: Uuid) -> sqlx::Result<Option<Row>> {
    let statement = "select * from read.wishes_page where person = $1";
    sqlx::query_as(statement).bind(person).fetch_optional(&reads.db).await
}
