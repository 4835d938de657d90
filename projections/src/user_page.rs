//! An account as its owner and admins see it. The e-mail address is kept sealed: destroying the person's key makes it
//! unreadable here, in backups and in Postgres' own log. One row per account, for ever; an erased one keeps only its id.

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::identity::user;
use events::{Event, Message, Personal};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use crate::Reads;
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, array, cell, text};

/// One account.
#[derive(Clone, PartialEq, FromRow, Serialize)]
pub struct Row {
    /// The person's id.
    pub id: Uuid,
    /// The name to sign in with, as the person wrote it.
    pub username: Option<String>,
    /// The address in portable sealed form; the vault's keyring opens it.
    pub email_sealed: Option<String>,
    /// Whether the address is proven to be the person's.
    pub email_verified: bool,
    /// Roles beyond that of every user, sorted: `admin`, `moderator`.
    pub roles: Vec<String>,
    /// `active`, `suspended` or `erased`.
    pub status: String,
    /// BCP 47 tag for mails.
    pub locale: Option<String>,
    /// When the account was opened.
    pub created_at: DateTime<Utc>,
    /// When something on this page changed last.
    pub updated_at: DateTime<Utc>,
    /// The version of the aggregate after the last event about it, also when that event changed nothing here.
    pub version: i64,
}

/// What to look for; what is `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Part of the username, upper or lower case.
    pub text: Option<String>,
    /// One status; without it all but the erased.
    pub status: Option<String>,
    /// A role that the account has.
    pub role: Option<String>,
    /// At most so many rows, 1 to 500.
    pub limit: i64,
    /// Go on behind this row.
    pub after: Option<Cursor>,
}

/// The place of a row in the order of a search: newest first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// [`Row::created_at`].
    pub created_at: DateTime<Utc>,
    /// [`Row::id`].
    pub id: Uuid,
}

impl Stored for Row {
    const TABLE: &'static str = "user_page";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("id", "uuid"),
        ("username", "text"),
        ("email_sealed", "text"),
        ("email_verified", "boolean not null"),
        ("roles", "text[] not null"),
        ("status", "text not null"),
        ("locale", "text"),
        ("created_at", "timestamptz not null"),
        ("updated_at", "timestamptz not null"),
        ("version", "bigint not null"),
    ];
    const INDEXES: &'static [&'static str] = &["(created_at desc, id desc)"];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.id
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            cell(self.id),
            text(&self.username),
            text(&self.email_sealed),
            cell(self.email_verified),
            array(&self.roles),
            Some((&self.status).into()),
            text(&self.locale),
            cell(self.created_at.to_rfc3339()),
            cell(self.updated_at.to_rfc3339()),
            cell(self.version),
        ]
    }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct UserPage {
    users: Table<Row>,
}

impl Projection for UserPage {
    fn name(&self) -> &'static str {
        "user_page"
    }

    fn listens(&self) -> &'static [&'static str] {
        &["evt.identity.user."]
    }

    fn needs(&mut self, recorded: &Recorded) {
        if let Ok(event) = recorded.event() {
            self.users.need(&event.subject);
        }
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = recorded.event()?;
        match &event.body {
            Event::User(what @ user::Event::Registered { .. }) => self.users.put(registered(recorded, event, what)),
            Event::User(what) => {
                let row = self.users.change(&event.subject).context("this account was never registered")?;
                row.version = version(event);
                if row.evolve(what) {
                    row.updated_at = event.time;
                }
                if *what == (user::Event::Erased {}) {
                    self.users.scrub();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.users]
    }
}

fn version(event: &Message<Event>) -> i64 {
    event.sequence.map_or(0, |sequence| sequence.0 as i64)
}

fn registered(recorded: &Recorded, event: &Message<Event>, what: &user::Event) -> Row {
    let mut row = Row {
        id: event.subject,
        username: None,
        email_sealed: None,
        email_verified: false,
        roles: vec![],
        status: "active".to_owned(),
        locale: None,
        created_at: event.time,
        updated_at: event.time,
        version: version(event),
    };
    if let user::Event::Registered { username, email, roles, locale, .. } = what {
        row.username = username.as_ref().and_then(Personal::open).cloned();
        // an address that nobody can open any more is no address
        row.email_sealed = email.as_ref().and_then(Personal::open).and_then(|_| recorded.sealed("email"));
        row.locale.clone_from(locale);
        row.roles = roles.iter().map(word).collect();
        row.roles.sort();
    }
    row
}

/// The word that a value has on the wire.
fn word(role: &user::Role) -> String {
    match role {
        user::Role::Admin => "admin",
        user::Role::Moderator => "moderator",
    }
    .to_owned()
}

impl Row {
    /// Follows an event; says whether anything on the page changed.
    fn evolve(&mut self, what: &user::Event) -> bool {
        match what {
            user::Event::EmailVerified {} => self.email_verified = true,
            user::Event::Suspended { .. } => self.status = "suspended".to_owned(),
            user::Event::Reactivated {} => self.status = "active".to_owned(),
            user::Event::RoleAssigned { role } => {
                self.roles.push(word(role));
                self.roles.sort();
                self.roles.dedup();
            }
            user::Event::RoleRevoked { role } => self.roles.retain(|held| *held != word(role)),
            user::Event::Erased {} => {
                (self.username, self.email_sealed, self.locale) = (None, None, None);
                (self.email_verified, self.roles, self.status) = (false, vec![], "erased".to_owned());
            }
            user::Event::Registered { .. }
            | user::Event::EmailVerificationRequested { .. }
            | user::Event::PasswordChanged { .. }
            | user::Event::PasswordResetRequested { .. }
            | user::Event::LoginFailed { .. } => return false,
        }
        true
    }

    /// Where the next page of a search begins when this is the last row of a page.
    pub fn cursor(&self) -> Cursor {
        Cursor { created_at: self.created_at, id: self.id }
    }
}

/// The account of a person.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn get(reads: &Reads, id: Uuid) -> sqlx::Result<Option<Row>> {
    let sql =
        "select id, username, email_sealed, email_verified, roles, status, locale, created_at, updated_at, version
               from read.user_page where id = $1";
    sqlx::query_as(sql).bind(id).fetch_optional(&reads.db).await
}

/// Accounts, newest first.
///
/// # Errors
/// As of [`get`].
pub async fn search(reads: &Reads, search: &Search) -> sqlx::Result<Vec<Row>> {
    let sql =
        "select id, username, email_sealed, email_verified, roles, status, locale, created_at, updated_at, version
               from read.user_page
               where ($1::text is null or strpos(lower(username), lower($1)) > 0)
                 and (status = $2 or ($2::text is null and status <> 'erased'))
                 and ($3::text is null or $3 = any(roles))
                 and ($4::timestamptz is null or (created_at, id) < ($4, $5))
               order by created_at desc, id desc
               limit $6";
    sqlx::query_as(sql)
        .bind(search.text.as_deref().filter(|text| !text.is_empty()))
        .bind(&search.status)
        .bind(&search.role)
        .bind(search.after.map(|after| after.created_at))
        .bind(search.after.map(|after| after.id))
        .bind(search.limit.clamp(1, 500))
        .fetch_all(&reads.db)
        .await
}
