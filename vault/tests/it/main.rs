//! The vault on a real Postgres and a real nats-server, with the identity context deciding what it says.

mod forget;
mod keys;
mod login;
mod outbox;
mod passwords;
mod register;
mod secrets;
mod sessions;
mod world;
