//! The log of deliveries, for admins: what went out to whom, on which way, and what came of it. It says nothing of what was
//! in them.

use chrono::{DateTime, Utc};
use events::Event;
use events::notification::inbox::{self, Channel, Deferral, Delivery, Reason, Receipt};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use crate::Reads;
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, cell, text};

/// One delivery.
#[derive(Clone, PartialEq, FromRow)]
pub struct Row {
    /// The delivery.
    pub delivery_id: Uuid,
    /// To whom.
    pub person: Uuid,
    /// `email`, `push` or `sms`.
    pub channel: String,
    /// `security`, `transactional`, `activity` or `marketing`.
    pub category: Option<String>,
    /// `deferred`, `queued`, `sent`, `retrying`, `failed`, `bounced`, `suppressed` or `merged` into a digest.
    pub state: String,
    /// How often it was tried.
    pub attempts: i32,
    /// Why it is not sent.
    pub reason: Option<String>,
    /// What the provider calls it.
    pub provider_id: Option<String>,
    /// When it goes out, if not now.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
}

impl Stored for Row {
    const TABLE: &'static str = "delivery_page";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("delivery_id", "uuid"),
        ("person", "uuid not null"),
        ("channel", "text not null"),
        ("category", "text"),
        ("state", "text not null"),
        ("attempts", "integer not null"),
        ("reason", "text"),
        ("provider_id", "text"),
        ("due_at", "timestamptz"),
        ("created_at", "timestamptz not null"),
        ("updated_at", "timestamptz not null"),
    ];
    const INDEXES: &'static [&'static str] =
        &["(created_at desc, delivery_id desc)", "(person, created_at desc, delivery_id desc)"];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.delivery_id
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            cell(self.delivery_id),
            cell(self.person),
            Some((&self.channel).into()),
            text(&self.category),
            Some((&self.state).into()),
            cell(self.attempts),
            text(&self.reason),
            text(&self.provider_id),
            self.due_at.and_then(|time| cell(time.to_rfc3339())),
            cell(self.created_at.to_rfc3339()),
            cell(self.updated_at.to_rfc3339()),
        ]
    }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct DeliveryPage {
    deliveries: Table<Row>,
}

impl Projection for DeliveryPage {
    fn name(&self) -> &'static str {
        "delivery_page"
    }

    fn listens(&self) -> &'static [&'static str] {
        &["evt.notification.inbox."]
    }

    fn needs(&mut self, recorded: &Recorded) {
        let Ok(event) = recorded.event() else { return };
        let Event::Inbox(what) = &event.body else { return };
        touched(what).iter().for_each(|delivery| self.deliveries.need(delivery));
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = recorded.event()?;
        let Event::Inbox(what) = &event.body else { return Ok(()) };
        let (person, now) = (event.subject, event.time);
        match what {
            inbox::Event::Deferred { delivery, until, reason } => {
                let reason = match reason {
                    Deferral::QuietHours => "quiet_hours",
                    Deferral::Digest => "digest",
                };
                self.begin(person, delivery, "deferred", now);
                self.note(&delivery.delivery, now, |row| {
                    (row.due_at, row.reason) = (Some(*until), Some(reason.to_owned()));
                });
            }
            inbox::Event::DeliveryQueued(delivery) => {
                self.begin(person, delivery, "queued", now);
                self.note(&delivery.delivery, now, |row| {
                    (row.state, row.due_at, row.reason) = ("queued".to_owned(), None, None);
                });
            }
            inbox::Event::DigestComposed { replaces, .. } => {
                for delivery in replaces {
                    self.note(delivery, now, |row| (row.state, row.due_at) = ("merged".to_owned(), None));
                }
            }
            inbox::Event::Suppressed { notice, channel, reason } => {
                let row = new(person, suppressed(*notice, *channel), *channel, "suppressed", now);
                self.deliveries.put(Row { reason: Some(word(*reason).to_owned()), ..row });
            }
            inbox::Event::DeliverySent { delivery, provider_id, .. } => {
                self.note(delivery, now, |row| {
                    (row.state, row.provider_id) = ("sent".to_owned(), provider_id.clone());
                    row.attempts += 1;
                });
            }
            inbox::Event::DeliveryFailed { delivery, error, again_at, .. } => {
                let state = if again_at.is_some() { "retrying" } else { "failed" };
                self.note(delivery, now, |row| {
                    (row.state, row.reason, row.due_at) = (state.to_owned(), Some(error.clone()), *again_at);
                    row.attempts += 1;
                });
            }
            inbox::Event::DeliveryBounced { delivery, receipt, .. } => {
                let reason = match receipt {
                    Receipt::Bounced => "bounced",
                    Receipt::Complained => "complained",
                };
                self.note(delivery, now, |row| {
                    (row.state, row.reason) = ("bounced".to_owned(), Some(reason.to_owned()));
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.deliveries]
    }
}

impl DeliveryPage {
    fn begin(&mut self, person: Uuid, delivery: &Delivery, state: &str, now: DateTime<Utc>) {
        if self.deliveries.get(&delivery.delivery).is_none() {
            let row = new(person, delivery.delivery, delivery.channel, state, now);
            self.deliveries.put(Row { category: Some(delivery.category.word().to_owned()), ..row });
        }
    }

    fn note(&mut self, delivery: &Uuid, now: DateTime<Utc>, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.deliveries.change(delivery) {
            change(row);
            row.updated_at = now;
        }
    }
}

/// The deliveries that an event is about.
fn touched(what: &inbox::Event) -> Vec<Uuid> {
    match what {
        inbox::Event::Deferred { delivery, .. } | inbox::Event::DeliveryQueued(delivery) => vec![delivery.delivery],
        inbox::Event::DigestComposed { replaces, .. } => replaces.clone(),
        inbox::Event::Suppressed { notice, channel, .. } => vec![suppressed(*notice, *channel)],
        inbox::Event::DeliverySent { delivery, .. }
        | inbox::Event::DeliveryFailed { delivery, .. }
        | inbox::Event::DeliveryBounced { delivery, .. } => vec![*delivery],
        _ => vec![],
    }
}

fn new(person: Uuid, delivery_id: Uuid, channel: Channel, state: &str, now: DateTime<Utc>) -> Row {
    Row {
        delivery_id,
        person,
        channel: channel.word().to_owned(),
        category: None,
        state: state.to_owned(),
        attempts: 0,
        reason: None,
        provider_id: None,
        due_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// What does not go out has a line in the log nevertheless.
fn suppressed(notice: Uuid, channel: Channel) -> Uuid {
    Uuid::new_v5(&notice, format!("suppressed {}", channel.word()).as_bytes())
}

fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::SwitchedOff => "switched_off",
        Reason::NoAddress => "no_address",
        Reason::Bounced => "bounced",
        Reason::Complained => "complained",
        Reason::TooMany => "too_many",
    }
}

/// What an admin looks for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// To whom.
    pub person: Option<Uuid>,
    /// In which state.
    pub state: Option<String>,
    /// On which way.
    pub channel: Option<String>,
    /// The last one of the page before.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    /// At most so many.
    pub limit: i64,
}

/// A page of the log, the newest first.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn search(reads: &Reads, search: &Search) -> sqlx::Result<Vec<Row>> {
    let mut query = QueryBuilder::new("select * from read.delivery_page where true");
    if let Some(person) = search.person {
        query.push(" and person = ").push_bind(person);
    }
    if let Some(state) = &search.state {
        query.push(" and state = ").push_bind(state);
    }
    if let Some(channel) = &search.channel {
        query.push(" and channel = ").push_bind(channel);
    }
    if let Some((time, delivery)) = search.after {
        query.push(" and (created_at, delivery_id) < (").push_bind(time).push(", ").push_bind(delivery).push(")");
    }
    query.push(" order by created_at desc, delivery_id desc limit ").push_bind(search.limit);
    query.build_query_as().fetch_all(&reads.db).await
}

/// One delivery.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn get(reads: &Reads, delivery: Uuid) -> sqlx::Result<Option<Row>> {
    let statement = "select * from read.delivery_page where delivery_id = $1";
    sqlx::query_as(statement).bind(delivery).fetch_optional(&reads.db).await
}
