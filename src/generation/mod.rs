//! The loop from a prompt to a text: prefill, decoding, window, stop rules, UTF-8 assembly.
//!
//! [`Decoding`] handles ids only, and does one step at a time. [`Run`] decodes its ids to text, and decides when to
//! stop. The caller of [`Run::step`] owns the loop, and so can stop between any two steps.

mod decoding;
mod length;
mod sample;
mod settings;
mod stop_sequences;

pub use decoding::{Decoding, GenerationError, Origin, Step};
pub use length::{Length, StopReason, TAIL_TOKENS};
pub use sample::sample;
pub use settings::{DEFAULT_WORDS, MOST_STOP_CHARACTERS, MOST_STOPS, Settings, Window};

use self::length::WordCount;
use self::stop_sequences::StopSequences;
use crate::checkpoint::Model;
use crate::sampler::Sampler;
use crate::tokenizer::Utf8Stream;

/// A text that is being written. It depends on the ids alone, not on where it was stopped and continued: the beginning
/// of a character that is cut at the end is held back, and comes with its rest; a stop sequence that the last id completes
/// is hidden, and comes when the text goes on.
#[derive(Debug)]
pub struct Run {
    decoding: Decoding,
    characters: Utf8Stream,
    length: Length,
    stops: StopSequences,
    /// Words that have been shown.
    words: WordCount,
    /// The number of tokens at which the text ends, whatever it says.
    exactly: Option<usize>,
    prompt_tokens: usize,
    tokens: usize,
}

/// The result of one step of a [`Run`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A tile of the prompt, or of a window that is read again, has passed a block.
    Prefilled,
    /// The text that is new; empty while a character is incomplete, or while a stop sequence might have begun.
    Token(String),
    /// The rest of the text, and why it ends.
    Done(String, StopReason),
}

impl Run {
    /// A text with these settings and this seed. An empty prompt starts from the model's start token.
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
            stops: StopSequences::new(settings.stop.clone()),
            words: WordCount::new(within_word),
            exactly: settings.tokens.map(|tokens| tokens as usize),
            prompt_tokens,
            tokens: 0,
        })
    }

    /// A text of which these tokens were drawn before, and all that they say, stop sequences included. It goes on as it
    /// would have gone on then.
    pub fn resume(
        model: &Model,
        settings: &Settings,
        seed: u32,
        drawn: &[u32],
    ) -> Result<(Self, String), GenerationError> {
        let mut run = Run::new(model, settings, seed)?;
        run.decoding.append(&model.gpt, drawn)?;
        let mut text = String::new();
        for id in drawn {
            run.read(model, *id);
            text.push_str(&run.release());
        }
        Ok((run, text))
    }

    /// Takes a prefill tile through one block, or decodes one token. To stop the run, take no more steps, and
    /// [`release`](Self::release) what is held back.
    pub fn step(&mut self, model: &Model) -> Result<Progress, GenerationError> {
        let Step::Token(id) = self.decoding.step(&model.gpt)? else { return Ok(Progress::Prefilled) };
        Ok(match self.read(model, id) {
            None => {
                let text = self.stops.proceed();
                Progress::Token(self.counted(text))
            }
            Some(reason) => {
                let text = self.stops.finish();
                Progress::Done(self.counted(text), reason)
            }
        })
    }

    /// Takes a token that was drawn, and holds back its text. Returns why it is the last one, if it is.
    fn read(&mut self, model: &Model, id: u32) -> Option<StopReason> {
        self.tokens += 1;
        let (text, reason) = if model.tokenizer.end_of_text() == Some(id) {
            (self.characters.finish(), Some(StopReason::EndOfText))
        } else {
            let text = self.characters.push(model.tokenizer.bytes(id));
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

    /// The text that is held back, since a stop sequence might begin there or has come. It belongs to a text that is
    /// stopped between two steps, and to one that goes on.
    pub fn release(&mut self) -> String {
        let text = self.stops.release();
        self.counted(text)
    }

    /// Counts the words of text that is shown.
    fn counted(&mut self, text: String) -> String {
        text.chars().for_each(|character| self.words.push(character));
        text
    }

    /// Asks for `words` more, behind the end of the text. [`release`](Self::release) comes first.
    pub fn extend(&mut self, words: u32) {
        self.exactly = None;
        self.length.extend(words);
    }

    /// Tokens of the prompt; 0 for an empty one.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt_tokens
    }

    /// Tokens written.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The tokens written from this one on.
    pub fn drawn(&self, from: usize) -> &[u32] {
        let ids = self.decoding.ids();
        &ids[ids.len() - self.tokens + from.min(self.tokens)..]
    }

    /// Words written, without those of text that is held back.
    pub fn words(&self) -> u32 {
        self.words.words()
    }

    /// The ids and their window.
    pub fn decoding(&self) -> &Decoding {
        &self.decoding
    }
}
