//! How messages move: streams as data, append and load, the loop, timers, and what must be sealed on the way.
//! The only user of the NATS client. Correct on one server and on three, which answer the same things differently.

mod accepted;
pub mod accounts;
mod append;
mod bus;
mod calls;
mod consume;
pub mod crash;
mod dead;
mod decide;
mod feed;
mod keyring;
mod lane;
mod load;
mod outcome;
pub mod provision;
mod put;
mod react;
mod read;
mod reader;
mod refusal;
mod refusing;
mod request;
mod run;
mod seal;
mod send;
pub mod streams;
mod tasks;
mod timers;
mod wake;

pub use bus::{Bus, Options, SendError, Sync};
pub use feed::{Delivered, Feed, Start};
pub use keyring::{Keyring, Lookup, Moment};
pub use outcome::{Outcome, Pending, Status, Waiting};
pub use provision::drained;
pub use refusing::{forget_refusals, refusing};
pub use request::{Answer, RequestError};
pub use run::run_service;
pub use seal::portable;
pub use send::{Reply, Sent};
pub use tasks::{Held, Tasks};
