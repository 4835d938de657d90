//! What people hear of: their inbox, the ways on which it reaches them elsewhere, by which texts; and what strangers write.

pub mod contact;
mod delivery;
pub mod inbox;
pub mod template;
mod words;

pub use words::Words;
