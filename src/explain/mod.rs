//! Looks inside: how each token of a text came to stand there, what it looks at, what each layer would have said, how
//! surprising a text is.
//!
//! Everything is computed by the forward pass that writes, and shown by its observer, from the ids of a text and the origin
//! of each token. It is done between two steps of a [`Run`], which then writes on as if nobody had looked.

mod explainer;
mod inside;
mod places;
mod surprise;
mod views;

pub use explainer::{ALTERNATIVES, Explainer, LENS, Progress};
pub use places::Places;
pub use surprise::TextSurprise;
pub use views::{
    Alternative, Answer, Ask, AttentionView, Done, LensView, Likely, LookedAtView, Norms, Surprise, TokenView,
};

use crate::generation::GenerationError;
use crate::model::ModelError;
use crate::sampler::SamplerError;
use crate::tokenizer::TokenizerError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// There is no such token, or none that was predicted.
    #[error("expected a position from {least} to {most}, found {position}")]
    Position {
        /// The position asked about.
        position: u32,
        /// The least that has an answer.
        least: u32,
        /// The greatest.
        most: u32,
    },
    /// The text has fewer than two tokens, or characters that the model does not know.
    #[error("expected a text of at least 2 tokens, found {tokens}")]
    Short {
        /// Its tokens.
        tokens: usize,
    },
    /// The text cannot be read.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The text was not written by this model.
    #[error(transparent)]
    Generation(#[from] GenerationError),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The settings leave no token.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
}

impl From<candle_core::Error> for ExplainError {
    fn from(error: candle_core::Error) -> Self {
        ExplainError::Model(error.into())
    }
}
