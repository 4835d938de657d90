//! What shows in people's inboxes, and whether they saw it.

use chrono::{DateTime, Utc};
use events::Event;
use events::notification::Words;
use events::notification::inbox::{self, Notice};
use sqlx::{FromRow, QueryBuilder};
use uuid::Uuid;

use crate::Reads;
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, cell, clean, text};

/// One notice.
#[derive(Clone, PartialEq, FromRow)]
pub struct Row {
    /// The notice.
    pub notice_id: Uuid,
    /// Whom it tells something.
    pub person: Uuid,
    /// `security`, `transactional`, `activity` or `marketing`.
    pub category: String,
    /// `video_ready` and the like, for programs.
    pub kind: String,
    /// One line.
    pub title: String,
    /// A few words.
    pub body: String,
    /// Where it leads: an address, or a path of the site.
    pub link: Option<String>,
    /// When they were told.
    pub created_at: DateTime<Utc>,
    /// When they saw it.
    pub read_at: Option<DateTime<Utc>>,
}

impl Stored for Row {
    const TABLE: &'static str = "inbox_page";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("notice_id", "uuid"),
        ("person", "uuid not null"),
        ("category", "text not null"),
        ("kind", "text not null"),
        ("title", "text not null"),
        ("body", "text not null"),
        ("link", "text"),
        ("created_at", "timestamptz not null"),
        ("read_at", "timestamptz"),
    ];
    const INDEXES: &'static [&'static str] = &["(person, created_at desc, notice_id desc)"];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.notice_id
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            cell(self.notice_id),
            cell(self.person),
            Some((&self.category).into()),
            Some((&self.kind).into()),
            Some(clean(&self.title)),
            Some(clean(&self.body)),
            text(&self.link),
            cell(self.created_at.to_rfc3339()),
            self.read_at.and_then(|time| cell(time.to_rfc3339())),
        ]
    }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct InboxPage {
    notices: Table<Row>,
}

impl Projection for InboxPage {
    fn name(&self) -> &'static str {
        "inbox_page"
    }

    fn listens(&self) -> &'static [&'static str] {
        &["evt.notification.inbox."]
    }

    fn needs(&mut self, recorded: &Recorded) {
        let Ok(event) = recorded.event() else { return };
        match &event.body {
            Event::Inbox(inbox::Event::Notified { notice, drops, .. }) => {
                self.notices.need(&notice.notice);
                drops.iter().for_each(|notice| self.notices.need(notice));
            }
            Event::Inbox(inbox::Event::Read { notices } | inbox::Event::Erased { notices }) => {
                notices.iter().for_each(|notice| self.notices.need(notice));
            }
            _ => {}
        }
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = recorded.event()?;
        match &event.body {
            Event::Inbox(inbox::Event::Notified { notice, shown, drops }) => {
                drops.iter().for_each(|notice| self.notices.remove(notice));
                if let Some(row) = row(event.subject, notice, event.time).filter(|_| *shown) {
                    self.notices.put(row);
                }
            }
            Event::Inbox(inbox::Event::Read { notices }) => {
                for notice in notices {
                    if let Some(row) = self.notices.change(notice) {
                        row.read_at = Some(event.time);
                    }
                }
            }
            Event::Inbox(inbox::Event::Erased { notices }) => {
                notices.iter().for_each(|notice| self.notices.remove(notice));
                self.notices.scrub();
            }
            _ => {}
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.notices]
    }
}

/// Nothing is to be shown of what tells somebody who is forgotten.
fn row(person: Uuid, notice: &Notice, at: DateTime<Utc>) -> Option<Row> {
    let Words { kind, title, text, link } = Words::of(&notice.what)?;
    Some(Row {
        notice_id: notice.notice,
        person,
        category: notice.category.word().to_owned(),
        kind: kind.to_owned(),
        title,
        body: text,
        link,
        created_at: at,
        read_at: None,
    })
}

/// What a person was told, the newest first.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn list(
    reads: &Reads,
    person: Uuid,
    unread: bool,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Row>> {
    let mut query = QueryBuilder::new("select * from read.inbox_page where person = ");
    query.push_bind(person);
    if unread {
        query.push(" and read_at is null");
    }
    if let Some((time, notice)) = after {
        query.push(" and (created_at, notice_id) < (").push_bind(time).push(", ").push_bind(notice).push(")");
    }
    query.push(" order by created_at desc, notice_id desc limit ").push_bind(limit);
    query.build_query_as().fetch_all(&reads.db).await
}

/// How much a person has not seen.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn unread(reads: &Reads, person: Uuid) -> sqlx::Result<i64> {
    let statement = "select count(*) from read.inbox_page where person = $1 and read_at is null";
    sqlx::query_scalar(statement).bind(person).fetch_one(&reads.db).await
}
