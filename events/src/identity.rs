//! Identity: who may come in. Passwords, hashes and tokens are never said here; they are the vault's.

pub mod session;
pub mod user;
