//! What was found: one row per figure and condition, as a table for people and as `results.json` for scripts.
//! A row is written as it was measured; whether it is good enough is said beside it and never changes the exit code.

use anyhow::{Context, Result};
use serde::Serialize;
use std::path::Path;

/// One row. The field names are read by scripts.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub figure: String,
    /// The platform's value, in `unit`: a median when there were rounds.
    pub value: f64,
    /// The unit of `value` and `baseline`.
    pub unit: &'static str,
    /// What it was compared with.
    pub against: Option<String>,
    /// The value of that.
    pub baseline: Option<f64>,
    /// `value / baseline`.
    pub ratio: Option<f64>,
    /// Which of the two `must` and `aim` are about.
    pub judged: Judged,
    /// Which direction is good.
    pub better: Better,
    /// What the figure has to reach.
    pub must: f64,
    /// What it is hoped to reach.
    pub aim: f64,
    /// Under which circumstances: fsync mode, connections, rounds and their spread.
    pub conditions: String,
}

/// What `must` and `aim` are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Judged {
    /// The value.
    Value,
    /// The ratio to the baseline.
    Ratio,
}

/// Which direction is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

impl Row {
    /// A row whose value is judged.
    pub fn value(figure: &str, value: f64, unit: &'static str, better: Better, must: f64, aim: f64) -> Self {
        let (figure, judged, conditions) = (figure.to_owned(), Judged::Value, String::new());
        Row { figure, value, unit, against: None, baseline: None, ratio: None, judged, better, must, aim, conditions }
    }

    /// A row whose ratio to `baseline` is judged.
    pub fn ratio(
        figure: &str,
        value: f64,
        unit: &'static str,
        baseline: (&str, f64),
        better: Better,
        bounds: [f64; 2],
    ) -> Self {
        let row = Row::value(figure, value, unit, better, bounds[0], bounds[1]);
        let against = Some(baseline.0.to_owned());
        Row { against, baseline: Some(baseline.1), ratio: Some(value / baseline.1), judged: Judged::Ratio, ..row }
    }

    /// The same row with its circumstances.
    pub fn under(mut self, conditions: impl Into<String>) -> Self {
        self.conditions = conditions.into();
        self
    }

    /// Where it stands: `aim`, `must` or `below`.
    pub fn verdict(&self) -> &'static str {
        let found = if self.judged == Judged::Ratio { self.ratio.unwrap_or(f64::NAN) } else { self.value };
        let reaches = |bound: f64| if self.better == Better::Higher { found >= bound } else { found <= bound };
        if reaches(self.aim) {
            "aim"
        } else if reaches(self.must) {
            "must"
        } else {
            "below"
        }
    }
}

/// The table for people.
pub fn table(rows: &[Row]) -> String {
    let head = ["figure", "value", "unit", "against", "ratio", "must", "aim", "reaches", "conditions"];
    let mut cells = vec![head.map(str::to_owned)];
    cells.extend(rows.iter().map(line));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let pad = |(text, width): (&String, &usize)| format!("{text:<width$}");
    let lines =
        cells.iter().map(|row| row.iter().zip(&widths).map(pad).collect::<Vec<_>>().join("  ").trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn line(row: &Row) -> [String; 9] {
    let against = row.against.as_ref().zip(row.baseline).map(|(name, value)| format!("{name} {}", short(value)));
    let (sign, judged) = if row.better == Better::Higher { ("≥", row.judged) } else { ("≤", row.judged) };
    let unit = if judged == Judged::Ratio { "×" } else { "" };
    [
        row.figure.clone(),
        short(row.value),
        row.unit.to_owned(),
        against.unwrap_or_else(|| "-".into()),
        row.ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}")),
        format!("{sign} {}{unit}", short(row.must)),
        format!("{}{unit}", short(row.aim)),
        row.verdict().to_owned(),
        row.conditions.clone(),
    ]
}

/// Three or four digits are all that a measurement has.
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    }
}

/// Writes the rows for scripts.
pub fn write(rows: &[Row], path: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(rows)?;
    std::fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_fields_that_scripts_read() {
        let row = Row::ratio("f", 30.0, "requests/s", ("baseline", 20.0), Better::Higher, [1.0, 1.7]).under("c");
        let json = serde_json::to_value(&row).expect("JSON");
        let expected = serde_json::json!({
            "figure": "f", "value": 30.0, "unit": "requests/s", "against": "baseline", "baseline": 20.0, "ratio": 1.5,
            "judged": "ratio", "better": "higher", "must": 1.0, "aim": 1.7, "conditions": "c"
        });
        assert_eq!(json, expected);
        assert_eq!(row.verdict(), "must");
    }

    #[test]
    fn less_can_be_better() {
        let verdict = |value| Row::value("f", value, "ms", Better::Lower, 3.0, 1.5).verdict();
        assert_eq!([verdict(1.0), verdict(2.0), verdict(4.0)], ["aim", "must", "below"]);
    }
}
