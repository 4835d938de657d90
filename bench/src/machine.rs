//! What the machine did besides: on a virtual one, the time that the host gave to others is missing from every figure.

/// Ticks of all processors since the machine began: all of them, and those that were stolen.
#[derive(Clone, Copy, Default)]
pub struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    /// Those until now; none where the system does not tell (`/proc/stat`, proc(5)).
    pub fn now() -> Ticks {
        std::fs::read_to_string("/proc/stat").map(|text| Ticks::read(&text)).unwrap_or_default()
    }

    fn read(text: &str) -> Ticks {
        // user nice system idle iowait irq softirq steal; what follows is counted in user and nice already
        let first = text.lines().next().unwrap_or_default();
        let counts: Vec<u64> = first.split_whitespace().skip(1).take(8).map_while(|word| word.parse().ok()).collect();
        Ticks { all: counts.iter().sum(), stolen: counts.get(7).copied().unwrap_or_default() }
    }

    /// The share of the time since `before` that was stolen, per cent.
    pub fn stolen_since(self, before: Ticks) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        100.0 * self.stolen.saturating_sub(before.stolen) as f64 / all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stolen_share_is_that_of_all_processors() {
        let [before, after] =
            ["cpu  10 0 10 70 0 0 0 10 5 0\ncpu0 1 1", "cpu  20 0 20 110 0 0 0 50 9 0\n"].map(Ticks::read);
        assert!((after.stolen_since(before) - 40.0).abs() < 1e-9);
        assert_eq!(Ticks::read("intr 1").stolen_since(Ticks::default()).to_bits(), 0f64.to_bits());
    }
}
