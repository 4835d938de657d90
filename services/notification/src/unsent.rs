//! Why something did not leave by push or as a text message. It never names where it was to go: it ends in logs and
//! dead letters.

use std::time::Duration;

/// Why it did not leave.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// Nothing is to be sent there again: the subscription is over, or the person wants no more messages.
    #[error("nothing is to be sent there any more: {0}")]
    Gone(String),
    /// This will never be accepted, however often it is tried.
    #[error("it can never be sent: {0}")]
    Refused(String),
    /// It may be accepted later.
    #[error("it could not be sent now: {why}")]
    NotNow {
        /// What is in the way.
        why: String,
        /// The other side wants to be left alone for so long.
        after: Option<Duration>,
    },
}

impl Unsent {
    pub(crate) fn not_now(why: impl Into<String>) -> Self {
        Unsent::NotNow { why: why.into(), after: None }
    }
}
