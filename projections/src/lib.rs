//! What is remembered: events in, Postgres rows out. One file per read model holds its tables, its writer and its
//! queries. Rows and checkpoint change in one transaction, so replaying is harmless by construction.

pub mod operations;
mod pool;
pub mod profile_page;
mod reads;
pub mod user_page;

pub use pool::{GATEWAY, PROJECTOR, READER, VAULT, pool};
pub use reads::Reads;
