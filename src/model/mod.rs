//! The GPT-2 block stack: ids and a KV cache → logits.

pub mod attention;
pub mod block;
pub mod config;
pub mod gpt;
pub mod kv_cache;
pub mod linear;
pub mod mlp;
mod observer;
mod pass;
mod weights;

pub use config::Config;
pub use gpt::Gpt;
pub use kv_cache::KvCache;
pub use observer::{Hook, Observer};
pub use pass::Pass;
pub use weights::{Weight, Weights, WeightsError};

use crate::kernels::memory::OutOfMemory;

/// What the model's code returns.
pub type Result<T> = std::result::Result<T, ModelError>;

/// A model that cannot be built or asked.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The weights do not fit the configuration.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// More tokens than fit the context, or none.
    #[error("position {start}: expected 1 to {} tokens in a context of {context}, found {found}", context - start)]
    Context {
        /// The model's context.
        context: usize,
        /// Tokens in the cache.
        start: usize,
        /// Tokens given.
        found: usize,
    },
    /// An id that is not a token.
    #[error("expected ids below {vocabulary}, found {id}")]
    Id {
        /// The id given.
        id: u32,
        /// Tokens there are.
        vocabulary: usize,
    },
    /// A pass goes on with another cache, or with one that has changed.
    #[error("the cache has {found} tokens, expected the {expected} that it had when the pass began")]
    Moved {
        /// Tokens at the beginning.
        expected: usize,
        /// Tokens now.
        found: usize,
    },
    /// A cache of a model with fewer blocks.
    #[error("the cache is of another model, of {layers} blocks")]
    Cache {
        /// The cache's blocks.
        layers: usize,
    },
    /// Rows to be read again that have not been read.
    #[error("expected positions below {expected}, which the cache holds, found {found}")]
    NotRead {
        /// Tokens in the cache.
        expected: usize,
        /// Where the rows end.
        found: usize,
    },
    /// An observer's value that does not fit.
    #[error("{hook}: expected float32 numbers of shape {expected:?} in place of those seen, found shape {found:?}")]
    Replaced {
        /// What was seen.
        hook: Hook,
        /// Its shape.
        expected: Vec<usize>,
        /// The shape of what was given instead.
        found: Vec<usize>,
    },
    /// The machine has not enough.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}
