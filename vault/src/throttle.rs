//! Guessing is slowed, people are not locked out: attempts are counted for an account *and* the network they come from,
//! so a stranger's guesses never use up the attempts of somebody at another address. In memory, bounded.

use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use std::sync::{Arc, Mutex};

/// A keyed hash that stands for an account name, known or not.
pub(crate) type Name = [u8; 32];

/// How many attempts at once, and how many a second after that.
#[derive(Clone, Copy)]
pub(crate) struct Rate {
    burst: f64,
    per_second: f64,
}

/// From one network at one account: a family behind one address never notices.
const NETWORK: Rate = Rate { burst: 30.0, per_second: 0.5 };
/// From everywhere at one account: more than that is an attack by many machines.
const ACCOUNT: Rate = Rate { burst: 1800.0, per_second: 5.0 };
/// From one network at an account under such an attack: still enough for whoever knows the password.
const SIEGE: Rate = Rate { burst: 5.0, per_second: 0.05 };
/// Mails to one account.
const MAILS: Rate = Rate { burst: 3.0, per_second: 1.0 / 600.0 };
/// Failures of one account that are worth a line in the log; the log is kept for ever.
const FAILURES: Rate = Rate { burst: 20.0, per_second: 1.0 / 60.0 };

/// Buckets are kept for this many pairs of account and network; the least used go first.
const KEPT: usize = 100_000;

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: DateTime<Utc>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Of {
    Network(Name, String),
    Siege(Name, String),
    Account(Name),
    Mails(Name),
    Failures(Name),
}

/// Counts attempts.
pub(crate) struct Throttle {
    buckets: Cache<Of, Arc<Mutex<Bucket>>>,
    on: bool,
}

impl Throttle {
    pub fn new(on: bool) -> Self {
        Throttle { buckets: Cache::new(KEPT), on }
    }

    /// Takes one attempt to sign in.
    ///
    /// # Errors
    /// Seconds after which there is one again.
    pub fn attempt(&self, name: Name, network: &str, now: DateTime<Utc>) -> Result<(), u32> {
        let besieged = self.take(Of::Account(name), ACCOUNT, now).is_err();
        if besieged {
            self.take(Of::Siege(name, network.to_owned()), SIEGE, now)?;
        }
        self.take(Of::Network(name, network.to_owned()), NETWORK, now)
    }

    /// Gives it back: the attempt was good.
    pub fn refund(&self, name: Name, network: &str, now: DateTime<Utc>) {
        self.give(Of::Account(name), ACCOUNT, now);
        self.give(Of::Siege(name, network.to_owned()), SIEGE, now);
        self.give(Of::Network(name, network.to_owned()), NETWORK, now);
    }

    /// Whether one more mail to this account is due.
    pub fn may_mail(&self, name: Name, now: DateTime<Utc>) -> bool {
        self.take(Of::Mails(name), MAILS, now).is_ok()
    }

    /// Whether one more failure of this account is worth recording.
    pub fn may_record(&self, name: Name, now: DateTime<Utc>) -> bool {
        self.take(Of::Failures(name), FAILURES, now).is_ok()
    }

    fn take(&self, of: Of, rate: Rate, now: DateTime<Utc>) -> Result<(), u32> {
        if !self.on {
            return Ok(());
        }
        let full = || Ok::<_, ()>(Arc::new(Mutex::new(Bucket { tokens: rate.burst, at: now })));
        let bucket = self.buckets.get_or_insert_with(&of, full).expect("a new bucket is always possible");
        let mut bucket = bucket.lock().expect("no panic while locked");
        bucket.refill(rate, now);
        if bucket.tokens < 1.0 {
            return Err(((1.0 - bucket.tokens) / rate.per_second).ceil() as u32);
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn give(&self, of: Of, rate: Rate, now: DateTime<Utc>) {
        if let Some(bucket) = self.buckets.get(&of) {
            let mut bucket = bucket.lock().expect("no panic while locked");
            bucket.refill(rate, now);
            bucket.tokens = (bucket.tokens + 1.0).min(rate.burst);
        }
    }
}

impl Bucket {
    fn refill(&mut self, rate: Rate, now: DateTime<Utc>) {
        let passed = (now - self.at).as_seconds_f64().max(0.0);
        self.tokens = (self.tokens + passed * rate.per_second).min(rate.burst);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    const ADA: Name = [1; 32];
    const BOB: Name = [2; 32];

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a time in range")
    }

    fn exhaust(throttle: &Throttle, name: Name, network: &str) -> u32 {
        (0..10_000).find_map(|_| throttle.attempt(name, network, now()).err()).expect("it ends")
    }

    #[test]
    fn guesses_from_one_network_are_slowed_and_other_networks_are_not() {
        let throttle = Throttle::new(true);
        assert_eq!(exhaust(&throttle, ADA, "192.0.2.0/24"), 2);
        assert_eq!(throttle.attempt(ADA, "198.51.100.0/24", now()), Ok(()));
        assert_eq!(throttle.attempt(BOB, "192.0.2.0/24", now()), Ok(()));
        assert_eq!(throttle.attempt(ADA, "192.0.2.0/24", now() + TimeDelta::seconds(2)), Ok(()));
    }

    #[test]
    fn an_attack_from_everywhere_locks_nobody_out() {
        let throttle = Throttle::new(true);
        for n in 0..3000 {
            throttle
                .attempt(ADA, &format!("10.{}.{}.0/24", n / 256, n % 256), now())
                .expect("each is the first of its network");
        }
        // from now on a network has few attempts at this account, but every network has them
        let of_one = (0..100).take_while(|_| throttle.attempt(ADA, "192.0.2.0/24", now()).is_ok()).count();
        assert_eq!(of_one, 5);
        assert_eq!(throttle.attempt(ADA, "198.51.100.0/24", now()), Ok(()));
    }

    #[test]
    fn good_attempts_do_not_count() {
        let throttle = Throttle::new(true);
        for _ in 0..1000 {
            throttle.attempt(ADA, "192.0.2.0/24", now()).expect("given back each time");
            throttle.refund(ADA, "192.0.2.0/24", now());
        }
    }

    #[test]
    fn mails_are_few() {
        let throttle = Throttle::new(true);
        assert_eq!((0..10).filter(|_| throttle.may_mail(ADA, now())).count(), 3);
        assert!(throttle.may_mail(ADA, now() + TimeDelta::minutes(10)));
    }

    #[test]
    fn it_can_be_switched_off() {
        let throttle = Throttle::new(false);
        assert!((0..5000).all(|_| throttle.attempt(ADA, "", now()).is_ok()));
    }
}
