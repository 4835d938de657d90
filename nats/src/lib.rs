//! How messages move: streams as data, append and load, the loop, timers, and what must be sealed on the way.
//! The only user of the NATS client. Correct on one server and on three, which answer the same things differently.

mod bus;
mod calls;
pub mod crash;
mod feed;
mod keyring;
mod lane;
mod outcome;
mod put;
mod read;
mod seal;
mod send;
pub mod streams;
mod wake;

pub use bus::{Answer, Bus, Options, RequestError, SendError, Sync};
pub use feed::{Delivered, Feed, Start};
pub use keyring::{Keyring, Lookup};
pub use outcome::{Outcome, Pending, Status, Waiting};
pub use seal::portable;
pub use send::{Reply, Sent};
