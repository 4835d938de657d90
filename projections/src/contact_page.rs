//! What people wrote with the contact form, for admins. All of it is kept sealed: destroying the key of a message makes it
//! unreadable here, in backups and in Postgres' own log. An erased message leaves nothing.

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::Event;
use events::notification::contact;
use sqlx::FromRow;
use uuid::Uuid;

use crate::Reads;
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, cell, text};

/// One message. What is sealed is in portable form; the vault's keyring opens it. It is missing when the key is gone.
#[derive(Clone, PartialEq, FromRow)]
pub struct Row {
    /// The message.
    pub contact_id: Uuid,
    /// What its writer calls themselves.
    pub name_sealed: Option<String>,
    /// Where they hope for an answer.
    pub email_sealed: Option<String>,
    /// What it is about.
    pub subject_sealed: Option<String>,
    /// The rest.
    pub message_sealed: Option<String>,
    /// `waiting` or `answered`.
    pub state: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// When it was answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// The version of the aggregate after the last event about it.
    pub version: i64,
}

impl Stored for Row {
    const TABLE: &'static str = "contact_page";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("contact_id", "uuid"),
        ("name_sealed", "text"),
        ("email_sealed", "text"),
        ("subject_sealed", "text"),
        ("message_sealed", "text"),
        ("state", "text not null"),
        ("received_at", "timestamptz not null"),
        ("answered_at", "timestamptz"),
        ("version", "bigint not null"),
    ];
    const INDEXES: &'static [&'static str] = &["(received_at desc, contact_id desc)"];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.contact_id
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            cell(self.contact_id),
            text(&self.name_sealed),
            text(&self.email_sealed),
            text(&self.subject_sealed),
            text(&self.message_sealed),
            Some((&self.state).into()),
            cell(self.received_at.to_rfc3339()),
            self.answered_at.and_then(|time| cell(time.to_rfc3339())),
            cell(self.version),
        ]
    }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct ContactPage {
    messages: Table<Row>,
}

impl Projection for ContactPage {
    fn name(&self) -> &'static str {
        "contact_page"
    }

    fn listens(&self) -> &'static [&'static str] {
        &["evt.notification.contact."]
    }

    fn needs(&mut self, recorded: &Recorded) {
        if let Ok(event) = recorded.event() {
            self.messages.need(&event.subject);
        }
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = recorded.event()?;
        let Event::Contact(what) = &event.body else { return Ok(()) };
        let version = event.sequence.map_or(0, |sequence| sequence.0 as i64);
        match what {
            contact::Event::Received(letter) => {
                // all of it has one key: what nobody can open any more is nothing
                let sealed = |field: &str| letter.message.open().and_then(|_| recorded.sealed(field));
                self.messages.put(Row {
                    contact_id: event.subject,
                    name_sealed: sealed("name"),
                    email_sealed: sealed("email"),
                    subject_sealed: sealed("subject"),
                    message_sealed: sealed("message"),
                    state: "waiting".to_owned(),
                    received_at: event.time,
                    answered_at: None,
                    version,
                });
            }
            contact::Event::Answered {} => {
                let row = self.messages.change(&event.subject).context("this message was never received")?;
                (row.state, row.answered_at, row.version) = ("answered".to_owned(), Some(event.time), version);
            }
            contact::Event::Erased {} => {
                self.messages.remove(&event.subject);
                self.messages.scrub();
            }
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.messages]
    }
}

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// `waiting` or `answered`.
    pub state: Option<String>,
    /// Go on behind this one.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    /// At most so many.
    pub limit: i64,
}

/// Messages, the newest first.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn search(reads: &Reads, search: &Search) -> sqlx::Result<Vec<Row>> {
    let sql = "select * from read.contact_page
               where ($1::text is null or state = $1)
                 and ($2::timestamptz is null or (received_at, contact_id) < ($2, $3))
               order by received_at desc, contact_id desc
               limit $4";
    sqlx::query_as(sql)
        .bind(&search.state)
        .bind(search.after.map(|(time, _)| time))
        .bind(search.after.map(|(_, id)| id))
        .bind(search.limit.clamp(1, 500))
        .fetch_all(&reads.db)
        .await
}
