//! The harness: a whole platform of real processes for each journey, and the eyes of a stranger on its log.
//! Whatever a test starts is stopped and removed when the value is dropped, also when the test panics.

pub mod bytes;
pub mod check;
pub mod cutting;
pub mod filming;
pub mod films;
pub mod fold;
pub mod hls;
pub mod http;
pub mod load;
pub mod log;
pub mod mail_server;
pub mod mails;
#[path = "../../../blobs/tests/it/moto.rs"]
pub mod moto;
pub mod outside;
pub mod person;
pub mod platform;
pub mod process;
pub mod roles;
pub mod scripts;
pub mod sockets;
pub mod stranger;
pub mod system;
pub mod wait;

pub use http::{Answer, Request};
pub use person::Person;
pub use platform::{Platform, Setup};
pub use roles::Roles;
pub use wait::{eventually, patiently};
