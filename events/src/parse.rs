//! Reading a message whose context is not known in advance. The second word of the type picks the reader, so an
//! unknown type is named in the error instead of «did not match any variant».

use crate::notification::{contact, inbox, template};
use crate::{Command, Event, Message, claim, identity, processing, profile, storage, video};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// Why bytes are not a message of this platform.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The `type` is none that this version knows.
    #[error("unknown type {0:?}")]
    UnknownType(String),
    /// Not JSON, not a CloudEvent, or its `data` does not fit its `type`.
    #[error("not a valid message: {0}")]
    Malformed(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

/// `identity.user` of `identity.user.registered.v1`.
fn family(kind: &str) -> &str {
    match kind.match_indices('.').nth(1) {
        Some((end, _)) => &kind[..end],
        None => kind,
    }
}

impl Message<Event> {
    /// Reads any event.
    pub fn event(bytes: &[u8]) -> Result<Self, Unreadable> {
        let head: Head = serde_json::from_slice(bytes)?;
        match family(&head.kind) {
            "identity.user" => read(bytes, &head, Event::User as fn(identity::user::Event) -> Event),
            "identity.session" => read(bytes, &head, Event::Session as fn(identity::session::Event) -> Event),
            "profile.profile" => read(bytes, &head, Event::Profile as fn(profile::Event) -> Event),
            "storage.shelf" => read(bytes, &head, Event::Shelf as fn(storage::Event) -> Event),
            "video.video" => read(bytes, &head, Event::Video as fn(video::Event) -> Event),
            "video.library" => read(bytes, &head, Event::Library as fn(video::library::Event) -> Event),
            "processing.job" => read(bytes, &head, Event::Job as fn(processing::Event) -> Event),
            "notification.inbox" => read(bytes, &head, Event::Inbox as fn(inbox::Event) -> Event),
            "notification.template" => read(bytes, &head, Event::Template as fn(template::Event) -> Event),
            "notification.contact" => read(bytes, &head, Event::Contact as fn(contact::Event) -> Event),
            "identity.claim" | "profile.claim" => read(bytes, &head, Event::Claim as fn(claim::Event) -> Event),
            _ => Err(Unreadable::UnknownType(head.kind.into_owned())),
        }
    }
}

impl Message<Command> {
    /// Reads any command.
    pub fn command(bytes: &[u8]) -> Result<Self, Unreadable> {
        let head: Head = serde_json::from_slice(bytes)?;
        match family(&head.kind) {
            "identity.user" => read(bytes, &head, Command::User as fn(identity::user::Command) -> Command),
            "identity.session" => read(bytes, &head, Command::Session as fn(identity::session::Command) -> Command),
            "profile.profile" => read(bytes, &head, Command::Profile as fn(profile::Command) -> Command),
            "storage.shelf" => read(bytes, &head, Command::Shelf as fn(storage::Command) -> Command),
            "video.video" => read(bytes, &head, Command::Video as fn(video::Command) -> Command),
            "video.library" => read(bytes, &head, Command::Library as fn(video::library::Command) -> Command),
            "processing.job" => read(bytes, &head, Command::Job as fn(processing::Command) -> Command),
            "notification.inbox" => read(bytes, &head, Command::Inbox as fn(inbox::Command) -> Command),
            "notification.template" => read(bytes, &head, Command::Template as fn(template::Command) -> Command),
            "notification.contact" => read(bytes, &head, Command::Contact as fn(contact::Command) -> Command),
            _ => Err(Unreadable::UnknownType(head.kind.into_owned())),
        }
    }
}

fn read<T: DeserializeOwned, W>(bytes: &[u8], head: &Head, whole: fn(T) -> W) -> Result<Message<W>, Unreadable> {
    match serde_json::from_slice::<Message<T>>(bytes) {
        Ok(message) => Ok(message.map(whole)),
        // serde says «unknown variant» both for a type we do not know and for a wrong word inside the data
        Err(error) if error.to_string().contains(&format!("unknown variant `{}`", head.kind)) => {
            Err(Unreadable::UnknownType(head.kind.clone().into_owned()))
        }
        Err(error) => Err(error.into()),
    }
}
