//! Two things measured in turns, A B A B: what the machine does meanwhile hits both alike. The median speaks for a side,
//! the spread says how far to believe it.

use crate::results::short;

/// The values of one side, a value a round.
#[derive(Clone, Default)]
pub struct Rounds(Vec<f64>);

impl Rounds {
    /// Adds a round.
    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle value; 0 when there is none.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => 0.0,
            n if n % 2 == 1 => sorted[n / 2],
            n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        }
    }

    /// The lowest and the highest value.
    pub fn spread(&self) -> String {
        let lowest = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = self.0.iter().copied().fold(0.0, f64::max);
        format!("{}..{}", short(lowest), short(highest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let of = |values: &[f64]| Rounds(values.to_vec()).median();
        assert_eq!([of(&[3.0, 1.0, 2.0]), of(&[4.0, 1.0]), of(&[])], [2.0, 2.5, 0.0]);
    }
}
