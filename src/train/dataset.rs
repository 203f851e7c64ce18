//! The text that is learned: its ids, which part is held out, and the windows of each step.

use std::ops::Range;

use super::random::{Purpose, sequence};

/// The most kinds of characters that a character model is made for.
pub const MOST_CHARACTERS: usize = 1024;

/// Why a text cannot be learned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatasetError {
    /// There is less than a window and the token behind it in one of the two parts.
    #[error("the text is too short: expected {expected} tokens or more to {part}, found {found}")]
    Short {
        /// `learn` or `hold out`.
        part: &'static str,
        /// A window and the token behind it.
        expected: usize,
        /// Tokens there are.
        found: usize,
    },
    /// There is nothing to predict.
    #[error("the text has one kind of character only, `{0}`")]
    OneKind(char),
    /// It is hardly written in letters.
    #[error("the text has more than {MOST_CHARACTERS} kinds of characters")]
    ManyKinds,
    /// It is empty.
    #[error("the text is empty")]
    Empty,
}

/// The kinds of characters of a text, in the order of their code points.
pub fn alphabet(text: &str) -> Result<Vec<char>, DatasetError> {
    let mut kinds: Vec<char> = Vec::new();
    for character in text.chars() {
        if let Err(place) = kinds.binary_search(&character) {
            kinds.insert(place, character);
        }
        if kinds.len() > MOST_CHARACTERS {
            return Err(DatasetError::ManyKinds);
        }
    }
    match kinds.as_slice() {
        [] => Err(DatasetError::Empty),
        [only] => Err(DatasetError::OneKind(*only)),
        _ => Ok(kinds),
    }
}

/// Fails if there is nothing to predict in a text.
pub fn expect_two_kinds(text: &str) -> Result<(), DatasetError> {
    let first = text.chars().next().ok_or(DatasetError::Empty)?;
    if text.chars().all(|character| character == first) { Err(DatasetError::OneKind(first)) } else { Ok(()) }
}

/// A text as ids, of which the last part is held out.
#[derive(Clone, Debug)]
pub struct Dataset {
    ids: Vec<u32>,
    /// Ids that are learned; the rest is held out.
    learned: usize,
    context: usize,
    seed: u64,
}

/// Windows with what follows each of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// `[windows, context]`.
    pub ids: Vec<u32>,
    /// Of the same shape.
    pub targets: Vec<u32>,
}

impl Dataset {
    /// Takes a text's ids, and the share of them that is held out, at the end.
    pub fn new(ids: Vec<u32>, held_out: f64, context: usize, seed: u64) -> Result<Self, DatasetError> {
        let learned = ((1.0 - held_out) * ids.len() as f64) as usize;
        for (part, found) in [("learn", learned), ("hold out", ids.len() - learned)] {
            if found <= context && (part == "learn" || held_out > 0.0) {
                return Err(DatasetError::Short { part, expected: context + 1, found });
            }
        }
        Ok(Dataset { ids, learned, context, seed })
    }

    /// Windows in an epoch. They begin at an offset below the context that is the epoch's own, and are consecutive.
    pub fn windows(&self) -> usize {
        // With the last offset, too, each window has an id behind it.
        ((self.learned - self.context) / self.context).max(1)
    }

    /// The ids that are held out.
    pub fn held_out(&self) -> &[u32] {
        &self.ids[self.learned..]
    }

    /// The windows of a batch: those of these numbers, counted from the first step on.
    pub fn batch(&self, numbers: Range<u64>) -> Windows {
        let (mut windows, count) = (Windows { ids: Vec::new(), targets: Vec::new() }, self.windows() as u64);
        let mut order: Option<(u64, Vec<usize>)> = None;
        for number in numbers {
            let epoch = number / count;
            let starts = match order.take() {
                Some((of, starts)) if of == epoch => starts,
                _ => self.starts(epoch),
            };
            let start = starts[(number % count) as usize];
            windows.ids.extend(&self.ids[start..start + self.context]);
            windows.targets.extend(&self.ids[start + 1..=start + self.context]);
            order = Some((epoch, starts));
        }
        windows
    }

    /// Where the windows of an epoch begin, in the order in which they are learned (Fisher and Yates).
    fn starts(&self, epoch: u64) -> Vec<usize> {
        let mut random = sequence(self.seed, Purpose::Windows(epoch));
        let mut below = |bound: usize| (random.next_fraction() * bound as f64) as usize;
        let (count, context) = (self.windows(), self.context);
        let offset = below(context.min(self.learned - count * context));
        let mut starts: Vec<usize> = (0..count).map(|index| offset + index * context).collect();
        for last in (1..count).rev() {
            starts.swap(last, below(last + 1));
        }
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(length: u32) -> Dataset {
        Dataset::new((0..length).collect(), 0.1, 8, 5).unwrap()
    }

    #[test]
    fn an_epoch_has_every_window_once_in_an_order_of_its_own() {
        let dataset = dataset(1000);
        let count = dataset.windows() as u64;
        assert_eq!(count, (900 - 8) / 8);
        let mut orders = Vec::new();
        for epoch in 0..3 {
            let windows = dataset.batch(epoch * count..(epoch + 1) * count);
            let starts: Vec<u32> = windows.ids.chunks(8).map(|window| window[0]).collect();
            let mut sorted = starts.clone();
            sorted.sort_unstable();
            assert!(sorted.windows(2).all(|pair| pair[1] == pair[0] + 8), "{sorted:?}");
            assert!(windows.ids.iter().zip(&windows.targets).all(|(id, next)| *next == id + 1 && *next < 900));
            orders.push(starts);
        }
        assert_ne!(orders[0], orders[1]);
        assert_ne!(orders[1], orders[2]);
    }

    #[test]
    fn a_batch_does_not_depend_on_those_before() {
        let dataset = dataset(500);
        let all = dataset.batch(0..120);
        let pieces: Vec<u32> = (0..60).flat_map(|pair| dataset.batch(2 * pair..2 * pair + 2).ids).collect();
        assert_eq!(all.ids, pieces);
    }

    #[test]
    fn the_shortest_text_has_one_window() {
        let dataset = Dataset::new((0..18).collect(), 0.5, 8, 1).unwrap();
        assert_eq!(dataset.windows(), 1);
        assert_eq!(dataset.batch(0..3).ids.len(), 24);
        assert_eq!(dataset.held_out(), [9, 10, 11, 12, 13, 14, 15, 16, 17]);
    }

    #[test]
    fn texts_that_cannot_be_learned_are_told_apart() {
        let error = Dataset::new((0..80).collect(), 0.1, 8, 1).unwrap_err().to_string();
        assert_eq!(error, "the text is too short: expected 9 tokens or more to hold out, found 8");
        assert_eq!(alphabet("").unwrap_err(), DatasetError::Empty);
        assert_eq!(alphabet("aaaa").unwrap_err(), DatasetError::OneKind('a'));
        let many: String = ('\u{4e00}'..).take(MOST_CHARACTERS + 1).collect();
        assert_eq!(alphabet(&many).unwrap_err(), DatasetError::ManyKinds);
        assert_eq!(alphabet("banana").unwrap(), ['a', 'b', 'n']);
    }
}
