//! What a person shows to others, found by id or by handle; an old handle leads to the new one until someone else takes
//! it. A forgotten profile leaves no row, here or in the history of its handles.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use crate::Reads;

/// One profile.
#[derive(Clone, PartialEq, FromRow, Serialize)]
pub struct Row {
    /// The person.
    pub user_id: Uuid,
    /// Where it is found: `/u/<handle>`.
    pub handle: String,
    /// What the person is called.
    pub display_name: Option<String>,
    /// About the person.
    pub bio: Option<String>,
    /// Where the person is.
    pub location: Option<String>,
    /// Where the person is on the web.
    pub website: Option<String>,
    /// `public`, `unlisted` or `private`: the caller of a query decides who may see it.
    pub visibility: String,
    /// The preferences by name, an object.
    pub preferences: Value,
    /// The version of the aggregate after the last event about it.
    pub version: i64,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
    /// Handles it had before, whoever has them now.
    #[serde(skip)]
    pub past_handles: Vec<String>,
}

/// What a handle leads to.
#[derive(Clone, PartialEq)]
pub enum Found {
    /// The profile that has it.
    Page(Box<Row>),
    /// The profile that had it has this one now.
    MovedTo(String),
}

/// What to look for among public profiles.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Beginning of the handle or of the display name, upper or lower case.
    pub text: String,
    /// At most so many rows, 1 to 500.
    pub limit: i64,
    /// Go on behind this handle.
    pub after: Option<String>,
}

/// The profile of a person.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn get(reads: &Reads, user: Uuid) -> sqlx::Result<Option<Row>> {
    Ok(many(reads, &[user]).await?.pop())
}

/// The profiles of several people, those that there are, in no order.
///
/// # Errors
/// As of [`get`].
pub async fn many(reads: &Reads, users: &[Uuid]) -> sqlx::Result<Vec<Row>> {
    let sql = "select user_id, handle, display_name, bio, location, website, visibility, preferences, version,
                      created_at, updated_at, past_handles
               from read.profile_page where user_id = any($1)";
    sqlx::query_as(sql).bind(users).fetch_all(&reads.pool).await
}

/// The profile that has this handle, or where the one that had it went.
///
/// # Errors
/// As of [`get`].
pub async fn by_handle(reads: &Reads, handle: &str) -> sqlx::Result<Option<Found>> {
    let sql = "select user_id, handle, display_name, bio, location, website, visibility, preferences, version,
                      created_at, updated_at, past_handles
               from read.profile_page where handle = $1";
    if let Some(row) = sqlx::query_as(sql).bind(handle).fetch_optional(&reads.pool).await? {
        return Ok(Some(Found::Page(Box::new(row))));
    }
    let sql = "select page.handle from read.handle_history old join read.profile_page page using (user_id)
               where old.handle = $1";
    let moved: Option<String> = sqlx::query_scalar(sql).bind(handle).fetch_optional(&reads.pool).await?;
    Ok(moved.map(Found::MovedTo))
}

/// Public profiles by handle.
///
/// # Errors
/// As of [`get`].
pub async fn search(reads: &Reads, search: &Search) -> sqlx::Result<Vec<Row>> {
    let sql = "select user_id, handle, display_name, bio, location, website, visibility, preferences, version,
                      created_at, updated_at, past_handles
               from read.profile_page
               where visibility = 'public'
                 and (starts_with(handle, lower($1)) or starts_with(lower(display_name), lower($1)))
                 and ($2::text is null or handle > $2)
               order by handle
               limit $3";
    sqlx::query_as(sql)
        .bind(&search.text)
        .bind(&search.after)
        .bind(search.limit.clamp(1, 500))
        .fetch_all(&reads.pool)
        .await
}
