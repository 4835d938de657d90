//! Equal questions at one time are one piece of work: who asks what is being worked on waits for it and is told the
//! same. A hundred repetitions of a registration cost one hash, not a hundred.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::Secret;

/// The password that was found to be right for a credential in this turn; only whoever holds the turn may look.
pub(crate) type Turn = Arc<tokio::sync::Mutex<Option<Secret>>>;

/// Turns that somebody has or waits for.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<Uuid, Turn>>);

impl Turns {
    /// The turn of a credential, shared by all who ask about it now.
    pub fn of(&self, credential: Uuid) -> Turn {
        let mut turns = self.0.lock().expect("never poisoned: nothing panics inside");
        // whoever was cut off while waiting left theirs behind
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry(credential).or_default().clone()
    }

    /// Whether the password was found to be right in this turn.
    pub fn is_right(known: &Option<Secret>, password: &Secret) -> bool {
        known.as_ref().is_some_and(|known| known.expose().as_bytes().ct_eq(password.expose().as_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn those_who_wait_see_what_was_found_and_nobody_after_them() {
        let turns = Turns::default();
        let (first, second) = (turns.of(Uuid::nil()), turns.of(Uuid::nil()));
        *first.lock().await = Some("right".into());
        drop(first);
        assert!(Turns::is_right(&*second.lock().await, &"right".into()));
        assert!(!Turns::is_right(&*second.lock().await, &"wrong".into()));
        drop(second);
        assert!(turns.of(Uuid::nil()).lock().await.is_none());
    }
}
