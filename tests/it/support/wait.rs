//! Waiting for something to become so, never for a length of time.

use std::time::{Duration, Instant};

/// How long the ordinary things of this system may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again until there is an answer; panics with `what` when there is none in half a minute.
pub async fn eventually<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    patiently(what, PATIENCE, ask).await
}

/// [`eventually`] with a patience of its own.
pub async fn patiently<T>(what: &str, patience: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < patience, "waited {:?} in vain until {what}", start.elapsed());
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(Duration::from_millis(200));
    }
}
