//! The crate against real servers: one node, and a cluster of three. Every test starts its own.

mod accounts;
mod append;
mod cluster;
mod feeds;
mod kit;
mod loops;
mod provision;
mod questions;
mod sealing;
mod timers;
