//! Latencies in buckets that grow with the value: 64 to each power of two, so a percentile is right within 1.6 %.

use std::time::Duration;

/// Buckets within one power of two, as a power of two.
const FINE: u32 = 6;

/// How often each latency was seen.
#[derive(Clone)]
pub struct Histogram {
    buckets: Vec<u32>,
    count: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { buckets: vec![0; index(u64::MAX) + 1], count: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[index(nanos)] += 1;
        self.count += 1;
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Histogram) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(mine, theirs)| *mine += theirs);
        self.count += other.count;
    }

    /// How many latencies were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The latency that the share `p` (0 to 1) of all stays within, in milliseconds; 0 when there are none.
    pub fn millis(&self, p: f64) -> f64 {
        let wanted = ((self.count as f64 * p).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return middle(index) / 1e6;
            }
        }
        0.0
    }
}

/// The bucket of a value: itself while small, then the exponent with the six bits after the leading one.
fn index(nanos: u64) -> usize {
    if nanos < (1 << FINE) {
        return nanos as usize;
    }
    let exponent = 63 - nanos.leading_zeros();
    let fraction = (nanos >> (exponent - FINE)) & ((1 << FINE) - 1);
    (((exponent - FINE + 1) << FINE) as u64 + fraction) as usize
}

/// The middle of a bucket, in nanoseconds.
fn middle(index: usize) -> f64 {
    let (group, fraction) = (index >> FINE, index & ((1 << FINE) - 1));
    if group == 0 {
        return fraction as f64;
    }
    let width = 2f64.powi(group as i32 - 1);
    ((1 << FINE) + fraction) as f64 * width + width / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_right_within_two_percent() {
        let mut all = Histogram::default();
        (1..=1000).for_each(|ms| all.record(Duration::from_millis(ms)));
        for (p, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            assert!((all.millis(p) / expected - 1.0).abs() < 0.02, "p{p}: {}", all.millis(p));
        }
    }

    #[test]
    fn every_value_has_a_bucket() {
        for nanos in [0, 63, 64, 65, 1 << 40, u64::MAX] {
            let middle = middle(index(nanos));
            assert!((middle - nanos as f64).abs() <= nanos as f64 * 0.02 + 1.0, "{nanos} is not {middle}");
        }
    }

    #[test]
    fn nothing_counted_is_zero() {
        assert_eq!(Histogram::default().millis(0.5), 0.0);
    }
}
