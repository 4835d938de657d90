//! What can be said: the commands and events of every context, as structured CloudEvents.
//! Wire names never change; a new meaning is a new `.v2`. Every type has a frozen sample in `wire/`.

pub mod claim;
mod envelope;
pub mod identity;
pub mod media;
pub mod notification;
mod parse;
mod personal;
pub mod processing;
pub mod profile;
pub mod storage;
pub mod video;
mod wire;

pub use envelope::{AuthType, Message, Sequence, Source, Spec};
pub use parse::Unreadable;
pub use personal::Personal;

use serde::Serialize;

/// Every event of the platform: one line per aggregate. The wire type tells them apart (see [`Message::event`]).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// What happened to an account.
    User(identity::user::Event),
    /// What happened to a signed-in session.
    Session(identity::session::Event),
    /// What happened to a profile.
    Profile(profile::Event),
    /// What happened to what a person keeps.
    Shelf(storage::Event),
    /// What happened to a video.
    Video(video::Event),
    /// What happened to the list of somebody's videos.
    Library(video::library::Event),
    /// What happened to a job.
    Job(processing::Event),
    /// What happened to what a person is told.
    Inbox(notification::inbox::Event),
    /// What happened to the texts of messages.
    Template(notification::template::Event),
    /// What happened to what somebody wrote.
    Contact(notification::contact::Event),
    /// A unique name was taken or given back.
    Claim(claim::Event),
}

/// Every command of the platform: one line per aggregate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Command {
    /// Asks something of an account.
    User(identity::user::Command),
    /// Asks something of a session.
    Session(identity::session::Command),
    /// Asks something of a profile.
    Profile(profile::Command),
    /// Asks something of what a person keeps.
    Shelf(storage::Command),
    /// Asks something of a video.
    Video(video::Command),
    /// Asks something of the list of somebody's videos.
    Library(video::library::Command),
    /// Asks something of a job.
    Job(processing::Command),
    /// Asks something of what a person is told.
    Inbox(notification::inbox::Command),
    /// Asks something of the texts of messages.
    Template(notification::template::Command),
    /// Asks something of what somebody wrote.
    Contact(notification::contact::Command),
}

macro_rules! from {
    ($($whole:ident::$variant:ident($part:ty)),+ $(,)?) => {
        $(impl From<$part> for $whole {
            fn from(part: $part) -> Self {
                $whole::$variant(part)
            }
        })+
    };
}

from!(
    Event::User(identity::user::Event),
    Event::Session(identity::session::Event),
    Event::Profile(profile::Event),
    Event::Shelf(storage::Event),
    Event::Video(video::Event),
    Event::Library(video::library::Event),
    Event::Job(processing::Event),
    Event::Inbox(notification::inbox::Event),
    Event::Template(notification::template::Event),
    Event::Contact(notification::contact::Event),
    Event::Claim(claim::Event),
    Command::User(identity::user::Command),
    Command::Session(identity::session::Command),
    Command::Profile(profile::Command),
    Command::Shelf(storage::Command),
    Command::Video(video::Command),
    Command::Library(video::library::Command),
    Command::Job(processing::Command),
    Command::Inbox(notification::inbox::Command),
    Command::Template(notification::template::Command),
    Command::Contact(notification::contact::Command),
);
