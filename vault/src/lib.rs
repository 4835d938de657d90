//! The vault: passwords, sessions and the keys of persons; what must never be in the log. Asked over NATS request-reply.
//! Nothing of it reaches a stream, a log line or a metric; the log gets audit commands without secrets.

pub mod api;
mod client;
mod config;
mod credentials;
mod crypto;
mod follow;
mod hash;
mod mail;
mod names;
mod outbox;
pub mod permission;
mod persons;
mod policy;
mod push;
mod run;
mod schema;
mod secret;
mod server;
mod sessions;
mod signing;
mod throttle;
mod tokens;
mod turns;
mod unsubscribing;
mod vault;

pub use client::{Client, Unanswered};
pub use config::{Argon, Clock, Config};
pub use crypto::MasterKey;
pub use names::normal;
pub use persons::{keyring, wrapping};
pub use policy::{Policy, Weakness};
pub use run::run;
pub use schema::migrate;
pub use secret::Secret;
