//! Why a request failed.

use super::verify::VerifyError;
use crate::generation::GenerationError;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The text cannot be written.
    #[error(transparent)]
    Generation(#[from] GenerationError),
    /// The model cannot be compared.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// There is no model.
    #[error("No model is open. Load one first.")]
    NoModel,
    /// There is no text.
    #[error("There is no text to go on from. Generate one first.")]
    NoText,
    /// Nothing would change.
    #[error("These are the tokens that the text has already.")]
    SameTokens,
    /// There is no seed.
    #[error("The text needs a seed, and none was drawn.")]
    NoSeed,
}
