//! Videos: what their owners say of them, what was made of them, and who may see them. What an erased person said is gone
//! from here at once.

mod reading;

pub use reading::{Search, get, many, search};

use anyhow::Context;
use chrono::{DateTime, Utc};
use events::identity::user;
use events::video::{self, About, Visibility};
use events::{Event, Message};
use serde_json::{Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use crate::projection::Projection;
use crate::recorded::Recorded;
use crate::table::{Cell, Rows, Stored, Table, array, cell, clean, text};

/// One video.
#[derive(Clone, PartialEq, FromRow)]
pub struct Row {
    /// The video.
    pub video_id: Uuid,
    /// Whose it is.
    pub owner: Uuid,
    /// What it is called.
    pub title: String,
    /// What it is about.
    pub description: Option<String>,
    /// Words it is found by.
    pub tags: Vec<String>,
    /// One word for its kind.
    pub category: Option<String>,
    /// `public`, `unlisted` or `private`: who sees it once it is published.
    pub visibility: String,
    /// `draft`, `processing`, `playable`, `ready` or `failed`; whether others see it stands beside.
    pub status: String,
    /// Which source it has, counted from 1; 0 when there is none.
    pub source_version: i32,
    /// Its source.
    pub file: Option<Uuid>,
    /// Milliseconds, once it is known.
    pub duration_ms: Option<i64>,
    /// `events::media::Film`, once it is known.
    pub film: Option<Value>,
    /// Where its picture lies, behind `videos/<video>/`.
    pub thumbnail: Option<String>,
    /// `events::media::Storyboard`.
    pub storyboard: Option<Value>,
    /// A list of `events::media::Rendition`, the lowest first.
    pub renditions: Value,
    /// `{"code", "message"}` when nothing could be made of its source.
    pub failure: Option<Value>,
    /// Since when others see it.
    pub published_at: Option<DateTime<Utc>>,
    /// When it is going to be published.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// It is among the featured ones.
    pub featured: bool,
    /// How often it was watched.
    pub views: i64,
    /// The version of the aggregate after the last event about it.
    pub version: i64,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub updated_at: DateTime<Utc>,
}

impl Stored for Row {
    const TABLE: &'static str = "video_page";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[
        ("video_id", "uuid"),
        ("owner", "uuid not null"),
        ("title", "text not null"),
        ("description", "text"),
        ("tags", "text[] not null"),
        ("category", "text"),
        ("visibility", "text not null"),
        ("status", "text not null"),
        ("source_version", "integer not null"),
        ("file", "uuid"),
        ("duration_ms", "bigint"),
        ("film", "jsonb"),
        ("thumbnail", "text"),
        ("storyboard", "jsonb"),
        ("renditions", "jsonb not null"),
        ("failure", "jsonb"),
        ("published_at", "timestamptz"),
        ("scheduled_at", "timestamptz"),
        ("featured", "boolean not null"),
        ("views", "bigint not null"),
        ("version", "bigint not null"),
        ("created_at", "timestamptz not null"),
        ("updated_at", "timestamptz not null"),
    ];
    const INDEXES: &'static [&'static str] = &[
        "(owner, created_at desc, video_id desc)",
        "(created_at desc, video_id desc) where published_at is not null and visibility = 'public'",
        "using gin (tags)",
        "using gin (to_tsvector('simple'::regconfig, title || ' ' || coalesce(description, '')))",
    ];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.video_id
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        let time = |time: Option<DateTime<Utc>>| time.and_then(|time| cell(time.to_rfc3339()));
        vec![
            cell(self.video_id),
            cell(self.owner),
            Some(clean(&self.title)),
            text(&self.description),
            array(&self.tags),
            text(&self.category),
            Some((&self.visibility).into()),
            Some((&self.status).into()),
            cell(self.source_version),
            self.file.and_then(cell),
            self.duration_ms.and_then(cell),
            self.film.as_ref().and_then(cell),
            text(&self.thumbnail),
            self.storyboard.as_ref().and_then(cell),
            cell(&self.renditions),
            self.failure.as_ref().and_then(cell),
            time(self.published_at),
            time(self.scheduled_at),
            cell(self.featured),
            cell(self.views),
            cell(self.version),
            cell(self.created_at.to_rfc3339()),
            cell(self.updated_at.to_rfc3339()),
        ]
    }
}

/// Which videos somebody has.
#[derive(Clone, FromRow)]
pub(crate) struct Owned {
    owner: Uuid,
    videos: Vec<Uuid>,
}

impl Stored for Owned {
    const TABLE: &'static str = "video_owner";
    const COLUMNS: &'static [(&'static str, &'static str)] = &[("owner", "uuid"), ("videos", "uuid[] not null")];
    type Key = Uuid;

    fn key(&self) -> Uuid {
        self.owner
    }

    fn cells(&self) -> Vec<Cell<'_>> {
        let videos: Vec<String> = self.videos.iter().map(Uuid::to_string).collect();
        vec![cell(self.owner), array(&videos)]
    }
}

/// Writes the page.
#[derive(Default)]
pub(crate) struct VideoPage {
    videos: Table<Row>,
    owned: Table<Owned>,
}

impl Projection for VideoPage {
    fn name(&self) -> &'static str {
        "video_page"
    }

    fn logic(&self) -> u32 {
        2
    }

    fn listens(&self) -> &'static [&'static str] {
        &["evt.video.video.", "evt.identity.user."]
    }

    fn needs(&mut self, recorded: &Recorded) {
        let Ok(event) = recorded.event() else { return };
        match &event.body {
            Event::Video(what) => {
                self.videos.need(&event.subject);
                if let video::Event::Created { owner, .. } | video::Event::Deleted { owner, .. } = what {
                    self.owned.need(owner);
                }
            }
            Event::User(user::Event::Erased {}) => {
                self.owned.need(&event.subject);
                for video in self.owned.get(&event.subject).iter().flat_map(|owned| &owned.videos) {
                    self.videos.need(video);
                }
            }
            _ => {}
        }
    }

    fn apply(&mut self, recorded: &Recorded) -> anyhow::Result<()> {
        let event = recorded.event()?;
        match &event.body {
            Event::Video(video::Event::Created { owner, about }) => {
                let mut videos = self.owned.get(owner).map(|owned| owned.videos.clone()).unwrap_or_default();
                videos.push(event.subject);
                self.owned.put(Owned { owner: *owner, videos });
                self.videos.put(created(event, *owner, about));
            }
            Event::Video(video::Event::Deleted { owner, .. }) => {
                self.videos.remove(&event.subject);
                if let Some(owned) = self.owned.change(owner) {
                    owned.videos.retain(|video| *video != event.subject);
                }
            }
            Event::Video(what) => {
                // what an erased person left to be done is about nothing any more
                if let Some(row) = self.videos.change(&event.subject) {
                    row.evolve(what, event.time)?;
                    row.version = version(event);
                    // to be watched is no change
                    if !matches!(what, video::Event::ViewsCounted { .. }) {
                        row.updated_at = event.time;
                    }
                }
            }
            Event::User(user::Event::Erased {}) => {
                let videos = self.owned.get(&event.subject).map(|owned| owned.videos.clone()).unwrap_or_default();
                videos.iter().for_each(|video| self.videos.remove(video));
                self.owned.remove(&event.subject);
                self.videos.scrub();
            }
            _ => {}
        }
        Ok(())
    }

    fn tables(&mut self) -> Vec<&mut dyn Rows> {
        vec![&mut self.videos, &mut self.owned]
    }
}

fn version(event: &Message<Event>) -> i64 {
    event.sequence.map_or(0, |sequence| sequence.0 as i64)
}

fn created(event: &Message<Event>, owner: Uuid, about: &About) -> Row {
    let mut row = Row {
        video_id: event.subject,
        owner,
        title: String::new(),
        description: None,
        tags: vec![],
        category: None,
        visibility: "public".to_owned(),
        status: "draft".to_owned(),
        source_version: 0,
        file: None,
        duration_ms: None,
        film: None,
        thumbnail: None,
        storyboard: None,
        renditions: json!([]),
        failure: None,
        published_at: None,
        scheduled_at: None,
        featured: false,
        views: 0,
        version: version(event),
        created_at: event.time,
        updated_at: event.time,
    };
    row.say(about);
    row
}

impl Row {
    fn evolve(&mut self, what: &video::Event, time: DateTime<Utc>) -> anyhow::Result<()> {
        match what {
            video::Event::Updated { about } => self.say(about),
            video::Event::SourceAttached { file, version, .. } => {
                (self.file, self.source_version) = (Some(*file), *version as i32);
                self.begin_again();
                (self.film, self.duration_ms) = (None, None);
            }
            video::Event::Probed { film, .. } => {
                (self.film, self.duration_ms) = (Some(serde_json::to_value(film)?), Some(film.duration_ms as i64));
            }
            video::Event::ThumbnailSet { picture, .. } => self.thumbnail = Some(picture.file.clone()),
            video::Event::StoryboardSet { storyboard, .. } => self.storyboard = Some(serde_json::to_value(storyboard)?),
            video::Event::RenditionsAdded { renditions, .. } => {
                let all = self.renditions.as_array_mut().context("renditions are a list")?;
                for rendition in renditions {
                    all.push(serde_json::to_value(rendition)?);
                }
            }
            video::Event::BecamePlayable { .. } => self.status = "playable".to_owned(),
            video::Event::Ready { .. } => self.status = "ready".to_owned(),
            video::Event::ProcessingFailed { code, message, .. } => {
                // what can be played already is not taken away
                if self.status != "playable" {
                    self.status = "failed".to_owned();
                }
                self.failure = Some(json!({ "code": code, "message": message }));
            }
            video::Event::ProcessingCancelled { .. } => {
                self.begin_again();
                self.status = "draft".to_owned();
            }
            video::Event::ProcessingResumed { from_nothing: true, .. } => self.begin_again(),
            video::Event::ProcessingResumed { .. } => {
                if self.status == "failed" {
                    self.status = "processing".to_owned();
                }
                self.failure = None;
            }
            video::Event::Published { .. } => (self.published_at, self.scheduled_at) = (Some(time), None),
            video::Event::PublicationScheduled { at } => self.scheduled_at = Some(*at),
            video::Event::Unpublished {} => (self.published_at, self.scheduled_at) = (None, None),
            video::Event::Featured { featured } => self.featured = *featured,
            video::Event::ViewsCounted { views } => self.views += i64::from(*views),
            video::Event::Created { .. } | video::Event::Deleted { .. } | video::Event::SourceRefused { .. } => {}
        }
        Ok(())
    }

    /// Nothing is made of it yet.
    fn begin_again(&mut self) {
        self.status = "processing".to_owned();
        (self.renditions, self.failure) = (json!([]), None);
        (self.thumbnail, self.storyboard) = (None, None);
    }

    fn say(&mut self, about: &About) {
        let About { title, description, tags, category, visibility } = about;
        if let Some(title) = title {
            self.title = title.open().cloned().unwrap_or_else(|| "Untitled".to_owned());
        }
        if let Some(description) = description {
            self.description = description.open().filter(|text| !text.is_empty()).cloned();
        }
        if let Some(tags) = tags {
            self.tags.clone_from(tags);
        }
        if let Some(category) = category {
            self.category = Some(category.clone()).filter(|word| !word.is_empty());
        }
        if let Some(visibility) = visibility {
            let word = match visibility {
                Visibility::Public => "public",
                Visibility::Unlisted => "unlisted",
                Visibility::Private => "private",
            };
            word.clone_into(&mut self.visibility);
        }
    }

    /// Whether everybody who has the address may see it.
    pub fn is_shown(&self) -> bool {
        self.published_at.is_some() && self.visibility != "private" && ["playable", "ready"].contains(&&*self.status)
    }
}
