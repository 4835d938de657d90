//! A decider with its types hidden: JSON in, JSON out. The runtime knows only this, so it is written once.

use crate::{Claim, Decider, Meta, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A decider with its types hidden.
pub trait Aggregate: Send {
    /// Applies an event: the whole message, or only its `type` and `data`.
    ///
    /// # Errors
    /// The event is none that this aggregate knows.
    fn evolve(&mut self, event: &[u8]) -> serde_json::Result<()>;

    /// Decides a command: the whole message, or only its `type` and `data`.
    ///
    /// # Errors
    /// The command is none that this aggregate knows.
    fn decide(&self, command: &[u8], meta: &Meta) -> serde_json::Result<Decision>;

    /// The state, personal data in the clear: it must be sealed before it leaves the process.
    ///
    /// # Errors
    /// The state has no JSON form; a defect of the state.
    fn snapshot(&self) -> serde_json::Result<Vec<u8>>;

    /// Takes the state from a snapshot.
    ///
    /// # Errors
    /// It is not a snapshot of this state; the events have to be read instead.
    fn restore(&mut self, snapshot: &[u8]) -> serde_json::Result<()>;

    /// [`Decider::LOGIC`].
    fn logic(&self) -> u32;
}

/// What a decider answered.
#[derive(Debug)]
pub enum Decision {
    /// This happens; nothing means "already so".
    Accepted(Vec<Draft>),
    /// It must not be.
    Rejected(Refusal),
}

/// An event that is not yet in the log.
#[derive(Debug)]
pub struct Draft {
    /// `{"type": …, "data": …}`, personal data in the clear.
    pub body: Box<RawValue>,
    /// The unique names it takes or gives back.
    pub claims: Vec<Claim>,
}

/// A rejection on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// A stable word for programs.
    pub code: String,
    /// What kind it is.
    pub kind: Kind,
    /// In words for the person who asked.
    pub detail: String,
}

/// Kinds of refusal, each with its HTTP status at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something in the request is not acceptable: 422.
    Invalid,
    /// Not this caller: 403.
    Forbidden,
    /// Nothing there: 404.
    Missing,
    /// Not as things stand: 409.
    Conflict,
    /// The caller saw another version: 412.
    Stale,
}

impl<D: Decider> Aggregate for D {
    fn evolve(&mut self, event: &[u8]) -> serde_json::Result<()> {
        Decider::evolve(self, &serde_json::from_slice(event)?);
        Ok(())
    }

    fn decide(&self, command: &[u8], meta: &Meta) -> serde_json::Result<Decision> {
        match Decider::decide(self, serde_json::from_slice(command)?, meta) {
            Ok(events) => events
                .iter()
                .map(|event| Ok(Draft { body: serde_json::value::to_raw_value(event)?, claims: self.claims(event) }))
                .collect::<serde_json::Result<_>>()
                .map(Decision::Accepted),
            Err(why) => {
                let (code, kind, detail) = (why.code().to_owned(), why.kind(), why.to_string());
                Ok(Decision::Rejected(Refusal { code, kind, detail }))
            }
        }
    }

    fn snapshot(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }

    fn restore(&mut self, snapshot: &[u8]) -> serde_json::Result<()> {
        *self = serde_json::from_slice(snapshot)?;
        Ok(())
    }

    fn logic(&self) -> u32 {
        D::LOGIC
    }
}
