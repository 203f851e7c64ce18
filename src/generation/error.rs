//! What can go wrong in writing.

use crate::kernels::memory::OutOfMemory;
use crate::model::ModelError;
use crate::sampler::SamplerError;
use crate::tokenizer::TokenizerError;

/// Why a text cannot be started or continued.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// The prompt has characters that the model does not know.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is no room for the text.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// No token can be chosen.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// The text has a token that the model does not have.
    #[error("the text has token {id}, and the model has {size} tokens: the text is another model's")]
    UnknownId {
        /// The token.
        id: u32,
        /// Tokens of the model.
        size: usize,
    },
    /// A token of the prompt is to be replaced.
    #[error("tokens can be taken from position {prompt} on, behind the prompt, found position {position}")]
    TakenPrompt {
        /// The position.
        position: u32,
        /// Tokens of the prompt, its start token included.
        prompt: usize,
    },
    /// Two tokens are to stand at one position.
    #[error("one token can be taken at a position, found two at position {position}")]
    TakenTwice {
        /// The position.
        position: u32,
    },
    /// There is no token to start from.
    #[error("a text starts from at least one token, found none")]
    Empty,
}
