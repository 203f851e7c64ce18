//! Decides when a text is long enough.

use macro_rules_attribute::derive;
use serde::Serialize;

use crate::wire::Read;

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Read!)]
pub enum StopReason {
    /// The words asked for are written, and the paragraph has ended.
    Words,
    /// The words asked for are written, but the paragraph has not ended within 300 more tokens.
    Tail,
    /// The model wrote `<|endoftext|>`.
    EndOfText,
    /// There are far more tokens than so many words need, since the model writes hardly any spaces.
    Runaway,
    /// As many tokens as asked for are drawn.
    Tokens,
    /// A stop sequence came.
    Sequence,
    /// The reader stopped it, or asked for something else.
    Stopped,
}

/// Tokens after the last word asked for within which the paragraph should end.
pub const TAIL_TOKENS: u32 = 300;

/// Tokens per word asked for. With more, the model is taken to write hardly any spaces.
const RUNAWAY_TOKENS_PER_WORD: u64 = 256;

/// Counts words: runs of characters other than white space. A word counts from its beginning.
#[derive(Clone, Debug)]
pub struct WordCount {
    words: u32,
    within_word: bool,
}

impl WordCount {
    /// No words. `within_word` says that the prompt ends within a word, whose rest does not count.
    pub fn new(within_word: bool) -> Self {
        WordCount { words: 0, within_word }
    }

    /// Adds a character.
    pub fn push(&mut self, character: char) {
        let is_within = !character.is_whitespace();
        self.words += u32::from(is_within && !self.within_word);
        self.within_word = is_within;
    }

    /// Words that have begun.
    pub fn words(&self) -> u32 {
        self.words
    }
}

/// Counts words, and stops at the first blank line after the last word asked for has begun, or [`TAIL_TOKENS`] tokens
/// later.
///
/// A word counts from its beginning, so that a last word that never ends does not keep the text from ending.
#[derive(Clone, Debug)]
pub struct Length {
    wanted: u32,
    count: WordCount,
    /// Line ends since the last character other than white space.
    line_ends: u32,
    /// Tokens since the beginning of the last word asked for.
    tail: Option<u32>,
    /// The number of tokens at which the text ends as [`StopReason::Runaway`].
    allowance: u64,
}

impl Length {
    /// A text of `wanted` words. `within_word` says that the prompt ends within a word, whose rest does not count.
    pub fn new(wanted: u32, within_word: bool) -> Self {
        let mut length =
            Length { wanted: 0, count: WordCount::new(within_word), line_ends: 0, tail: None, allowance: 0 };
        length.extend(wanted);
        length
    }

    /// Raises the length to `words` more than are written.
    pub fn extend(&mut self, words: u32) {
        self.wanted = self.words().saturating_add(words);
        self.tail = None;
        self.line_ends = 0;
        self.allowance = u64::from(words) * RUNAWAY_TOKENS_PER_WORD;
    }

    /// Words that have begun.
    pub fn words(&self) -> u32 {
        self.count.words()
    }

    /// Adds the text of one token, which may be empty. Returns why this is the last token, if it is.
    pub fn push(&mut self, text: &str) -> Option<StopReason> {
        let before = self.tail;
        for character in text.chars() {
            self.read(character);
            if self.tail.is_some() && self.line_ends >= 2 {
                return Some(StopReason::Words);
            }
        }
        match before {
            Some(tail) if tail + 1 >= TAIL_TOKENS => Some(StopReason::Tail),
            Some(tail) => {
                self.tail = Some(tail + 1);
                None
            }
            None => {
                self.allowance = self.allowance.saturating_sub(1);
                (self.allowance == 0 && self.tail.is_none()).then_some(StopReason::Runaway)
            }
        }
    }

    fn read(&mut self, character: char) {
        if character == '\n' {
            self.line_ends += 1;
        }
        self.count.push(character);
        if character.is_whitespace() {
            return;
        }
        self.line_ends = 0;
        if self.words() >= self.wanted && self.tail.is_none() {
            self.tail = Some(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes `text` character by character. Returns how many were pushed, and why no more.
    fn write(length: &mut Length, text: &str) -> (usize, Option<StopReason>) {
        for (taken, character) in text.chars().enumerate() {
            if let Some(reason) = length.push(&character.to_string()) {
                return (taken + 1, Some(reason));
            }
        }
        (text.chars().count(), None)
    }

    #[test]
    fn the_text_runs_on_to_the_end_of_its_paragraph() {
        let text = "ROMEO:\nBut soft, what\nlight?\n\nJULIET:";
        let until = text.find("JULIET").unwrap();
        for wanted in 1..=5 {
            assert_eq!(write(&mut Length::new(wanted, false), text), (until, Some(StopReason::Words)), "{wanted}");
        }
        assert_eq!(write(&mut Length::new(6, false), text), (text.len(), None));
    }

    #[test]
    fn a_blank_line_may_hold_spaces_and_come_within_one_token() {
        let mut length = Length::new(1, false);
        assert_eq!(length.push("Ay.\n \t"), None);
        assert_eq!(length.push("\nWho"), Some(StopReason::Words));
        assert_eq!(Length::new(1, false).push("Ay.\n\nWho"), Some(StopReason::Words));
        assert_eq!(Length::new(1, false).push("\n\n\n"), None, "a blank line before the first word ends nothing");
    }

    #[test]
    fn a_paragraph_without_end_is_cut_after_300_tokens() {
        for wanted in [1, 5000] {
            let begun = "a ".repeat(wanted as usize - 1) + "b";
            let mut length = Length::new(wanted, false);
            assert_eq!(write(&mut length, &begun), (begun.len(), None));
            assert_eq!(length.words(), wanted);
            let (taken, reason) = write(&mut length, &"c ".repeat(200));
            assert_eq!((taken, reason), (TAIL_TOKENS as usize, Some(StopReason::Tail)));
        }
    }

    #[test]
    fn the_rest_of_the_prompts_last_word_does_not_count() {
        let mut length = Length::new(2, true);
        write(&mut length, "meo and");
        assert_eq!(length.words(), 1);
        let mut length = Length::new(2, false);
        write(&mut length, "meo and");
        assert_eq!(length.words(), 2);
    }

    #[test]
    fn a_model_that_writes_no_words_is_stopped() {
        let (taken, reason) = write(&mut Length::new(2, false), &" ".repeat(1000));
        assert_eq!((taken, reason), (512, Some(StopReason::Runaway)));
        assert_eq!(write(&mut Length::new(2, false), &"a".repeat(1000)), (512, Some(StopReason::Runaway)));
    }

    #[test]
    fn more_words_are_counted_from_where_the_text_ends() {
        let mut length = Length::new(1, false);
        write(&mut length, "one two three\n\n");
        length.extend(2);
        let (taken, reason) = write(&mut length, "four\n\nfive\n\nsix");
        assert_eq!((taken, reason, length.words()), (12, Some(StopReason::Words), 5));
    }
}
