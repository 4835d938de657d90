//! What a vault is told when it starts. Nothing here has a `Debug` that shows a secret.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use std::fmt;
use std::str::FromStr;
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
            hash_queue: 128,
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

/// Parameters of argon2id, written `m=65536,t=3,p=4` as in its hashes. The default is the second recommended option of
/// RFC 9106 section 4, for servers that have other uses for their memory than one hash.
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
        Argon { memory: 65536, passes: 3, lanes: 4 }
    }
}

impl Argon {
    /// KiB that so many passes need at least: OWASP's Password Storage Cheat Sheet.
    fn least_memory(passes: u32) -> u32 {
        match passes {
            0 | 1 => 47104,
            2 => 19456,
            3 => 12288,
            4 => 9216,
            _ => 7168,
        }
    }
}

impl fmt::Display for Argon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={},t={},p={}", self.memory, self.passes, self.lanes)
    }
}

impl FromStr for Argon {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split(',').filter_map(|part| part.trim().split_once('=')).collect();
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("{text:?} is not a number"));
        let [("m", memory), ("t", passes), ("p", lanes)] = parts[..] else {
            return Err("write it as m=65536,t=3,p=4: KiB of memory, passes, lanes".into());
        };
        let argon = Argon { memory: number(memory)?, passes: number(passes)?, lanes: number(lanes)? };
        let (most, least) = (1 << 20, Argon::least_memory(argon.passes));
        if !(1..=64).contains(&argon.lanes) || !(1..=64).contains(&argon.passes) || argon.memory > most {
            return Err(format!("1 to 64 passes and lanes and up to {most} KiB are possible"));
        }
        if argon.memory < least {
            return Err(format!("with t={} at least m={least} is needed (OWASP's minimum)", argon.passes));
        }
        Ok(argon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_they_are_written() {
        let argon = Argon { memory: 19456, passes: 2, lanes: 1 };
        assert_eq!("m=19456,t=2,p=1".parse(), Ok(argon));
        assert_eq!(argon.to_string().parse(), Ok(argon));
        assert_eq!(Argon::default().to_string().parse(), Ok(Argon::default()));
    }

    #[test]
    fn what_is_too_weak_or_impossible_is_refused() {
        for (text, why) in [
            ("m=19455,t=2,p=1", "at least m=19456"),
            ("m=19456,t=1,p=1", "at least m=47104"),
            ("m=65536,t=0,p=1", "1 to 64"),
            ("m=4294967295,t=3,p=1", "up to 1048576 KiB"),
            ("m=65536,t=3", "write it as"),
            ("m=lots,t=3,p=1", "\"lots\" is not a number"),
        ] {
            let refused = text.parse::<Argon>().expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
