//! From a file to configuration, tokenizer and weights.

mod weights;

pub use weights::Weights;

use crate::model::Config;
use crate::tokenizer::TokenizerSpec;

/// Everything a file says of a model.
#[derive(Debug)]
pub struct Checkpoint {
    /// The model's shape.
    pub config: Config,
    /// The tokenizer's pieces.
    pub tokenizer: TokenizerSpec,
    /// The weights, under GGUF's names.
    pub weights: Weights,
}

/// A file that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A tensor that the configuration asks for is not there.
    #[error("the file has no tensor `{name}`")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// Two tensors of one name.
    #[error("the file has two tensors `{name}`")]
    Duplicate {
        /// The tensor.
        name: String,
    },
    /// A tensor of another shape than the configuration says.
    #[error("tensor `{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// What the configuration says.
        expected: Vec<usize>,
        /// What the file has.
        found: Vec<usize>,
    },
}
