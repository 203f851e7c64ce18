//! The GPT-2 block stack: ids and a KV cache → logits.

pub mod attention;
pub mod config;
pub mod gpt;
pub mod kv_cache;
pub mod linear;
mod tensors;
mod workspace;

pub use config::Config;
pub use gpt::Gpt;
pub use kv_cache::KvCache;

use crate::checkpoint::CheckpointError;

/// What the model's code returns.
pub type Result<T> = std::result::Result<T, ModelError>;

/// A model that cannot be built or asked.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file's weights do not fit the configuration.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
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
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}
