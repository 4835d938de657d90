//! The figures, one file each. Each measures, and reports rows with the conditions under which they came about.

pub mod films;
pub mod footprint;
pub mod growth;
pub mod latency;
pub mod mails;
pub mod rebuild;
pub mod registration;
pub mod segments;
pub mod sockets;
pub mod throughput;
pub mod uploads;
