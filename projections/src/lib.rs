//! What is remembered: events in, Postgres rows out. One file per read model holds its tables, its writer and its
//! queries. Rows and checkpoint change in one transaction, so replaying is harmless by construction.

pub mod contact_page;
pub mod delivery_page;
pub mod file_page;
mod generation;
pub mod inbox_page;
pub mod job_page;
mod live;
mod log;
mod member;
mod migrate;
pub mod operations;
mod pool;
pub mod profile_page;
mod projection;
mod reads;
mod rebuild;
mod recorded;
mod status;
mod table;
pub mod template_page;
pub mod user_page;
pub mod video_page;
pub mod wishes_page;
mod writer;

pub use live::run;
pub use log::{Batch, Held, Log};
pub use migrate::{RolePasswords, migrate};
pub use pool::{GATEWAY, PROJECTOR, READER, VAULT, pool};
pub use projection::Stream;
pub use reads::Reads;
pub use rebuild::{Rebuilt, rebuild};
pub use recorded::Recorded;
pub use status::{Status, ls};
pub use writer::{Trouble, Writer};
