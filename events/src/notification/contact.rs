//! The contact form: what somebody wrote who need not have an account. All of it is personal, sealed with a key that the
//! message itself holds: erasing the message destroys it.

use crate::Personal;
use serde::{Deserialize, Serialize};

/// So many characters a name may have.
pub const NAME: usize = 100;
/// So many characters a subject may have.
pub const SUBJECT: usize = 200;
/// So many characters a message may have.
pub const MESSAGE: usize = 5000;

/// What can be asked of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Command {
    /// Takes what somebody wrote.
    #[serde(rename = "notification.contact.receive.v1")]
    Receive(Letter),
    /// Notes that it was answered, wherever; admins ask.
    #[serde(rename = "notification.contact.answer.v1")]
    Answer {},
    /// Forgets it, with the key; admins ask.
    #[serde(rename = "notification.contact.erase.v1")]
    Erase {},
}

/// What happened to a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// Somebody wrote.
    #[serde(rename = "notification.contact.received.v1")]
    Received(Letter),
    /// It was answered.
    #[serde(rename = "notification.contact.answered.v1")]
    Answered {},
    /// It is forgotten.
    #[serde(rename = "notification.contact.erased.v1")]
    Erased {},
}

/// What somebody wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// What they call themselves, [`NAME`] characters at most.
    pub name: Personal<String>,
    /// Where they hope for an answer.
    pub email: Personal<String>,
    /// What it is about, [`SUBJECT`] characters at most.
    pub subject: Personal<String>,
    /// The rest, [`MESSAGE`] characters at most.
    pub message: Personal<String>,
}
