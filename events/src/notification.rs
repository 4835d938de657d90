//! What people hear of: their inbox, and the ways on which it reaches them elsewhere.

pub mod inbox;
mod words;

pub use words::Words;
