//! The loop from a prompt to a text: prefill, decode, window policy, stop rules, UTF-8 assembly.
//!
//! [`Decoding`] knows ids only and does one step at a time; [`Run`] turns its ids into text and decides when to stop.
//! Whoever calls [`Run::step`] owns the loop, and so can stop between any two steps.

mod decoding;
mod length;

pub use decoding::{Decoding, GenerationError, Origin, Step};
pub use length::{Length, TAIL_TOKENS};

use std::io::{Read, Seek};
use std::sync::Arc;

use candle_core::quantized::GgmlDType;

use crate::checkpoint::export::{Source, Tensor};
use crate::checkpoint::quantize::Precision;
use crate::checkpoint::{self, Checkpoint, CheckpointError};
use crate::model::{Config, Gpt, ModelError};
use crate::protocol::StopReason;
use crate::sampler::Sampler;
use crate::settings::Settings;
use crate::tokenizer::{Tokenizer, TokenizerError, TokenizerSpec, Utf8Stream};

/// What it takes to write: weights and tokenizer.
#[derive(Debug)]
pub struct Model {
    /// ids → logits.
    pub gpt: Gpt,
    /// Text ↔ ids; shared with what counts tokens beside a run.
    pub tokenizer: Arc<Tokenizer>,
    /// How its matrices are kept in the file.
    pub precision: Precision,
}

/// A file that no model can be made of.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is not what it should be.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its weights do not fit its configuration.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its tokenizer does not hold together.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

impl Model {
    /// Reads a model file of any format that [`checkpoint`] knows.
    pub fn open(file: &mut (impl Read + Seek)) -> Result<Self, OpenError> {
        Model::build(checkpoint::read(file)?)
    }

    /// Makes a model of what a file says.
    pub fn build(checkpoint: Checkpoint) -> Result<Self, OpenError> {
        let Checkpoint { config, tokenizer, mut weights } = checkpoint;
        let precision = Precision::of(&weights);
        let gpt = Gpt::load(&config, &mut weights)?;
        Ok(Model { gpt, tokenizer: Arc::new(Tokenizer::new(tokenizer)?), precision })
    }
}

impl Source for Model {
    fn config(&self) -> &Config {
        self.gpt.config()
    }

    fn tokenizer(&self) -> TokenizerSpec {
        self.tokenizer.spec()
    }

    fn kept(&self, name: &str) -> GgmlDType {
        self.gpt.kept(name)
    }

    fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        self.gpt.tensor(name)
    }
}

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
