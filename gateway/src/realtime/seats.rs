//! How many sockets there may be: in all, and from one household. A seat is taken before anything else is known of a
//! client, and is free again when nothing of its connection is left.

use crate::limits::network;
use crate::problem::Problem;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// From one household, where callers are limited at all.
const HOUSEHOLD: usize = 500;

/// All seats.
#[derive(Clone)]
pub(super) struct Seats {
    most: usize,
    limited: bool,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    households: HashMap<u128, usize>,
}

/// One seat; free again when dropped.
pub(super) struct Seat {
    household: u128,
    taken: Arc<Mutex<Taken>>,
}

impl Seats {
    pub(super) fn new(most: usize, limited: bool) -> Self {
        Seats { most, limited, taken: Arc::default() }
    }

    /// A seat.
    ///
    /// # Errors
    /// 503 when all are taken, 429 when this household has as many as one may.
    pub(super) fn take(&self, address: IpAddr) -> Result<Seat, Problem> {
        let household = network(address);
        let mut taken = self.taken.lock().expect("never poisoned: nothing panics inside");
        if taken.all >= self.most {
            metrics::counter!("http_shed_total", "what" => "sockets").increment(1);
            return Err(Problem::unavailable(
                "overloaded",
                "there are too many sockets at the moment, try again later",
                30,
            ));
        }
        let others = taken.households.get(&household).copied().unwrap_or_default();
        if self.limited && others >= HOUSEHOLD {
            return Err(Problem::too_many("sockets", 30));
        }
        taken.households.insert(household, others + 1);
        taken.all += 1;
        Ok(Seat { household, taken: self.taken.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().expect("never poisoned: nothing panics inside");
        taken.all -= 1;
        if let Some(others) = taken.households.get_mut(&self.household) {
            *others -= 1;
            if *others == 0 {
                taken.households.remove(&self.household);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    #[test]
    fn a_household_does_not_take_everything() {
        let seats = Seats::new(HOUSEHOLD + 2, true);
        let mut held: Vec<_> = (0..HOUSEHOLD).map(|_| seats.take(ip(1)).expect("free")).collect();
        assert_eq!(seats.take(ip(1)).map(drop).expect_err("enough").code(), "rate_limited");
        held.extend([seats.take(ip(2)).expect("free"), seats.take(ip(3)).expect("free")]);
        assert_eq!(seats.take(ip(4)).map(drop).expect_err("full").code(), "overloaded");
        held.remove(0);
        held.push(seats.take(ip(1)).expect("free again"));
        drop(held);
        let taken = seats.taken.lock().expect("not poisoned");
        assert_eq!((taken.all, taken.households.len()), (0, 0), "nothing is remembered of who left");
    }

    #[test]
    fn where_nobody_is_limited_only_the_whole_is() {
        let seats = Seats::new(HOUSEHOLD + 1, false);
        let held: Vec<_> = (0..=HOUSEHOLD).map(|_| seats.take(ip(1)).expect("free")).collect();
        assert_eq!(seats.take(ip(1)).map(drop).expect_err("full").code(), "overloaded");
        drop(held);
    }
}
