//! So much at once and no more: what is above is turned away at once, before a queue grows in which everybody waits.

use crate::problem::Problem;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Places for work under way.
#[derive(Clone)]
pub(crate) struct Places {
    pub what: &'static str,
    most: usize,
    taken: Arc<AtomicUsize>,
}

/// One place; free again when dropped.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    pub(crate) fn new(what: &'static str, most: usize) -> Self {
        Places { what, most, taken: Arc::default() }
    }

    /// A place.
    ///
    /// # Errors
    /// 503 with `Retry-After` when all are taken.
    pub(crate) fn take(&self) -> Result<Place, Problem> {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.taken.clone());
        if taken < self.most {
            return Ok(place);
        }
        metrics::counter!("http_shed_total", "what" => self.what).increment(1);
        Err(Problem::unavailable("overloaded", "there is too much to do at the moment, try again shortly", 1))
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_after_the_last_is_refused_and_comes_back() {
        let places = Places::new("test", 2);
        let (first, _second) = (places.take().expect("free"), places.take().expect("free"));
        for _ in 0..3 {
            assert_eq!(places.take().map(drop).expect_err("full").code(), "overloaded");
        }
        drop(first);
        let again = places.take().expect("free again");
        assert_eq!(places.taken(), 2);
        drop(again);
    }
}
