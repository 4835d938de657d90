//! Places where a test ends the process on purpose, as `kill -9` would. Without the feature `crash-points` they are nothing.

/// Ends the process here when `REPRISE_CRASH_AT` is this name, or `name:n` and it is the n-th time.
#[cfg(feature = "crash-points")]
pub fn point(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static PASSES: AtomicU64 = AtomicU64::new(0);
    static WHERE: std::sync::LazyLock<Option<(String, u64)>> = std::sync::LazyLock::new(|| {
        let wish = std::env::var("REPRISE_CRASH_AT").ok()?;
        Some(match wish.rsplit_once(':') {
            Some((name, n)) => (name.to_owned(), n.parse().ok()?),
            None => (wish, 1),
        })
    });
    if let Some((place, n)) = &*WHERE
        && place == name
        && PASSES.fetch_add(1, Ordering::SeqCst) + 1 == *n
    {
        std::process::abort();
    }
}

/// Nothing: this build has no crash points.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn point(_name: &str) {}
