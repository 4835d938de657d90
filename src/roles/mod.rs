//! The roles, one file each.

pub mod demo;
pub mod doctor;
pub mod env;
pub mod gateway;
pub mod keys;
pub mod migrate;
pub mod own;
pub mod page;
pub mod probe;
pub mod projection;
pub mod projector;
pub mod provision;
pub mod service;
pub mod up;
pub mod vault;
pub mod worker;
