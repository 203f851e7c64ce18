//! The loop from a prompt to a text: prefill, decoding, window, stop rules, UTF-8 assembly.
//!
//! [`Decoding`] handles ids only, and does one step at a time. [`Run`] decodes its ids to text, and decides when to
//! stop. The caller of [`Run::step`] owns the loop, and so can stop between any two steps.

mod decoding;
mod error;
mod length;
mod reading;
mod sample;
mod settings;
mod stop_sequences;
mod take;
mod written;

pub use decoding::{Decoding, Origin, Step};
pub use error::GenerationError;
pub use length::{Length, StopReason, TAIL_TOKENS};
pub use reading::{Reading, TILE};
pub use sample::sample;
pub use settings::{DEFAULT_WORDS, MOST_STOP_CHARACTERS, MOST_STOPS, Settings, Take, Window};

use self::written::Written;
use crate::checkpoint::Model;
use crate::sampler::Sampler;

/// A text that is being written. It depends on the ids alone, not on where it was stopped and continued: the beginning
/// of a character that is cut at the end is held back, and comes with its rest; a stop sequence that the last id completes
/// is hidden, and comes when the text goes on.
#[derive(Debug)]
pub struct Run {
    decoding: Decoding,
    written: Written,
    prompt_tokens: usize,
}

/// Where a [`Run`] goes on with other tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The text of all tokens before, without what is held back.
    pub text: String,
    /// Whether the text had ended there, by these settings, and was continued. Then they do not say where it ends.
    pub is_continued: bool,
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
        let mut decoding = Decoding::new(&model.gpt, prompt, settings.window, sampler)?;
        decoding.switch_off(&model.gpt, &settings.off)?;
        decoding.take(&model.gpt, &settings.take)?;
        Ok(Run { decoding, written: Written::new(settings), prompt_tokens })
    }

    /// Goes back to where the tokens that these settings take begin to differ from those taken so far, and on from there:
    /// the text is that of a run from the start with these settings. Prompt, seed, sampling, window and what is switched
    /// off stay as they were. `None`, and the text stays as it is, if nothing in it differs. Where it had ended before that
    /// position, by these settings, and was continued, it goes on as one that was continued for as many words. On an error
    /// nothing changes.
    pub fn fork(&mut self, model: &Model, settings: &Settings) -> Result<Option<Fork>, GenerationError> {
        let Some(position) = self.decoding.fork(&model.gpt, &settings.take)? else { return Ok(None) };
        self.written = Written::new(settings);
        let (mut text, mut is_continued) = (String::new(), false);
        for id in &self.decoding.ids()[self.decoding.prompt_len()..position] {
            text.push_str(&match self.written.read(&model.tokenizer, *id) {
                None => self.written.proceed(),
                Some(_) => {
                    is_continued = true;
                    let released = self.written.release();
                    self.written.extend(settings.words);
                    released
                }
            });
        }
        Ok(Some(Fork { text, is_continued }))
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
            run.written.read(&model.tokenizer, *id);
            text.push_str(&run.release());
        }
        Ok((run, text))
    }

    /// Takes a prefill tile through one block, or decodes one token. To stop the run, take no more steps, and
    /// [`release`](Self::release) what is held back.
    pub fn step(&mut self, model: &Model) -> Result<Progress, GenerationError> {
        let Step::Token(id) = self.decoding.step(&model.gpt)? else { return Ok(Progress::Prefilled) };
        Ok(match self.written.read(&model.tokenizer, id) {
            None => Progress::Token(self.written.proceed()),
            Some(reason) => Progress::Done(self.written.finish(), reason),
        })
    }

    /// The text that is held back, since a stop sequence might begin there or has come. It belongs to a text that is
    /// stopped between two steps, and to one that goes on.
    pub fn release(&mut self) -> String {
        self.written.release()
    }

    /// Asks for `words` more, behind the end of the text. [`release`](Self::release) comes first.
    pub fn extend(&mut self, words: u32) {
        self.written.extend(words);
    }

    /// Whether to record from now on how the model rates each token; see [`Decoding::prediction`].
    pub fn record_predictions(&mut self, is_recording: bool) {
        self.decoding.record_predictions(is_recording);
    }

    /// Tokens of the prompt; 0 for an empty one.
    pub fn prompt_tokens(&self) -> usize {
        self.prompt_tokens
    }

    /// Tokens written.
    pub fn tokens(&self) -> usize {
        self.written.tokens()
    }

    /// The tokens written from this one on.
    pub fn drawn(&self, from: usize) -> &[u32] {
        let ids = self.decoding.ids();
        &ids[ids.len() - self.tokens() + from.min(self.tokens())..]
    }

    /// Words written, without those of text that is held back.
    pub fn words(&self) -> u32 {
        self.written.words()
    }

    /// The ids and their window.
    pub fn decoding(&self) -> &Decoding {
        &self.decoding
    }

    /// The same, for who looks inside.
    pub fn decoding_mut(&mut self) -> &mut Decoding {
        &mut self.decoding
    }
}
