//! Two sites' numbers, pair by pair, and their ratios as speed: above 1 the new site is faster.

use crate::samples::{Samples, round};

/// Pairs from which on a median says something.
pub const PAIRS: u32 = 9;

/// One of the two sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that is compared with.
    Old,
    /// The one that was built last.
    New,
}

/// Both, in the order in which a pair runs them: machines drift, so each goes first in turn.
pub fn order(pair: u32) -> [Side; 2] {
    if pair.is_multiple_of(2) { [Side::Old, Side::New] } else { [Side::New, Side::Old] }
}

/// What is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    what: String,
    better: Better,
    /// What the ratio must be.
    least: f64,
}

/// Which of two numbers is the better one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Better {
    More,
    Less,
}

impl Measure {
    /// Of which more is better; decoding, which is held to be as fast as before more strictly than the rest.
    pub fn rate(what: String) -> Self {
        Measure { what, better: Better::More, least: 0.98 }
    }

    /// Of which less is better: times and sizes.
    pub fn cost(what: String) -> Self {
        Measure { what, better: Better::Less, least: 0.97 }
    }

    /// How many times faster the new one is.
    fn ratio(&self, old: f64, new: f64) -> Option<f64> {
        let ratio = match self.better {
            Better::More => new / old,
            Better::Less => old / new,
        };
        (old > 0.0 && new > 0.0).then_some(ratio)
    }
}

/// All that was measured of both sites, in the order in which it came.
#[derive(Clone, Debug, Default)]
pub struct Pairs(Vec<Row>);

#[derive(Clone, Debug)]
struct Row {
    measure: Measure,
    /// By number: what was measured in it of the old site, and of the new one.
    pairs: Vec<[Samples; 2]>,
}

impl Pairs {
    /// Notes down a number of one side; of several in one pair the median counts.
    pub fn add(&mut self, measure: &Measure, pair: u32, side: Side, value: f64) {
        let index = self.0.iter().position(|row| row.measure == *measure).unwrap_or(self.0.len());
        if index == self.0.len() {
            self.0.push(Row { measure: measure.clone(), pairs: Vec::new() });
        }
        let pairs = &mut self.0[index].pairs;
        let pair = pair as usize;
        pairs.resize_with(pairs.len().max(pair + 1), Default::default);
        pairs[pair][side as usize].push(value);
    }

    /// The ratios of all measures, as a table.
    pub fn markdown(&self) -> String {
        let rows: String = self.0.iter().map(Row::markdown).collect();
        format!(
            "| measure | old | new | new / old, as speed | lowest … highest | pairs | must be | reached |\n\
             |---|---|---|---|---|---|---|---|\n{rows}"
        )
    }
}

impl Row {
    /// The median of the pairs' medians.
    fn of(&self, side: Side) -> Samples {
        self.pairs.iter().filter_map(|pair| pair[side as usize].median()).collect()
    }

    /// Of the pairs in which both sides were measured.
    fn ratios(&self) -> Samples {
        let ratio = |[old, new]: &[Samples; 2]| self.measure.ratio(old.median()?, new.median()?);
        self.pairs.iter().filter_map(ratio).collect()
    }

    fn markdown(&self) -> String {
        let (Measure { what, least, .. }, ratios) = (&self.measure, self.ratios());
        let [old, new] = [Side::Old, Side::New].map(|side| self.of(side).median().map_or("–".to_string(), round));
        let ratio = ratios.median().map_or("–".to_string(), |ratio| format!("{ratio:.3}"));
        let range = ratios.range().map_or("–".to_string(), |(lowest, highest)| format!("{lowest:.3} … {highest:.3}"));
        let verdict = match ratios.median() {
            Some(ratio) if ratio >= *least => "yes",
            Some(_) => "**no**",
            None => "–",
        };
        format!("| {what} | {old} | {new} | {ratio} | {range} | {} | ≥ {least} | {verdict} |\n", ratios.len())
    }
}

/// What stands above the table: how many pairs, of which sites, by what they were computed.
pub fn heading(pairs: u32, [old, new]: [&str; 2], [old_by, new_by]: [Option<&str>; 2]) -> String {
    let few = if pairs < PAIRS {
        format!(", fewer than the {PAIRS} from which on medians say something")
    } else {
        String::new()
    };
    let by = |backend: Option<&str>| backend.unwrap_or("–").to_string();
    format!(
        "Pairs: {pairs}{few}; medians of both sides, and of the pairs' ratios\n\n\
         Old: {old}, computed by: {}\n\nNew: {new}, computed by: {}\n",
        by(old_by),
        by(new_by)
    )
}
