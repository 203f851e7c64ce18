//! The text of a run: its characters as they become whole, its words, and where it ends.

use super::length::{Length, StopReason, WordCount};
use super::settings::Settings;
use super::stop_sequences::StopSequences;
use crate::tokenizer::{Tokenizer, Utf8Stream};

/// The text that tokens make, and the rules of where it ends.
#[derive(Debug)]
pub struct Written {
    characters: Utf8Stream,
    length: Length,
    stops: StopSequences,
    /// Words that have been shown.
    words: WordCount,
    /// The number of tokens at which the text ends, whatever it says.
    exactly: Option<usize>,
    tokens: usize,
}

impl Written {
    /// No text yet.
    pub fn new(settings: &Settings) -> Self {
        let within_word = settings.prompt.ends_with(|character: char| !character.is_whitespace());
        Written {
            characters: Utf8Stream::default(),
            length: Length::new(settings.words, within_word),
            stops: StopSequences::new(settings.stop.clone()),
            words: WordCount::new(within_word),
            exactly: settings.tokens.map(|tokens| tokens as usize),
            tokens: 0,
        }
    }

    /// Takes a token, and holds back its text. Returns why it is the last one, if it is.
    pub fn read(&mut self, tokenizer: &Tokenizer, id: u32) -> Option<StopReason> {
        self.tokens += 1;
        let (text, reason) = if tokenizer.end_of_text() == Some(id) {
            (self.characters.finish(), Some(StopReason::EndOfText))
        } else {
            let text = self.characters.push(tokenizer.bytes(id));
            let reason = self.length.push(&text);
            (text, reason)
        };
        let is_stop = self.stops.push(&text);
        match self.exactly {
            Some(tokens) => (self.tokens >= tokens).then_some(StopReason::Tokens),
            None if is_stop => Some(StopReason::Sequence),
            None => reason,
        }
    }

    /// The text that goes on: all that cannot become a stop sequence any more.
    pub fn proceed(&mut self) -> String {
        let text = self.stops.proceed();
        self.counted(text)
    }

    /// The text that ends: all before a stop sequence that came.
    pub fn finish(&mut self) -> String {
        let text = self.stops.finish();
        self.counted(text)
    }

    /// All text that is held back.
    pub fn release(&mut self) -> String {
        let text = self.stops.release();
        self.counted(text)
    }

    /// Counts the words of text that is shown.
    fn counted(&mut self, text: String) -> String {
        text.chars().for_each(|character| self.words.push(character));
        text
    }

    /// Raises the length to `words` more than are written.
    pub fn extend(&mut self, words: u32) {
        self.exactly = None;
        self.length.extend(words);
    }

    /// Tokens that were taken.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Words that have been shown.
    pub fn words(&self) -> u32 {
        self.words.words()
    }
}
