//! A file → a model that can write.

use std::io::{Read, Seek};
use std::sync::Arc;

use super::precision::Precision;
use super::{Checkpoint, CheckpointError};
use crate::model::{Gpt, ModelError};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// What it takes to write: weights and tokenizer.
#[derive(Debug)]
pub struct Model {
    /// ids → logits.
    pub gpt: Gpt,
    /// Text ↔ ids; shared with what counts tokens beside a run.
    pub tokenizer: Arc<Tokenizer>,
    /// How its matrices are kept in the file.
    pub precision: Precision,
}

/// A file that no model can be made of.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is not what it should be.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its weights do not fit its configuration.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its tokenizer does not hold together.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

impl Model {
    /// Reads a model file of any format that [`checkpoint`](super) knows.
    pub fn open(file: &mut (impl Read + Seek)) -> Result<Self, OpenError> {
        Model::build(super::read(file)?)
    }

    /// Makes a model of what a file says.
    pub fn build(checkpoint: Checkpoint) -> Result<Self, OpenError> {
        let Checkpoint { config, tokenizer, mut weights } = checkpoint;
        let precision = Precision::of(&weights);
        let gpt = Gpt::load(&config, &mut weights)?;
        Ok(Model { gpt, tokenizer: Arc::new(Tokenizer::new(tokenizer)?), precision })
    }
}
