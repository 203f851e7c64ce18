//! Why a model cannot learn.

use super::dataset::{DatasetError, MOST_CHARACTERS};
use crate::checkpoint::CheckpointError;
use crate::model::{ModelError, TeamError, WeightsError};
use crate::tokenizer::TokenizerError;

/// Why a step cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The text cannot be learned.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The model cannot be computed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The members of a team cannot go on together.
    #[error(transparent)]
    Team(#[from] TeamError),
    /// A member of a team was ordered what it cannot do.
    #[error("the team is to do {ordered}, which this thread cannot do behind {steps} steps")]
    Order {
        /// What the first thread has ordered.
        ordered: String,
        /// Steps taken.
        steps: u64,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// The model cannot be written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The text has what the model does not know.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A run cannot be gone on with.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// A run cannot be read or written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The heads do not share the width out.
    #[error("expected a width that {heads} heads divide, found {n_embd}")]
    Heads {
        /// Attention heads per block.
        heads: usize,
        /// The model's width.
        n_embd: usize,
    },
    /// A model has no room for all characters of the text.
    #[error("text and model have {count} kinds of characters, expected at most {MOST_CHARACTERS}")]
    ManyCharacters {
        /// Kinds of characters.
        count: usize,
    },
    /// A batch has no windows.
    #[error("a batch needs a window or more")]
    NoWindows,
    /// The model does not use a variable.
    #[error("the model does not use `{0}`")]
    NoGradient(String),
    /// The loss is not a number.
    #[error("the loss of step {step} is {loss}: try a lower learning rate")]
    Diverged {
        /// The step, from 1.
        step: u64,
        /// What it is.
        loss: f64,
    },
}

impl From<WeightsError> for TrainError {
    fn from(error: WeightsError) -> Self {
        TrainError::Model(error.into())
    }
}

/// Why a run cannot be gone on with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    /// It is another file.
    #[error("the file is no saved run")]
    Format,
    /// It was not written to its end, or has changed since.
    #[error("the saved run is damaged: its SHA-256 is another")]
    Damaged,
    /// Its parts do not fit each other.
    #[error("the saved run is inconsistent: {0}")]
    Inconsistent(&'static str),
    /// It learned another text.
    #[error("the run learned another text: expected sha256 {expected}, found {found}")]
    Text {
        /// The text's.
        expected: String,
        /// That of the text given.
        found: String,
    },
}
