//! A video: its owner says what it is and who sees it; one source at a time; it is published once it can be played, and
//! work on an older version of it counts no more.

mod noting;

use events::Personal;
use events::video::{About, Command, Event};
use kernel::{Caller, Decider, Meta};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

pub use crate::rejection::Rejection;

/// The state of a video.
#[derive(Default, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "nearly every video in memory is present")]
pub enum Video {
    /// Nobody's yet.
    #[default]
    Missing,
    /// Somebody's.
    Present(Draft),
    /// Gone.
    Deleted,
}

/// What the rules need to know of a video.
#[derive(Default, Serialize, Deserialize)]
pub struct Draft {
    owner: Uuid,
    about: About,
    /// 0: there was no source yet.
    version: u32,
    file: Option<Uuid>,
    duration_ms: u64,
    /// What is noted of the work on this version, by name: news of it may come late, after that of its end.
    made: BTreeSet<String>,
    cancelled: bool,
    playable: bool,
    ready: bool,
    published: bool,
    scheduled: Option<chrono::DateTime<chrono::Utc>>,
    featured: bool,
}

impl Decider for Video {
    const LOGIC: u32 = 2;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        match (self, command) {
            (Video::Missing, Command::Create { owner, about }) => {
                meta.may_act_for(owner).then_some(()).ok_or(Rejection::NotYours)?;
                let strict = meta.caller != Caller::System;
                let about = if strict { checked(owner, about)? } else { lenient(owner, about) };
                Ok(vec![created(owner, about)])
            }
            (Video::Missing, Command::AttachSource { owner, file, size, about: Some(about) })
                if meta.caller == Caller::System =>
            {
                let source = Event::SourceAttached { owner, file, size, version: 1, replaces: None };
                Ok(vec![created(owner, lenient(owner, about)), source])
            }
            (Video::Present(draft), Command::Create { owner, .. }) => {
                (draft.owner == owner && meta.caller == Caller::System).then(Vec::new).ok_or(Rejection::Exists)
            }
            (Video::Deleted, Command::Delete {} | Command::Note { .. } | Command::PublishAsScheduled { .. }) => {
                Ok(vec![])
            }
            (Video::Missing | Video::Deleted, Command::AttachSource { owner, file, .. })
                if meta.caller == Caller::System =>
            {
                Ok(vec![Event::SourceRefused { owner, file }])
            }
            (Video::Present(draft), command) => draft.decide(command, meta),
            (Video::Missing | Video::Deleted, _) => Err(Rejection::Missing),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match (&mut *self, event) {
            (_, Event::Created { owner, about }) => {
                *self = Video::Present(Draft { owner: *owner, about: about.clone(), ..Draft::default() });
            }
            (_, Event::Deleted { .. }) => *self = Video::Deleted,
            (Video::Present(draft), event) => draft.evolve(event),
            _ => {}
        }
    }
}

impl Draft {
    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Note { version, progress, made } => {
                (meta.caller == Caller::System).then_some(()).ok_or(Rejection::NotReprise)?;
                Ok(if version == self.version { self.note(version, progress, made) } else { vec![] })
            }
            Command::CountViews { views } => {
                (meta.caller == Caller::System).then_some(()).ok_or(Rejection::NotReprise)?;
                Ok((views > 0).then_some(Event::ViewsCounted { views }).into_iter().collect())
            }
            Command::Feature { featured } => {
                meta.may_administer().then_some(()).ok_or(Rejection::NotAdmin)?;
                Ok((featured != self.featured).then_some(Event::Featured { featured }).into_iter().collect())
            }
            command => {
                meta.may_act_for(self.owner).then_some(()).ok_or(Rejection::NotYours)?;
                self.obey(command, meta)
            }
        }
    }

    /// What its owner may ask.
    fn obey(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::AttachSource { owner, file, .. } if owner != self.owner && meta.caller == Caller::System => {
                Ok(vec![Event::SourceRefused { owner, file }])
            }
            Command::AttachSource { owner, .. } if owner != self.owner => Err(Rejection::NotYours),
            Command::AttachSource { file, .. } if self.file == Some(file) => Ok(vec![]),
            Command::AttachSource { file, size, .. } => Ok(self.attach(file, size)),
            Command::Update { about } => self.update(about),
            Command::Publish {} if self.published => Ok(vec![]),
            Command::Publish {} if !self.playable => Err(Rejection::NotPlayable),
            Command::Publish {} => Ok(vec![Event::Published { owner: self.owner }]),
            Command::Schedule { at } if at <= meta.time => Err(Rejection::NotInFuture),
            Command::Schedule { at } if self.scheduled == Some(at) => Ok(vec![]),
            Command::Schedule { at } => Ok(vec![Event::PublicationScheduled { at }]),
            Command::PublishAsScheduled { at } => {
                let due = self.scheduled == Some(at) && self.playable && !self.published;
                Ok(due.then_some(Event::Published { owner: self.owner }).into_iter().collect())
            }
            Command::Unpublish {} if !self.published && self.scheduled.is_none() => Ok(vec![]),
            Command::Unpublish {} => Ok(vec![Event::Unpublished {}]),
            Command::Delete {} => {
                Ok(vec![Event::Deleted { owner: self.owner, version: self.version, file: self.file }])
            }
            Command::Create { .. } | Command::Note { .. } | Command::CountViews { .. } | Command::Feature { .. } => {
                Ok(vec![])
            }
        }
    }

    fn attach(&self, file: Uuid, size: u64) -> Vec<Event> {
        let (owner, version, replaces) = (self.owner, self.version + 1, self.file);
        vec![Event::SourceAttached { owner, file, size, version, replaces }]
    }

    fn update(&self, about: About) -> Result<Vec<Event>, Rejection> {
        let About { title, description, tags, category, visibility } = checked(self.owner, about)?;
        let now = &self.about;
        let about = About {
            title: title.filter(|title| Some(title) != now.title.as_ref()),
            description: description.filter(|text| value(&Some(text.clone())) != value(&now.description)),
            tags: tags.filter(|tags| tags[..] != now.tags.as_deref().unwrap_or_default()[..]),
            category: category.filter(|word| word != now.category.as_deref().unwrap_or_default()),
            visibility: visibility.filter(|seen| *seen != now.visibility.unwrap_or_default()),
        };
        Ok(if about == About::default() { vec![] } else { vec![Event::Updated { about }] })
    }

    /// Nothing is made of it.
    fn begin_again(&mut self) {
        self.made.clear();
        (self.cancelled, self.playable, self.ready) = (false, false, false);
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Updated { about } => self.say(about),
            Event::SourceAttached { file, version, .. } => {
                (self.file, self.version) = (Some(*file), *version);
                self.begin_again();
            }
            Event::Probed { film, .. } => {
                self.duration_ms = film.duration_ms;
                self.made.insert(noting::FILM.to_owned());
            }
            Event::ThumbnailSet { picture, .. } => drop(self.made.insert(picture.file.clone())),
            Event::StoryboardSet { storyboard, .. } => drop(self.made.insert(storyboard.index.clone())),
            Event::RenditionsAdded { renditions, .. } => {
                self.made.extend(renditions.iter().map(|rendition| rendition.folder.clone()));
            }
            Event::BecamePlayable { .. } => self.playable = true,
            Event::Ready { .. } => self.ready = true,
            Event::ProcessingCancelled { .. } => {
                self.begin_again();
                self.cancelled = true;
            }
            Event::ProcessingResumed { from_nothing: true, .. } => self.begin_again(),
            Event::ProcessingResumed { .. } => self.cancelled = false,
            Event::Published { .. } => (self.published, self.scheduled) = (true, None),
            Event::PublicationScheduled { at } => self.scheduled = Some(*at),
            Event::Unpublished {} => (self.published, self.scheduled) = (false, None),
            Event::Featured { featured } => self.featured = *featured,
            _ => {}
        }
    }

    fn say(&mut self, about: &About) {
        let About { title, description, tags, category, visibility } = about.clone();
        let now = &mut self.about;
        now.title = title.or(now.title.take());
        now.description = description.or(now.description.take());
        now.tags = tags.or(now.tags.take());
        now.category = category.or(now.category.take());
        now.visibility = visibility.or(now.visibility);
    }
}

fn created(owner: Uuid, about: About) -> Event {
    Event::Created { owner, about: About { title: Some(titled(owner, about.title)), ..about } }
}

type Text = Option<Personal<String>>;

fn value(text: &Text) -> &str {
    text.as_ref().and_then(Personal::open).map(String::as_str).unwrap_or_default()
}

/// A video always has a title; what is said of it is its owner's, whoever said it.
fn titled(owner: Uuid, title: Text) -> Personal<String> {
    let title = value(&title);
    Personal::about(owner, if title.is_empty() { "Untitled".to_owned() } else { title.to_owned() })
}

/// What a person says of a video, trimmed.
fn checked(owner: Uuid, about: About) -> Result<About, Rejection> {
    let text = |text: Text, most: usize, least: usize, lines: bool, why: Rejection| match text {
        None => Ok(None),
        text => {
            let value = value(&text).trim().to_owned();
            let bad = |c: char| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t'));
            let fine = (least..=most).contains(&value.chars().count()) && !value.chars().any(bad);
            if fine { Ok(Some(Personal::about(owner, value))) } else { Err(why) }
        }
    };
    let word = |word: &String, least: usize, most: usize| {
        (least..=most).contains(&word.chars().count()) && !word.chars().any(char::is_control)
    };
    let title = text(about.title, 120, 1, false, Rejection::BadTitle)?;
    let description = text(about.description, 5000, 0, true, Rejection::BadDescription)?;
    let tags = about.tags.map(|tags| tags.iter().map(|tag| tag.trim().to_lowercase()).collect::<Vec<_>>());
    let tags_fine =
        tags.iter().flatten().all(|tag| word(tag, 1, 30)) && tags.as_ref().is_none_or(|all| all.len() <= 20);
    tags_fine.then_some(()).ok_or(Rejection::BadTags)?;
    let category = about.category.map(|category| category.trim().to_lowercase());
    category.iter().all(|category| word(category, 0, 40)).then_some(()).ok_or(Rejection::BadCategory)?;
    Ok(About { title, description, tags, category, visibility: about.visibility })
}

/// What is said of a video by the name of its file: as much of it as fits.
fn lenient(owner: Uuid, about: About) -> About {
    let name = value(&about.title);
    let stem = name.rsplit_once('.').map_or(name, |(stem, kind)| if kind.len() <= 5 { stem } else { name });
    let short: String = stem.chars().filter(|c| !c.is_control()).take(120).collect();
    About { title: Some(Personal::about(owner, short.trim().to_owned())), ..about }
}
