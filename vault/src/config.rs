//! What a vault is told when it starts. Nothing here has a `Debug` that shows a secret.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use std::time::Duration;

use crate::{MasterKey, Policy, Secret};

/// Where the time comes from; tests give another one.
pub type Clock = fn() -> DateTime<Utc>;

/// What a vault is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Everything is wrapped with it or derived from it.
    pub master: MasterKey,
    /// The one-time secret with which the first admin registers; without one nobody can.
    pub bootstrap: Option<Secret>,
    /// Which passwords are accepted.
    pub policy: Policy,
    /// How much work a guess at a stolen hash costs.
    pub argon: Argon,
    /// How many may wait for a core to hash on; more are told to come back.
    pub hash_queue: usize,
    /// Whether attempts to sign in are slowed down.
    pub throttle: bool,
    /// How long a signing key signs.
    pub signing_period: TimeDelta,
    /// How often keys are rotated and what has expired is removed, if it is time.
    pub housekeeping: Duration,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Config {
    /// The settings that ship.
    pub fn new(master: MasterKey) -> Self {
        Config {
            master,
            bootstrap: None,
            policy: Policy::Strict,
            argon: Argon::default(),
            hash_queue: 256,
            throttle: true,
            signing_period: TimeDelta::days(30),
            housekeeping: Duration::from_secs(60),
            clock: Utc::now,
        }
    }

    /// Now, as exactly as the database keeps it: what is computed before and after storing is then equal.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.clock)().trunc_subsecs(6)
    }
}

/// Parameters of argon2id. The default is OWASP's minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon {
    /// KiB of memory.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Argon {
    fn default() -> Self {
        Argon { memory: 19456, passes: 2, lanes: 1 }
    }
}
