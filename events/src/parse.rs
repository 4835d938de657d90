//! Reading a message whose context is not known in advance. The second word of the type picks the reader, so an
//! unknown type is named in the error instead of «did not match any variant».

use crate::wire::Wire;
use crate::{Command, Event, Message};

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
        let wire = Wire::read(bytes)?;
        let kind = wire.kind()?;
        match family(&kind) {
            "identity.user" => wire.message(&kind, Event::User),
            "identity.session" => wire.message(&kind, Event::Session),
            "profile.profile" => wire.message(&kind, Event::Profile),
            "storage.shelf" => wire.message(&kind, Event::Shelf),
            "video.video" => wire.message(&kind, Event::Video),
            "video.library" => wire.message(&kind, Event::Library),
            "processing.job" => wire.message(&kind, Event::Job),
            "notification.inbox" => wire.message(&kind, Event::Inbox),
            "notification.template" => wire.message(&kind, Event::Template),
            "notification.contact" => wire.message(&kind, Event::Contact),
            "identity.claim" | "profile.claim" => wire.message(&kind, Event::Claim),
            _ => Err(Unreadable::UnknownType(kind.into_owned())),
        }
    }
}

impl Message<Command> {
    /// Reads any command.
    pub fn command(bytes: &[u8]) -> Result<Self, Unreadable> {
        let wire = Wire::read(bytes)?;
        let kind = wire.kind()?;
        match family(&kind) {
            "identity.user" => wire.message(&kind, Command::User),
            "identity.session" => wire.message(&kind, Command::Session),
            "profile.profile" => wire.message(&kind, Command::Profile),
            "storage.shelf" => wire.message(&kind, Command::Shelf),
            "video.video" => wire.message(&kind, Command::Video),
            "video.library" => wire.message(&kind, Command::Library),
            "processing.job" => wire.message(&kind, Command::Job),
            "notification.inbox" => wire.message(&kind, Command::Inbox),
            "notification.template" => wire.message(&kind, Command::Template),
            "notification.contact" => wire.message(&kind, Command::Contact),
            _ => Err(Unreadable::UnknownType(kind.into_owned())),
        }
    }
}
