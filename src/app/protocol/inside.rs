//! What crosses the bridge to look inside: where, what, and how surprising.

use macro_rules_attribute::derive;
use serde::Serialize;

use crate::wire::Read;

/// A token of the text that stands on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Read!)]
pub enum At {
    /// The one that the character at this byte of the text belongs to, the prompt included.
    Byte(u32),
    /// The one at this position.
    Position(u32),
    /// The last one.
    Last,
}

/// What is asked about a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Read!)]
pub enum View {
    /// How likely it was, and what else could stand there.
    #[default]
    Token,
    /// What the model would have said after each layer.
    Lens,
    /// What it looks back at.
    Attention,
    /// Which later tokens look back at it.
    LookedAt,
    /// Its way through the model, which is a part of the lens.
    Way,
}

/// Where a token stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Read!)]
pub struct Place {
    /// Its index in the text's tokens, the prompt's included.
    pub position: u32,
    /// Tokens of the text.
    pub tokens: u32,
    /// The bytes of the text that it says; of a token that says a part of a character, those of the whole character.
    pub bytes: (u32, u32),
    /// Of a view that has other tokens as well: where each of them begins, and where the last one ends.
    pub bounds: Vec<u32>,
}

/// How surprising a stretch of the text is: neighbouring tokens of the same level are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Read!)]
pub struct Mark {
    /// Bytes of the text.
    pub bytes: u32,
    /// From 0, expected, to [`LEVELS`] − 1.
    pub level: u8,
}

/// Levels of surprise.
pub const LEVELS: usize = 5;

/// Bits from which on each level but the first begins: a token that has one chance in 2, in 8, in 32, in 256.
const FROM: [f64; LEVELS - 1] = [1.0, 3.0, 5.0, 8.0];

/// The level of a token that was so surprising, in bits.
pub fn level(bits: f64) -> u8 {
    FROM.iter().take_while(|from| bits >= **from).count() as u8
}

/// Adds a stretch to others.
pub fn add_mark(marks: &mut Vec<Mark>, bytes: u32, level: u8) {
    match marks.last_mut() {
        Some(last) if last.level == level => last.bytes += bytes,
        _ if bytes > 0 => marks.push(Mark { bytes, level }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_the_same_level_are_one() {
        let mut marks = Vec::new();
        for (bytes, bits) in [(1, 0.5), (2, 0.99), (0, 20.0), (3, 1.0), (1, 8.0), (1, 40.0)] {
            add_mark(&mut marks, bytes, level(bits));
        }
        let expected = [(3, 0), (3, 1), (2, 4)].map(|(bytes, level)| Mark { bytes, level });
        assert_eq!(marks, expected);
        assert_eq!(level(f64::INFINITY) as usize, LEVELS - 1);
    }
}
