//! Templates and their drafts. A draft never changes; which of them is sent in a language stands with the template.

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::Event;
use events::notification::template::{self, Text, Variable, of_key};
use serde_json::{Value, json};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::Reads;
use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, cell, text};

/// One template.
#[derive(Clone, PartialEq, FromRow)]
pub struct Row {
    /// Follows from the key.
    pub template_id: Uuid,
    /// What it is called by programs.
    pub key: String,
    /// `draft`, `published` or `retired`.
    pub state: String,
    /// The draft that is sent, by language.
    pub published: Value,
    /// The newest draft, by language.
    pub newest: Value,
    /// When it was begun.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
    /// The version of the aggregate after the last event about it.
    pub version: i64,
}

/// One draft.
#[derive(Clone, PartialEq, FromRow)]
pub struct Draft {
    /// Its template and its number: `<uuid>/<number>`.
    pub draft_id: String,
    /// Its template.
    pub template_id: Uuid,
    /// Its number.
    pub draft: i64,
    /// Its language.
    pub locale: String,
    /// One line.
    pub subject: String,
    /// The plain form.
    pub body: String,
    /// The form with markup.
    pub html: Option<String>,
    /// Everything that it uses.
    pub variables: Json<Vec<Variable>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

impl Stored for Row {
    const TABLE: &'static str = "template_page";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("template_id", "uuid"),
        ("key", "text not null"),
        ("state", "text not null"),
        ("published", "jsonb not null"),
        ("newest", "jsonb not null"),
        ("created_at", "timestamptz not null"),
        ("updated_at", "timestamptz not null"),
        ("version", "bigint not null"),
    ];
    const INDEXES: &'static [&'static str] = &["(created_at desc, template_id desc)"];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.template_id
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            cell(self.template_id),
            Some((&self.key).into()),
            Some((&self.state).into()),
            cell(&self.published),
            cell(&self.newest),
            cell(self.created_at.to_rfc3339()),
            cell(self.updated_at.to_rfc3339()),
            cell(self.version),
        ]
    }
}

impl Stored for Draft {
    const TABLE: &'static str = "template_draft";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("draft_id", "text"),
        ("template_id", "uuid not null"),
        ("draft", "bigint not null"),
        ("locale", "text not null"),
        ("subject", "text not null"),
        ("body", "text not null"),
        ("html", "text"),
        ("variables", "jsonb not null"),
        ("created_at", "timestamptz not null"),
    ];
    const INDEXES: &'static [&'static str] = &["(template_id, draft)"];
    type Key = String;

    fn key(&self) -> String {
        self.draft_id.clone()
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Some((&self.draft_id).into()),
            cell(self.template_id),
            cell(self.draft),
            Some((&self.locale).into()),
            Some((&self.subject).into()),
            Some((&self.body).into()),
            text(&self.html),
            cell(json!(self.variables.0)),
            cell(self.created_at.to_rfc3339()),
        ]
    }
}

impl From<Draft> for Text {
    fn from(draft: Draft) -> Self {
        let Draft { locale, subject, body, html, variables, .. } = draft;
        Text { locale, subject, text: body, html, variables: variables.0 }
    }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct TemplatePage {
    templates: Table<Row>,
    drafts: Table<Draft>,
}

impl Projection for TemplatePage {
    fn name(&self) -> &'static str {
        "template_page"
    }

    fn listens(&self) -> &'static [&'static str] {
        &["evt.notification.template."]
    }

    fn needs(&mut self, recorded: &Recorded) {
        let Ok(event) = recorded.event() else { return };
        self.templates.need(&event.subject);
        if let Event::Template(template::Event::Drafted { draft, .. }) = &event.body {
            self.drafts.need(&draft_id(event.subject, *draft));
        }
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = recorded.event()?;
        let Event::Template(what) = &event.body else { return Ok(()) };
        if let template::Event::Drafted { key, draft, text } = what {
            self.drafts.put(drafted(event.subject, *draft, text.clone(), event.time));
            if self.templates.get(&event.subject).is_none() {
                self.templates.put(Row {
                    template_id: event.subject,
                    key: key.clone(),
                    state: "draft".to_owned(),
                    published: json!({}),
                    newest: json!({}),
                    created_at: event.time,
                    updated_at: event.time,
                    version: 0,
                });
            }
        }
        let row = self.templates.change(&event.subject).context("this template was never drafted")?;
        row.evolve(what);
        row.updated_at = event.time;
        row.version = event.sequence.map_or(0, |sequence| sequence.0 as i64);
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.templates, &mut self.drafts]
    }
}

impl Row {
    fn evolve(&mut self, what: &template::Event) {
        match what {
            template::Event::Drafted { draft, text, .. } => {
                self.newest[&text.locale] = json!(draft);
                if self.state == "retired" {
                    "draft".clone_into(&mut self.state);
                }
            }
            template::Event::Published { draft, locale } => {
                self.published[locale] = json!(draft);
                "published".clone_into(&mut self.state);
            }
            template::Event::Retired {} => {
                self.published = json!({});
                "retired".clone_into(&mut self.state);
            }
        }
    }

    /// Whether this draft is what is sent in its language.
    pub fn sends(&self, draft: &Draft) -> bool {
        self.published.get(&draft.locale).and_then(Value::as_i64) == Some(draft.draft)
    }
}

fn draft_id(template: Uuid, draft: u64) -> String {
    format!("{template}/{draft}")
}

fn drafted(template_id: Uuid, draft: u64, text: Text, created_at: DateTime<Utc>) -> Draft {
    let Text { locale, subject, text: body, html, variables } = text;
    let (draft_id, draft, variables) = (draft_id(template_id, draft), draft as i64, Json(variables));
    Draft { draft_id, template_id, draft, locale, subject, body, html, variables, created_at }
}

/// Templates, the newest first: those behind `after`, at most so many.
///
/// # Errors
/// Postgres does not answer, or the page is being rebuilt from nothing.
pub async fn list(reads: &Reads, after: Option<(DateTime<Utc>, Uuid)>, limit: i64) -> sqlx::Result<Vec<Row>> {
    let sql = "select * from read.template_page
               where $1::timestamptz is null or (created_at, template_id) < ($1, $2)
               order by created_at desc, template_id desc
               limit $3";
    let query = sqlx::query_as(sql).bind(after.map(|(time, _)| time)).bind(after.map(|(_, id)| id));
    query.bind(limit.clamp(1, 500)).fetch_all(&reads.db).await
}

/// The template with this key.
///
/// # Errors
/// As of [`list`].
pub async fn get(reads: &Reads, key: &str) -> sqlx::Result<Option<Row>> {
    let sql = "select * from read.template_page where template_id = $1";
    sqlx::query_as(sql).bind(of_key(key)).fetch_optional(&reads.db).await
}

/// The drafts that are sent, and the newest of each language.
///
/// # Errors
/// As of [`list`].
pub async fn current(reads: &Reads, key: &str) -> sqlx::Result<Vec<Draft>> {
    let sql = "select draft.* from read.template_page page join read.template_draft draft using (template_id)
               where page.template_id = $1
                 and to_jsonb(draft.draft) in (page.published -> draft.locale, page.newest -> draft.locale)
               order by draft.draft desc";
    sqlx::query_as(sql).bind(of_key(key)).fetch_all(&reads.db).await
}

/// What is sent: one text for each language.
///
/// # Errors
/// As of [`list`].
pub async fn published(reads: &Reads, key: &str) -> sqlx::Result<Vec<Text>> {
    let sql = "select draft.* from read.template_page page join read.template_draft draft using (template_id)
               where page.template_id = $1 and page.published -> draft.locale = to_jsonb(draft.draft)";
    let drafts: Vec<Draft> = sqlx::query_as(sql).bind(of_key(key)).fetch_all(&reads.db).await?;
    Ok(drafts.into_iter().map(Text::from).collect())
}

/// One draft.
///
/// # Errors
/// As of [`list`].
pub async fn draft(reads: &Reads, key: &str, draft: u64) -> sqlx::Result<Option<Draft>> {
    let sql = "select * from read.template_draft where draft_id = $1";
    sqlx::query_as(sql).bind(draft_id(of_key(key), draft)).fetch_optional(&reads.db).await
}
