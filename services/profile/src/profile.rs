//! A profile: the person and admins change it, its handle is unique, and an erased one stays erased.

use events::Personal;
use events::profile::{Command, Event, Preference, Visibility};
use kernel::{Claim, Decider, Kind, Meta};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::handle::{candidates, is_handle, is_reserved};

/// The state of a profile.
#[derive(Default, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "nearly every profile in memory is present")]
pub enum Profile {
    /// Nobody's yet.
    #[default]
    Missing,
    /// Somebody's.
    Present(Page),
    /// Forgotten.
    Erased,
}

/// What the rules need to know of a profile. Texts are kept to tell a change from a repetition.
#[derive(Default, Serialize, Deserialize)]
pub struct Page {
    handle: String,
    display_name: Text,
    bio: Text,
    location: Text,
    website: Text,
    visibility: Visibility,
    preferences: BTreeMap<String, Preference>,
}

type Text = Option<Personal<String>>;

/// What can be in the way.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such profile")]
    Missing,
    #[error("only the person or an admin may change a profile")]
    NotYours,
    #[error("this handle is taken, choose another")]
    HandleTaken,
    #[error("a handle is 3 to 30 of a-z, 0-9, _ and -, and begins with a letter or digit")]
    BadHandle,
    #[error("this handle is reserved, choose another")]
    ReservedHandle,
    #[error("{0} is at most {1} characters")]
    TooLong(&'static str, usize),
    #[error("{0} may not contain control characters")]
    Control(&'static str),
    #[error("a website begins with https:// or http://")]
    BadWebsite,
    #[error("a preference has a name of 1 to 50 characters without $, and a text of at most 200")]
    BadPreference,
    #[error("at most 50 preferences are kept")]
    TooManyPreferences,
}

impl kernel::Rejection for Rejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing => "profile_missing",
            Self::NotYours => "not_yours",
            Self::HandleTaken => "handle_taken",
            Self::BadHandle => "handle_invalid",
            Self::ReservedHandle => "handle_reserved",
            Self::TooLong(..) => "too_long",
            Self::Control(_) => "control_characters",
            Self::BadWebsite => "website_invalid",
            Self::BadPreference => "preference_invalid",
            Self::TooManyPreferences => "too_many_preferences",
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::NotYours => Kind::Forbidden,
            Self::HandleTaken => Kind::Conflict,
            _ => Kind::Invalid,
        }
    }
}

impl Decider for Profile {
    const LOGIC: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        meta.may_act_for(meta.subject).then_some(()).ok_or(Rejection::NotYours)?;
        match (self, command) {
            (Profile::Missing, Command::Create { handle, display_name }) => {
                Ok(vec![create(&handle, display_name, meta)])
            }
            (Profile::Present(_), Command::Create { .. }) | (Profile::Missing | Profile::Erased, Command::Erase {}) => {
                Ok(vec![])
            }
            (Profile::Missing | Profile::Erased, _) => Err(Rejection::Missing),
            (Profile::Present(page), command) => page.decide(command, meta),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match (&mut *self, event) {
            (_, Event::Created { handle, display_name }) => {
                let (handle, display_name) = (handle.clone(), display_name.clone());
                *self = Profile::Present(Page { handle, display_name, ..Page::default() });
            }
            (_, Event::Erased {}) => *self = Profile::Erased,
            (Profile::Present(page), event) => page.evolve(event),
            _ => {}
        }
    }

    fn claims(&self, event: &Event) -> Vec<Claim> {
        match (self, event) {
            (_, Event::Created { handle, .. }) => vec![Claim::take(HANDLE, handle)],
            (_, Event::HandleChanged { from, to }) => vec![Claim::release(HANDLE, from), Claim::take(HANDLE, to)],
            (Profile::Present(page), Event::Erased {}) => vec![Claim::release(HANDLE, &page.handle)],
            _ => vec![],
        }
    }
}

/// The kind of claim for handles.
const HANDLE: &str = "handle";

impl Page {
    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Update { display_name, bio, location, website } => {
                self.update(display_name, bio, location, website)
            }
            Command::ChangeHandle { handle } => self.change_handle(handle, meta),
            Command::SetVisibility { visibility } if visibility == self.visibility => Ok(vec![]),
            Command::SetVisibility { visibility } => Ok(vec![Event::VisibilitySet { visibility }]),
            Command::UpdatePreferences { preferences } => self.update_preferences(preferences),
            Command::Erase {} => Ok(vec![Event::Erased {}]),
            Command::Create { .. } => Ok(vec![]),
        }
    }

    fn update(&self, display_name: Text, bio: Text, location: Text, website: Text) -> Result<Vec<Event>, Rejection> {
        let display_name = changed(&self.display_name, line("a display name", display_name, 100)?);
        let bio = changed(&self.bio, text("a bio", bio, 2000)?);
        let location = changed(&self.location, line("a location", location, 100)?);
        let website = changed(&self.website, address(line("a website", website, 300)?)?);
        if [&display_name, &bio, &location, &website].iter().all(|field| field.is_none()) {
            return Ok(vec![]);
        }
        Ok(vec![Event::Updated { display_name, bio, location, website }])
    }

    fn change_handle(&self, handle: String, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        if handle == self.handle {
            return Ok(vec![]);
        }
        is_handle(&handle).then_some(()).ok_or(Rejection::BadHandle)?;
        (!is_reserved(&handle)).then_some(()).ok_or(Rejection::ReservedHandle)?;
        (!meta.is_taken(HANDLE, &handle)).then_some(()).ok_or(Rejection::HandleTaken)?;
        Ok(vec![Event::HandleChanged { from: self.handle.clone(), to: handle }])
    }

    fn update_preferences(&self, wishes: BTreeMap<String, Option<Preference>>) -> Result<Vec<Event>, Rejection> {
        let good = |(name, value): (&String, &Option<Preference>)| {
            let short = !matches!(value, Some(Preference::Text(text)) if text.chars().count() > 200);
            // a name with `$` could be taken for the wire's own marks of personal fields
            (1..=50).contains(&name.chars().count()) && !name.contains(|c: char| c.is_control() || c == '$') && short
        };
        wishes.iter().all(good).then_some(()).ok_or(Rejection::BadPreference)?;
        let preferences: BTreeMap<_, _> =
            wishes.into_iter().filter(|(name, value)| self.preferences.get(name) != value.as_ref()).collect();
        let added = preferences.iter().filter(|(name, value)| value.is_some() && !self.preferences.contains_key(*name));
        let removed = preferences.values().filter(|value| value.is_none());
        if self.preferences.len() + added.count() > 50 + removed.count() {
            return Err(Rejection::TooManyPreferences);
        }
        Ok(if preferences.is_empty() { vec![] } else { vec![Event::PreferencesUpdated { preferences }] })
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Updated { display_name, bio, location, website } => {
                set(&mut self.display_name, display_name);
                set(&mut self.bio, bio);
                set(&mut self.location, location);
                set(&mut self.website, website);
            }
            Event::HandleChanged { to, .. } => self.handle.clone_from(to),
            Event::VisibilitySet { visibility } => self.visibility = *visibility,
            Event::PreferencesUpdated { preferences } => {
                for (name, value) in preferences {
                    match value {
                        Some(value) => self.preferences.insert(name.clone(), value.clone()),
                        None => self.preferences.remove(name),
                    };
                }
            }
            Event::Created { .. } | Event::Erased {} => {}
        }
    }
}

/// Begins a profile with the wished handle, or the next one that is free: a registration is never undone for a name.
fn create(wish: &str, display_name: Text, meta: &Meta) -> Event {
    let free = |handle: &String| !is_reserved(handle) && !meta.is_taken(HANDLE, handle);
    let wish = if is_handle(wish) { wish.to_owned() } else { crate::handle::nearest(wish) };
    let tries = candidates(&wish, meta.subject);
    let handle = tries.iter().find(|handle| free(handle)).unwrap_or(&tries[tries.len() - 1]).clone();
    Event::Created { handle, display_name }
}

/// What is new, or nothing when it is as it was; a cleared field and a missing one are the same.
fn changed(old: &Text, new: Text) -> Text {
    let value = |text: &Text| text.as_ref().and_then(Personal::open).cloned().unwrap_or_default();
    new.filter(|new| new.open().is_some_and(|new| *new != value(old)))
}

fn set(field: &mut Text, change: &Text) {
    if let Some(change) = change {
        *field = Some(change.clone());
    }
}

/// A text of one line.
fn line(what: &'static str, field: Text, limit: usize) -> Result<Text, Rejection> {
    check(what, field, limit, char::is_control)
}

/// A text that may have lines.
fn text(what: &'static str, field: Text, limit: usize) -> Result<Text, Rejection> {
    check(what, field, limit, |c| c.is_control() && c != '\n' && c != '\r' && c != '\t')
}

fn check(what: &'static str, field: Text, limit: usize, bad: fn(char) -> bool) -> Result<Text, Rejection> {
    let Some(Personal::Open { value, about }) = field else { return Ok(None) };
    let value = value.trim().to_owned();
    if value.chars().count() > limit {
        return Err(Rejection::TooLong(what, limit));
    }
    if value.chars().any(bad) {
        return Err(Rejection::Control(what));
    }
    Ok(Some(Personal::Open { value, about }))
}

/// Only addresses that a browser opens without running anything.
fn address(field: Text) -> Result<Text, Rejection> {
    let web = |text: &String| text.is_empty() || text.starts_with("https://") || text.starts_with("http://");
    match field.as_ref().and_then(Personal::open) {
        Some(value) if !web(value) || value.contains(char::is_whitespace) => Err(Rejection::BadWebsite),
        _ => Ok(field),
    }
}
