//! An account as its owner and admins see it. The e-mail address is kept sealed: destroying the person's key makes it
//! unreadable here, in backups and in Postgres' own log. One row per account, for ever; an erased one keeps only its id.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use crate::Reads;

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

impl Row {
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
    let sql = "select id, username, email_sealed, email_verified, roles, status, locale, created_at, updated_at, version
               from read.user_page where id = $1";
    sqlx::query_as(sql).bind(id).fetch_optional(&reads.pool).await
}

/// Accounts, newest first.
///
/// # Errors
/// As of [`get`].
pub async fn search(reads: &Reads, search: &Search) -> sqlx::Result<Vec<Row>> {
    let sql = "select id, username, email_sealed, email_verified, roles, status, locale, created_at, updated_at, version
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
        .fetch_all(&reads.pool)
        .await
}
