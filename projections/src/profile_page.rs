//! What a person shows to others, found by id or by handle; an old handle leads to the new one until someone else takes
//! it. A forgotten profile leaves no row, here or in the history of its handles.

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::profile::{self, Preference, Visibility};
use events::{Event, Message, Personal};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::FromRow;
use std::collections::BTreeMap;
use uuid::Uuid;

use crate::Reads;
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, array, cell, text};

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

impl Stored for Row {
    const TABLE: &'static str = "profile_page";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("user_id", "uuid"),
        ("handle", "text not null"),
        ("display_name", "text"),
        ("bio", "text"),
        ("location", "text"),
        ("website", "text"),
        ("visibility", "text not null"),
        ("preferences", "jsonb not null"),
        ("version", "bigint not null"),
        ("created_at", "timestamptz not null"),
        ("updated_at", "timestamptz not null"),
        ("past_handles", "text[] not null"),
    ];
    // not unique: within one batch a handle may be given back after someone else got it
    const INDEXES: &'static [&'static str] = &["(handle text_pattern_ops)"];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.user_id
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            cell(self.user_id),
            Some((&self.handle).into()),
            text(&self.display_name),
            text(&self.bio),
            text(&self.location),
            text(&self.website),
            Some((&self.visibility).into()),
            cell(&self.preferences),
            cell(self.version),
            cell(self.created_at.to_rfc3339()),
            cell(self.updated_at.to_rfc3339()),
            array(&self.past_handles),
        ]
    }
}

/// A handle that led somewhere, and whose it was last.
#[derive(Clone, FromRow)]
pub(crate) struct Former {
    handle: String,
    user_id: Uuid,
}

impl Stored for Former {
    const TABLE: &'static str = "handle_history";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[("handle", "text"), ("user_id", "uuid not null")];
    type Key = String;

    fn key(&self) -> String {
        self.handle.clone()
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![Some((&self.handle).into()), cell(self.user_id)]
    }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct ProfilePage {
    profiles: Table<Row>,
    formers: Table<Former>,
}

impl Projection for ProfilePage {
    fn name(&self) -> &'static str {
        "profile_page"
    }

    fn listens(&self) -> &'static [&'static str] {
        &["evt.profile.profile."]
    }

    fn needs(&mut self, recorded: &Recorded) {
        let Ok(event) = recorded.event() else { return };
        self.profiles.need(&event.subject);
        match &event.body {
            Event::Profile(profile::Event::Created { handle, .. }) => self.formers.need(handle),
            Event::Profile(profile::Event::HandleChanged { from, to }) => {
                self.formers.need(from);
                self.formers.need(to);
            }
            Event::Profile(profile::Event::Erased {}) => {
                for handle in self.profiles.get(&event.subject).iter().flat_map(|row| &row.past_handles) {
                    self.formers.need(handle);
                }
            }
            _ => {}
        }
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = recorded.event()?;
        match &event.body {
            Event::Profile(profile::Event::Created { handle, display_name }) => {
                self.formers.remove(handle);
                self.profiles.put(created(event, handle, display_name.as_ref()));
            }
            Event::Profile(profile::Event::Erased {}) => self.forget(event.subject)?,
            Event::Profile(what) => {
                let row = self.profiles.change(&event.subject).context("this profile was never created")?;
                row.evolve(what);
                (row.version, row.updated_at) = (version(event), event.time);
                if let profile::Event::HandleChanged { from, to } = what {
                    self.formers.put(Former { handle: from.clone(), user_id: event.subject });
                    self.formers.remove(to);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.profiles, &mut self.formers]
    }
}

impl ProfilePage {
    /// Removes the profile and the handles that still lead to it.
    fn forget(&mut self, user: Uuid) -> anyhow::Result<()> {
        let row = self.profiles.get(&user).context("this profile was never created")?;
        for handle in row.past_handles.clone() {
            if self.formers.get(&handle).is_some_and(|former| former.user_id == user) {
                self.formers.remove(&handle);
            }
        }
        self.profiles.remove(&user);
        self.profiles.scrub();
        self.formers.scrub();
        Ok(())
    }
}

fn version(event: &Message<Event>) -> i64 {
    event.sequence.map_or(0, |sequence| sequence.0 as i64)
}

fn created(event: &Message<Event>, handle: &str, display_name: Option<&Personal<String>>) -> Row {
    Row {
        user_id: event.subject,
        handle: handle.to_owned(),
        display_name: display_name.and_then(Personal::open).filter(|name| !name.is_empty()).cloned(),
        bio: None,
        location: None,
        website: None,
        visibility: "public".to_owned(),
        preferences: json!({}),
        version: version(event),
        created_at: event.time,
        updated_at: event.time,
        past_handles: vec![],
    }
}

impl Row {
    fn evolve(&mut self, what: &profile::Event) {
        match what {
            profile::Event::Updated { display_name, bio, location, website } => {
                set(&mut self.display_name, display_name);
                set(&mut self.bio, bio);
                set(&mut self.location, location);
                set(&mut self.website, website);
            }
            profile::Event::HandleChanged { from, to } => {
                self.handle.clone_from(to);
                self.past_handles.retain(|handle| handle != from && handle != to);
                self.past_handles.push(from.clone());
            }
            profile::Event::VisibilitySet { visibility } => {
                self.visibility = match visibility {
                    Visibility::Public => "public",
                    Visibility::Unlisted => "unlisted",
                    Visibility::Private => "private",
                }
                .to_owned();
            }
            profile::Event::PreferencesUpdated { preferences } => prefer(&mut self.preferences, preferences),
            profile::Event::Created { .. } | profile::Event::Erased {} => {}
        }
    }
}

/// What is given replaces; an empty or forgotten text clears.
fn set(field: &mut Option<String>, change: &Option<Personal<String>>) {
    if let Some(change) = change {
        *field = change.open().filter(|text| !text.is_empty()).cloned();
    }
}

fn prefer(all: &mut Value, changes: &BTreeMap<String, Option<Preference>>) {
    let Value::Object(all) = all else { return };
    for (name, value) in changes {
        match value {
            // a text with a NUL cannot be kept as jsonb
            Some(Preference::Text(text)) => all.insert(name.clone(), json!(text.replace('\0', "\u{fffd}"))),
            Some(value) => all.insert(name.clone(), json!(value)),
            None => all.remove(name),
        };
    }
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
    sqlx::query_as(sql).bind(users).fetch_all(&reads.db).await
}

/// The profile that has this handle, or where the one that had it went.
///
/// # Errors
/// As of [`get`].
pub async fn by_handle(reads: &Reads, handle: &str) -> sqlx::Result<Option<Found>> {
    let sql = "select user_id, handle, display_name, bio, location, website, visibility, preferences, version,
                      created_at, updated_at, past_handles
               from read.profile_page where handle = $1";
    if let Some(row) = sqlx::query_as(sql).bind(handle).fetch_optional(&reads.db).await? {
        return Ok(Some(Found::Page(Box::new(row))));
    }
    let sql = "select page.handle from read.handle_history old join read.profile_page page using (user_id)
               where old.handle = $1";
    let moved: Option<String> = sqlx::query_scalar(sql).bind(handle).fetch_optional(&reads.db).await?;
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
        .fetch_all(&reads.db)
        .await
}
