//! What a rule may know besides the state and the command: values, never capabilities.

use chrono::{DateTime, Utc};
use events::AuthType;
use events::identity::user::Role;
use serde::Deserialize;
use uuid::Uuid;

use crate::Claim;

/// The circumstances of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// The aggregate.
    pub subject: Uuid,
    /// The command's id.
    pub id: Uuid,
    /// When it was asked. The only clock a rule has.
    pub time: DateTime<Utc>,
    /// Who asks.
    pub caller: Caller,
    /// Names that turned out to be someone else's while this command was being decided.
    pub taken: Vec<Claim>,
}

impl Meta {
    /// Whether `name` turned out to be someone else's.
    pub fn is_taken(&self, kind: &str, name: &str) -> bool {
        self.taken.iter().any(|claim| claim.kind == kind && claim.name.0 == name)
    }

    /// Whether the caller may act for `person`: the person, an admin, or Reprise itself.
    pub fn may_act_for(&self, person: Uuid) -> bool {
        matches!(&self.caller, Caller::Person { id, .. } if *id == person) || self.may_administer()
    }

    /// Whether the caller may act for anyone: an admin, or Reprise itself.
    pub fn may_administer(&self) -> bool {
        match &self.caller {
            Caller::System => true,
            Caller::Person { roles, .. } => roles.contains(&Role::Admin),
            Caller::Unknown => false,
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Caller {
    /// Someone who is not signed in.
    Unknown,
    /// Someone who is.
    Person {
        /// The account.
        id: Uuid,
        /// Roles beyond that of every user.
        roles: Vec<Role>,
    },
    /// A reaction, a worker, a timer.
    System,
}

#[derive(Deserialize, Default)]
struct Claims {
    #[serde(default)]
    roles: Vec<Role>,
}

impl Caller {
    /// The principal that a message names. An unreadable claim gives no right.
    pub fn of(authtype: AuthType, authid: Option<Uuid>, authclaims: Option<&str>) -> Self {
        match (authtype, authid) {
            (AuthType::System, _) => Caller::System,
            (AuthType::AppUser, Some(id)) => {
                let claims = authclaims.map(serde_json::from_str::<Claims>);
                Caller::Person { id, roles: claims.and_then(Result::ok).unwrap_or_default().roles }
            }
            _ => Caller::Unknown,
        }
    }

    /// The text that [`Caller::of`] reads roles from; `None` when there are none.
    pub fn claims(roles: &[Role]) -> Option<String> {
        (!roles.is_empty()).then(|| serde_json::json!({ "roles": roles }).to_string())
    }
}
