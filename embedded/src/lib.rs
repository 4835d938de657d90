//! A nats-server and a Postgres of our own, as supervised children: for `reprise up`, and for every test.
//! No child outlives us, however we end: each runs under a guard that stops it when our end of a pipe closes.

mod find;
mod guard;
mod nats;
mod ports;
mod postgres;

pub use find::{Missing, nats_server, postgres_bin, postgres_major, web};
pub use nats::{Cluster, Nats};
pub use ports::{free_port, is_free};
pub use postgres::{Durability, Postgres, Settings};
