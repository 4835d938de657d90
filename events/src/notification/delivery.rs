//! One message on one way out: where it goes, what it says, and what came of an attempt.

use super::inbox::{Category, Channel, What};
use crate::Personal;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why something does not go out on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The person does not want it there.
    SwitchedOff,
    /// There is nowhere to send it.
    NoAddress,
    /// What was sent there before came back.
    Bounced,
    /// The person complained about what was sent there.
    Complained,
    /// Too much waits already.
    TooMany,
}

/// Why something goes out later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deferral {
    /// The person wants to be left alone now.
    QuietHours,
    /// It goes out with others.
    Digest,
}

/// What came of an attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// The provider took it.
    Sent {
        /// What the provider calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_id: Option<String>,
    },
    /// It may work later.
    NotNow {
        /// Why, without anything personal.
        error: String,
        /// The provider wants so many seconds of rest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rest_s: Option<u32>,
    },
    /// It will never work.
    Never {
        /// Why, without anything personal.
        error: String,
    },
    /// There is nobody at this address any more.
    Gone {
        /// Why, without anything personal.
        error: String,
    },
}

/// What a provider says of a delivery later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// It came back.
    Bounced,
    /// The person called it unwanted.
    Complained,
}

/// One message on one channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id, made of what goes out and where: the same for every attempt.
    pub delivery: Uuid,
    /// Where.
    pub channel: Channel,
    /// How much it matters.
    pub category: Category,
    /// Counted from 1; 0 while it waits.
    pub attempt: u32,
    /// The browser or the telephone; where mails go is looked up when one is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Target>,
    /// What it says: one thing, or several in a digest.
    pub items: Vec<Item>,
}

/// Where something is delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A browser.
    Browser(Subscription),
    /// A telephone, E.164.
    Telephone(Personal<String>),
}

/// A thing in a delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The notice.
    pub notice: Uuid,
    /// When the person was told.
    pub at: DateTime<Utc>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// A browser that may be told things, as its Push API gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id, made of the endpoint: the same browser has the same one.
    pub subscription: Uuid,
    /// Where its push service takes messages.
    pub endpoint: Personal<String>,
    /// The browser's public key, base64url.
    pub p256dh: Personal<String>,
    /// The secret that both share, base64url.
    pub auth: Personal<String>,
}
