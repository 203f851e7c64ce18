//! Where the tokens of a text stand in what the page shows of it.

use crate::generation::Run;
use crate::tokenizer::{Tokenizer, Utf8Stream};

/// Of each token, where the text ends that it completes, in bytes of the prompt and what was written.
#[derive(Clone, Debug, Default)]
pub struct Places {
    ends: Vec<u32>,
}

impl Places {
    /// Those of a run.
    pub fn of(tokenizer: &Tokenizer, run: &Run) -> Self {
        let (ids, prompt) = (run.decoding().ids(), run.prompt_tokens());
        let (mut ends, mut end) = (Vec::with_capacity(ids.len()), 0);
        // A prompt is whole characters; the token that stands for an empty one says nothing.
        for id in &ids[..prompt] {
            end += tokenizer.bytes(*id).len() as u32;
            ends.push(end);
        }
        ends.resize(run.decoding().prompt_len(), end);
        let mut characters = Utf8Stream::default();
        for id in &ids[ends.len()..] {
            let is_end = tokenizer.end_of_text() == Some(*id);
            let text = if is_end { characters.finish() } else { characters.push(tokenizer.bytes(*id)) };
            end += text.len() as u32;
            ends.push(end);
        }
        Places { ends }
    }

    /// Tokens there are.
    pub fn tokens(&self) -> usize {
        self.ends.len()
    }

    /// The token that completes the character at this byte; behind the end the last one.
    pub fn at(&self, byte: u32) -> usize {
        self.ends.partition_point(|end| *end <= byte).min(self.ends.len().saturating_sub(1))
    }

    /// Where a token begins.
    pub fn begin(&self, position: usize) -> u32 {
        position.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// The bytes of a token; of one that completes no character, those of the character that it is a part of, if that came.
    pub fn bytes(&self, position: usize) -> (u32, u32) {
        let begin = self.begin(position);
        let end = self.ends[position..].iter().copied().find(|end| *end > begin);
        // What says nothing at the beginning stands for an empty prompt.
        (begin, end.filter(|_| begin > 0 || self.ends[position] > 0).unwrap_or(begin))
    }

    /// Where each of these tokens begins, and where the last one ends.
    pub fn bounds(&self, positions: std::ops::Range<usize>) -> Vec<u32> {
        (positions.start..=positions.end).map(|position| self.begin(position)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_where_its_tokens_are() {
        // An empty prompt's token, `a`, a character of four bytes in three tokens, `b`.
        let places = Places { ends: vec![0, 1, 1, 1, 5, 6] };
        assert_eq!([0, 1, 2, 4, 5, 6, 99].map(|byte| places.at(byte)), [1, 4, 4, 4, 5, 5, 5]);
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(|position| places.bytes(position)),
            [(0, 0), (0, 1), (1, 5), (1, 5), (1, 5), (5, 6)]
        );
        assert_eq!(places.bounds(1..5), [0, 1, 1, 1, 5]);
    }
}
