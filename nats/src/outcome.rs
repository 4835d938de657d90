//! What came of a command. Stored once per command id in `OUTCOMES` and never changed after it was told. A message there
//! is one outcome under its command's id, or a list of accepted ones under the id of the first.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The command.
    pub id: Uuid,
    /// Its type: `profile.profile.update.v1`.
    pub kind: String,
    /// The aggregate it was for.
    pub subject: Uuid,
    /// Accepted or rejected.
    pub status: Status,
    /// The aggregate's version after it.
    pub version: u64,
    /// The sequence in `EVENTS` of the aggregate's last event.
    pub position: u64,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<kernel::Refusal>,
    /// The command's keyed hash of what was asked, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authid: Option<Uuid>,
    /// When it was decided, UTC.
    pub time: DateTime<Utc>,
}

/// Accepted or rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It happened, or was already so.
    Accepted,
    /// It did not happen and will not.
    Rejected,
}

/// A command that was taken and is not decided yet: stored at `out.<id>.pending` before a client hears `202`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// The command.
    pub id: Uuid,
    /// Its type.
    pub kind: String,
    /// The aggregate it is for.
    pub subject: Uuid,
    /// Always `pending`.
    pub status: Waiting,
    /// The command's keyed hash of what was asked, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authid: Option<Uuid>,
    /// When it was asked, UTC.
    pub time: DateTime<Utc>,
}

/// The status of what is not decided yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Waiting {
    /// Not decided yet.
    #[default]
    Pending,
}

/// The message for outcomes that are stored together.
pub(crate) fn together(outcomes: &[Outcome]) -> Vec<u8> {
    let json = match outcomes {
        [one] => serde_json::to_vec(one),
        several => serde_json::to_vec(several),
    };
    json.expect("an outcome has text keys")
}

/// The outcome of a command in the message that is stored for it.
pub(crate) fn of(command: Uuid, message: &[u8]) -> Result<Option<Outcome>> {
    if !message.starts_with(b"[") {
        return Ok(Some(serde_json::from_slice(message)?));
    }
    let several: Vec<Outcome> = serde_json::from_slice(message)?;
    Ok(several.into_iter().find(|outcome| outcome.id == command))
}

/// Where the outcome of a command is stored.
pub(crate) fn subject(command: Uuid) -> String {
    format!("out.{command}")
}

/// Where it is stored that a command was taken.
pub(crate) fn pending_subject(command: Uuid) -> String {
    format!("out.{command}.pending")
}
