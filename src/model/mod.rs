//! The GPT-2 block stack: maps ids and a KV cache to logits.

pub mod attention;
pub mod block;
pub mod config;
pub mod gpt;
pub mod kv_cache;
pub mod linear;
mod member;
pub mod mlp;
mod observer;
mod order;
mod part;
mod pass;
mod share;
mod weights;

pub use config::Config;
pub use gpt::Gpt;
pub use kv_cache::KvCache;
pub use member::{Exchange, Member, TeamError};
pub use observer::{Hook, Observer};
pub use order::{CacheOrder, Order, Outputs, PassOrder};
pub use part::Part;
pub use pass::Pass;
pub use share::{Division, Share};
pub use weights::{Weight, Weights, WeightsError};

use crate::kernels::memory::OutOfMemory;

/// The result of the model's functions.
pub type Result<T> = std::result::Result<T, ModelError>;

/// Why a model cannot be built or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The weights do not fit the configuration.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// There are more tokens than the context has room for, or none.
    #[error("position {start}: expected 1 to {} tokens in a context of {context}, found {found}", context - start)]
    Context {
        /// The model's context.
        context: usize,
        /// Tokens in the cache.
        start: usize,
        /// Tokens given.
        found: usize,
    },
    /// An id is not in the vocabulary.
    #[error("expected ids below {vocabulary}, found {id}")]
    Id {
        /// The id given.
        id: u32,
        /// Tokens there are.
        vocabulary: usize,
    },
    /// A pass continues with another cache, or with one that has changed.
    #[error("the cache has {found} tokens, expected the {expected} that it had when the pass began")]
    Moved {
        /// Tokens at the beginning.
        expected: usize,
        /// Tokens now.
        found: usize,
    },
    /// The cache belongs to a model with fewer blocks.
    #[error("the cache is of another model, of {layers} blocks")]
    Cache {
        /// The cache's blocks.
        layers: usize,
    },
    /// Rows to compute again are not in the cache.
    #[error("expected positions below {expected}, which the cache holds, found {found}")]
    NotRead {
        /// Tokens in the cache.
        expected: usize,
        /// The position behind the rows.
        found: usize,
    },
    /// A part to switch off is not there.
    #[error("{part} cannot be switched off: expected layers below {layers} and heads below {heads}")]
    Part {
        /// The part.
        part: Part,
        /// The model's layers.
        layers: usize,
        /// The heads in each.
        heads: usize,
    },
    /// An observer's value has the wrong shape or dtype.
    #[error("{hook}: expected float32 numbers of shape {expected:?} in place of those seen, found shape {found:?}")]
    Replaced {
        /// What was seen.
        hook: Hook,
        /// Its shape.
        expected: Vec<usize>,
        /// The shape of the observer's value.
        found: Vec<usize>,
    },
    /// Threads cannot go on together.
    #[error(transparent)]
    Team(#[from] TeamError),
    /// There is not enough memory.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

impl ModelError {
    /// Whether nothing is wrong: the thread that leads has begun another pass.
    pub fn is_given_up(&self) -> bool {
        matches!(self, ModelError::Team(TeamError::GivenUp))
    }
}
