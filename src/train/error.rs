//! Why a model cannot learn.

use super::DatasetError;
use crate::model::{ModelError, WeightsError};

/// Why a step cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The text cannot be learned.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The model cannot be computed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
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
