//! Whether the log takes what this process writes, for readiness and for whoever looks after the server: one whose disk
//! was full goes on refusing after there is room again, until it is started anew.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::put::Put;

/// What nobody tried for so long nobody knows.
const LATELY: Duration = Duration::from_secs(15);

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
/// Milliseconds since `BEGAN` of the first failure without a success since, and of the last; 0 = none.
static FIRST: AtomicU64 = AtomicU64::new(0);
static LAST: AtomicU64 = AtomicU64::new(0);

/// How long everything this process wrote has been refused or left without an answer; `None` when the last that was
/// written was taken, or nothing was written lately.
pub fn refusing() -> Option<Duration> {
    let (first, last) = (FIRST.load(Ordering::Relaxed), LAST.load(Ordering::Relaxed));
    let now = elapsed();
    (first > 0 && now.saturating_sub(last) < LATELY.as_millis() as u64)
        .then(|| Duration::from_millis(now.saturating_sub(first)))
}

/// Takes note that the server was started anew: what was before does not count.
pub fn forget_refusals() {
    FIRST.store(0, Ordering::Relaxed);
}

pub(crate) fn note(put: &Put) {
    match put {
        Put::Stored { .. } | Put::Conflict | Put::InProcess => forget_refusals(),
        Put::Full | Put::Unclear(_) => {
            let now = elapsed();
            LAST.store(now, Ordering::Relaxed);
            // only the first failure after a success says since when
            let _ = FIRST.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        }
        // this one message is at fault, not the log
        Put::Refused(_) => {}
    }
}

fn elapsed() -> u64 {
    u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_ends_it() {
        note(&Put::Unclear("no answer".into()));
        assert!(refusing().is_some());
        note(&Put::Refused("too large".into()));
        assert!(refusing().is_some());
        note(&Put::Stored { sequence: 1, duplicate: false });
        assert!(refusing().is_none());
        note(&Put::Full);
        forget_refusals();
        assert!(refusing().is_none());
    }
}
