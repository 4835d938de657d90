//! Videos that become ready at an even pace. The events are put into the log as the service would put them there; all that
//! follows is the platform's own doing, and how long that takes is what is measured.

use anyhow::{Context, Result};
use events::{Event, Personal, video};
use nats::Bus;
use std::ops::Range;
use std::time::{Duration, Instant};
use tokio::time::sleep_until;
use uuid::Uuid;

use crate::fill;

/// Events a second.
pub const PACE: u64 = 100;
/// People whose videos they are, in turn.
pub const OWNERS: usize = 100;
/// What the title of a video begins with; its number follows.
pub const MARK: &str = "bench-";

/// So many videos, one after the other.
pub struct Ready {
    begin: Instant,
    numbers: Range<u64>,
}

impl Ready {
    /// These, from now on.
    pub fn from_now(numbers: Range<u64>) -> Self {
        Ready { begin: Instant::now(), numbers }
    }

    /// How long ago the event of this video was due. A late message delays no other: each has its time, whether or not what
    /// follows from the one before has arrived.
    ///
    /// # Errors
    /// It is none of these.
    pub fn since(&self, n: u64, at: Instant) -> Result<Duration> {
        let known = self.numbers.contains(&n).then(|| self.due(n));
        Ok(at.saturating_duration_since(known.with_context(|| format!("video {n} is none of {:?}", self.numbers))?))
    }

    fn due(&self, n: u64) -> Instant {
        self.begin + Duration::from_secs(n - self.numbers.start + 1) / PACE as u32
    }

    /// Lets it happen. The number is in the title, and is the version.
    ///
    /// # Errors
    /// The titles cannot be sealed.
    pub async fn happen(&self, service: &Bus, owners: &[Uuid]) -> Result<()> {
        for n in self.numbers.clone() {
            sleep_until(self.due(n).into()).await;
            let owner = owners[n as usize % owners.len()];
            let title = Personal::about(owner, format!("{MARK}{n}"));
            let ready = video::Event::Ready { owner, version: u32::try_from(n)?, title, duration_ms: 60_000 };
            let (subject, event) = fill::sealed(service.keyring(), Uuid::now_v7(), 1, Event::Video(ready)).await?;
            service.say(&subject, event);
        }
        Ok(())
    }
}

/// The number in a text that has the title somewhere.
pub fn number(text: &str) -> Option<u64> {
    let digits = text.split(MARK).nth(1)?;
    digits[..digits.find(|c: char| !c.is_ascii_digit())?].parse().ok()
}
