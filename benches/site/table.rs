//! Targets and verdicts, as a table in Markdown.

use crate::samples::round;

/// What a number must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Bound {
    /// Whether a number is so.
    pub fn holds(self, number: f64) -> bool {
        match self {
            Bound::AtLeast(least) => number >= least,
            Bound::AtMost(most) => number <= most,
        }
    }

    fn shown(self) -> String {
        match self {
            Bound::AtLeast(least) => format!("≥ {}", round(least)),
            Bound::AtMost(most) => format!("≤ {}", round(most)),
        }
    }
}

/// What is known of a target.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// The number itself is judged.
    Alone(f64),
    /// What is judged is the number's share of another one.
    Compared {
        /// What was measured.
        value: f64,
        /// What it is compared with, for people to read.
        with: String,
        /// The number that it is divided by.
        other: f64,
    },
    /// It takes what did not run.
    NotMeasured,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// What it is about, with its unit.
    pub what: &'static str,
    /// What was found.
    pub finding: Finding,
    /// What is asked for.
    pub bound: Bound,
}

impl Target {
    /// Whether it is reached, where it was measured.
    pub fn reached(&self) -> Option<bool> {
        match self.finding {
            Finding::Alone(value) => Some(self.bound.holds(value)),
            Finding::Compared { value, other, .. } => Some(self.bound.holds(value / other)),
            Finding::NotMeasured => None,
        }
    }

    fn markdown(&self) -> String {
        let (measured, with, ratio) = match &self.finding {
            Finding::Alone(value) => (round(*value), "–".to_string(), "–".to_string()),
            Finding::Compared { value, with, other } => {
                (round(*value), format!("{with}: {}", round(*other)), format!("{:.2}", value / other))
            }
            Finding::NotMeasured => ("not measured".to_string(), "–".to_string(), "–".to_string()),
        };
        let verdict = match self.reached() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        format!("| {} | {measured} | {with} | {ratio} | {} | {verdict} |\n", self.what, self.bound.shown())
    }
}

/// The table.
pub fn markdown(targets: &[Target]) -> String {
    let rows: String = targets.iter().map(Target::markdown).collect();
    format!("| target | measured | compared with | ratio | must be | reached |\n|---|---|---|---|---|---|\n{rows}")
}
