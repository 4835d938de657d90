//! The theory, all of it: a decider turns commands into events, a reaction turns events into commands, a worker does
//! slow things and answers with commands. Nothing here knows a clock, a database or a network.

mod aggregate;
mod meta;
pub mod testing;

pub use aggregate::{Aggregate, Decision, Draft, Kind, Refusal};
pub use events::claim::Claim;
pub use meta::{Caller, Meta};

use chrono::{DateTime, Utc};
use events::{Command, Event, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

/// A consistency boundary: the value is the state, the two functions are the rules.
pub trait Decider: Default + Serialize + DeserializeOwned + Send + 'static {
    /// Counts up whenever `evolve` or the state changes meaning: snapshots of another logic are then ignored.
    const LOGIC: u32;
    /// What can be asked.
    type Command: DeserializeOwned;
    /// What can happen.
    type Event: Serialize + DeserializeOwned;
    /// What can be in the way.
    type Rejection: Rejection;

    /// What happens because of `command`. An empty answer means "already so".
    ///
    /// # Errors
    /// The rejection, in words for the person who asked.
    fn decide(&self, command: Self::Command, meta: &Meta) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// What `event` changes. Never fails, never judges.
    fn evolve(&mut self, event: &Self::Event);

    /// The unique names that `event`, decided on this state, takes or gives back.
    fn claims(&self, _event: &Self::Event) -> Vec<Claim> {
        vec![]
    }
}

/// Why a command is refused: a state of the world, in words for the person who asked.
pub trait Rejection: std::fmt::Display {
    /// A stable word for programs: `username_taken`.
    fn code(&self) -> &'static str;
    /// What kind of refusal it is.
    fn kind(&self) -> Kind;
}

/// What a reaction or worker asks for: a command, and the aggregate it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The aggregate.
    pub subject: Uuid,
    /// The command.
    pub command: Command,
    /// When to ask, if not at once: a timer. Only a context's own aggregates can be asked so.
    pub due: Option<DateTime<Utc>>,
}

impl Ask {
    /// Asks at this time, or at once when it is past.
    #[must_use]
    pub fn at(self, due: DateTime<Utc>) -> Self {
        Ask { due: Some(due), ..self }
    }
}

/// Asks `command` of the aggregate `subject`.
pub fn ask(subject: Uuid, command: impl Into<Command>) -> Ask {
    Ask { subject, command: command.into(), due: None }
}

/// Whenever this event happens, ask for that. Pure, so redelivery is harmless: the n-th command of a reaction to one
/// event has always the same id.
pub type Reaction = fn(&Message<Event>) -> Vec<Ask>;

/// What came of a worker's effort.
pub type Done = Result<Vec<Ask>, Fault>;

/// Does slow things in the outside world when an event happens. Idempotent by the event's id.
pub type Worker = Arc<dyn Fn(Message<Event>) -> Pin<Box<dyn Future<Output = Done> + Send>> + Send + Sync>;

/// Why a message could not be handled.
#[derive(Debug)]
pub enum Fault {
    /// It may work later: the message comes again.
    Retry(anyhow::Error),
    /// It will never work: the message goes to `DEAD`, with this reason.
    Reject(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Fault::Retry(error.into())
    }
}

/// Makes an aggregate as it is before its first event.
pub type Blank = fn() -> Box<dyn Aggregate>;

/// Everything one context contributes. Reading `service()` of a context is reading its table of contents.
pub struct Service {
    /// The context: second word of its subjects, first of its types.
    pub name: &'static str,
    /// Its aggregates by name: third word of the subject.
    pub aggregates: Vec<(&'static str, Blank)>,
    /// Its reactions by name. The name is part of the ids of what they ask: never rename one.
    pub reactions: Vec<(&'static str, Reaction)>,
    /// Its workers by name.
    pub workers: Vec<(&'static str, Worker)>,
}

impl Service {
    /// A context that does nothing yet.
    pub fn new(name: &'static str) -> Self {
        Service { name, aggregates: vec![], reactions: vec![], workers: vec![] }
    }

    /// Commands to `cmd.<context>.<aggregate>.*` are decided by `D`.
    pub fn decides<D: Decider>(mut self, aggregate: &'static str) -> Self {
        self.aggregates.push((aggregate, || Box::new(D::default())));
        self
    }

    /// Events are followed by commands.
    pub fn reacts(mut self, name: &'static str, reaction: Reaction) -> Self {
        self.reactions.push((name, reaction));
        self
    }

    /// Events are followed by slow work.
    pub fn works(mut self, name: &'static str, worker: Worker) -> Self {
        self.workers.push((name, worker));
        self
    }
}
