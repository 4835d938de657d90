//! The one binary: roles as subcommands. Here things are only put together; what they are is in the other crates.

pub mod cli;
pub mod connect;
pub mod data;
#[cfg(test)]
mod deployment;
pub mod observe;
pub mod orphans;
pub mod roles;
pub mod supervise;
