//! The words of notification: by which texts people are told, and what strangers write.

pub mod contact;
pub mod template;
