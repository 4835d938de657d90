//! The vault: passwords, sessions and the keys of persons; what must never be in the log. Asked over NATS request-reply.
//! Nothing of it reaches a stream, a log line or a metric; the log gets audit commands without secrets.

pub mod api;
mod client;
mod names;
mod policy;
mod secret;

pub use client::{Client, Unanswered};
pub use policy::{Policy, Weakness};
pub use secret::Secret;
