//! The settings of a run.

use std::fmt;

use macro_rules_attribute::derive;
use serde::Serialize;

use crate::model::Part;
use crate::sampler::Sampling;
use crate::tokenizer::Vocabulary;
use crate::wire::Read;

/// The number of words if none is set.
pub const DEFAULT_WORDS: u32 = 200;

/// The most stop sequences that a run can have.
pub const MOST_STOPS: usize = 4;

/// The most characters that a stop sequence can have.
pub const MOST_STOP_CHARACTERS: usize = 100;

/// What happens when the text grows past the model's context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Read!)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// Keep the newer half of the context and prefill it again: the mean cost per token stays flat.
    #[default]
    Rolling,
    /// Recompute the last full context for every token, as nanoGPT's `generate` does.
    Exact,
}

impl Window {
    /// The name that addresses and flags use.
    pub fn name(self) -> &'static str {
        match self {
            Window::Rolling => "rolling",
            Window::Exact => "exact",
        }
    }
}

/// A token that stands at a position, whatever is drawn there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Read!)]
pub struct Take {
    /// Index in the text's ids, prompt included; an empty prompt's start token is at 0.
    pub position: u32,
    /// The token.
    pub id: u32,
}

/// As addresses and flags have it.
impl fmt::Display for Take {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.position, self.id)
    }
}

/// One run, as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct Settings {
    /// The text to continue. If it is empty, the model starts by itself.
    pub prompt: String,
    /// Words to write, 1 to 5000, without the prompt's.
    pub words: u32,
    /// Tokens to draw, 1 to 200,000, `<|endoftext|>` included. It takes the place of `words` and of every rule of where a
    /// text ends, so that a text which was stopped or continued can be repeated.
    pub tokens: Option<u32>,
    /// Stop sequences, at most [`MOST_STOPS`] of 1 to [`MOST_STOP_CHARACTERS`] characters. The text ends before the first of
    /// them. With `tokens` they end nothing; one that the last token completes is hidden.
    pub stop: Vec<String>,
    /// Seed of the sampler. If it is `None`, a random seed is chosen and shown.
    pub seed: Option<u32>,
    /// What happens past the model's context.
    pub window: Window,
    /// How a token is chosen from the logits.
    pub sampling: Sampling,
    /// Tokens that are taken instead of those that are drawn, by position, each position once. The random number that would
    /// have drawn one is discarded.
    pub take: Vec<Take>,
    /// Parts of the model that are switched off.
    pub off: Vec<Part>,
}

impl Settings {
    /// The default settings for a model of this vocabulary.
    pub fn defaults(vocabulary: Vocabulary) -> Self {
        Settings {
            prompt: String::new(),
            words: DEFAULT_WORDS,
            tokens: None,
            stop: Vec::new(),
            seed: None,
            window: Window::default(),
            sampling: Sampling::defaults(vocabulary),
            take: Vec::new(),
            off: Vec::new(),
        }
    }
}
