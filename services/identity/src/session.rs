//! A session as the log knows it: it starts once and ends once. The vault decides; this keeps the record straight.

use events::identity::session::{Command, EndReason, Event};
use kernel::{Caller, Decider, Kind, Meta};
use serde::{Deserialize, Serialize};

/// Where a session stands.
#[derive(Default, Serialize, Deserialize)]
pub enum Session {
    /// Not heard of.
    #[default]
    Unknown,
    /// Going on.
    Open,
    /// Over.
    Over,
}

/// What can be in the way.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejection {
    #[error("only the vault speaks for sessions")]
    NotVault,
}

impl kernel::Rejection for Rejection {
    fn code(&self) -> &'static str {
        "vault_only"
    }

    fn kind(&self) -> Kind {
        Kind::Forbidden
    }
}

impl Decider for Session {
    const LOGIC: u32 = 1;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command, meta: &Meta) -> Result<Vec<Event>, Rejection> {
        if meta.caller != Caller::System {
            return Err(Rejection::NotVault);
        }
        Ok(match (self, command) {
            (Session::Unknown, Command::Start { user, method, agent, network }) => {
                vec![Event::Started { user, method, agent, network }]
            }
            (_, Command::Start { .. }) | (Session::Over, Command::End { .. }) => vec![],
            // an end may overtake its start; the fact counts, the start is then old news
            (_, Command::End { user, reason }) => vec![Event::Ended { user, reason }],
            (Session::Over, Command::ReportReuse { user }) => vec![Event::ReuseDetected { user }],
            (_, Command::ReportReuse { user }) => {
                vec![Event::ReuseDetected { user }, Event::Ended { user, reason: EndReason::ReuseDetected }]
            }
        })
    }

    fn evolve(&mut self, event: &Event) {
        *self = match (&*self, event) {
            (_, Event::Ended { .. }) | (Session::Over, _) => Session::Over,
            (Session::Unknown | Session::Open, Event::Started { .. }) | (Session::Open, _) => Session::Open,
            (Session::Unknown, Event::ReuseDetected { .. }) => Session::Unknown,
        }
    }
}
