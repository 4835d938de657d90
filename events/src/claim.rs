//! Uniqueness: a name that only one holder may have is an event on its own subject, expected to be the first there.
//! The subject is a keyed hash of the name, so the log does not tell which names exist.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A name that at most one aggregate holds: a username, an e-mail address, a handle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// What kind of name: `username`, `email`, `handle`. Names of different kinds never collide.
    pub kind: &'static str,
    /// The name in its normal form: two names that must not both exist have one normal form.
    pub name: Name,
    /// Taken by this event, or given back by it.
    pub hold: bool,
}

/// A claimed name. Its `Debug` does not show it: it may be an e-mail address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(pub String);

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Name(..)")
    }
}

impl Claim {
    /// The name becomes this aggregate's.
    pub fn take(kind: &'static str, name: impl Into<String>) -> Self {
        Claim { kind, name: Name(name.into()), hold: true }
    }

    /// The name becomes free again.
    pub fn release(kind: &'static str, name: impl Into<String>) -> Self {
        Claim { kind, name: Name(name.into()), hold: false }
    }
}

/// What happens to a claimed name. Written by the append, in one batch with the event that claims.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum Event {
    /// The name has a holder.
    #[serde(rename = "identity.claim.taken.v1", alias = "profile.claim.taken.v1")]
    Taken {
        /// What kind of name.
        kind: String,
        /// The aggregate that holds it.
        holder: Uuid,
    },
    /// The name is free again.
    #[serde(rename = "identity.claim.released.v1", alias = "profile.claim.released.v1")]
    Released {
        /// What kind of name.
        kind: String,
        /// The aggregate that held it.
        holder: Uuid,
    },
}
