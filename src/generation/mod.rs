//! The loop from a prompt to a text: prefill, decode, window policy, stop rules, UTF-8 assembly.
//!
//! [`Decoding`] knows ids only and does one step at a time; [`Run`] turns its ids into text and decides when to stop.
//! Whoever calls [`Run::step`] owns the loop, and so can stop between any two steps.

mod decoding;
mod length;
mod settings;

pub use decoding::{Decoding, GenerationError, Origin, Step};
pub use length::{Length, StopReason, TAIL_TOKENS};
pub use settings::{DEFAULT_WORDS, Settings, Window};

use crate::checkpoint::Model;
use crate::sampler::Sampler;
use crate::tokenizer::Utf8Stream;

/// One text being written.
#[derive(Debug)]
pub struct Run {
    decoding: Decoding,
    characters: Utf8Stream,
    length: Length,
    prompt_tokens: usize,
    tokens: usize,
}

/// What one step of a [`Run`] brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A tile of the prompt, or of a window that is read again, went through a block.
    Prefilled,
    /// A token; its text is empty where it ends within a character.
    Token(String),
    /// The last token, and why it is the last.
    Done(String, StopReason),
}

impl Run {
    /// Prepares a text of `settings`, whose seed is drawn by now; an empty prompt starts from the model's start token.
    pub fn new(model: &Model, settings: &Settings, seed: u32) -> Result<Self, GenerationError> {
        let mut prompt = model.tokenizer.encode(&settings.prompt)?;
        let prompt_tokens = prompt.len();
        if prompt.is_empty() {
            prompt.push(model.tokenizer.start());
        }
        let sampler = Sampler::new(settings.sampling.clone(), seed);
        let within_word = settings.prompt.ends_with(|character: char| !character.is_whitespace());
        Ok(Run {
            decoding: Decoding::new(&model.gpt, prompt, settings.window, sampler)?,
            characters: Utf8Stream::default(),
            length: Length::new(settings.words, within_word),
            prompt_tokens,
            tokens: 0,
        })
    }

    /// A block of a prefill tile, or one token. Dropping the run between two steps stops it; nothing else is needed.
    pub fn step(&mut self, model: &Model) -> Result<Progress, GenerationError> {
        let Step::Token(id) = self.decoding.step(&model.gpt)? else { return Ok(Progress::Prefilled) };
        self.tokens += 1;
        if model.tokenizer.end_of_text() == Some(id) {
            return Ok(Progress::Done(self.characters.finish(), StopReason::EndOfText));
        }
        let mut text = self.characters.push(model.tokenizer.bytes(id));
        Ok(match self.length.push(&text) {
            None => Progress::Token(text),
            Some(reason) => {
                text.push_str(&self.characters.finish());
                Progress::Done(text, reason)
            }
        })
    }

    /// Asks for `words` more, from where the text ends.
    pub fn extend(&mut self, words: u32) {
        self.length.extend(words);
    }

    /// Tokens of the prompt, 0 where there was none.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt_tokens
    }

    /// Tokens written.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Words written.
    pub fn words(&self) -> u32 {
        self.length.words()
    }

    /// The ids and their window.
    pub fn decoding(&self) -> &Decoding {
        &self.decoding
    }
}
