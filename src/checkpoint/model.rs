//! Opens a file as a model that can generate text.

use std::io::{Read, Seek};
use std::sync::Arc;

use super::precision::Precision;
use super::{Checkpoint, CheckpointError, Contents};
use crate::model::{Gpt, Member, ModelError};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// What generating takes: weights and tokenizer.
#[derive(Debug)]
pub struct Model {
    /// Maps ids to logits.
    pub gpt: Gpt,
    /// Maps text to ids and back. It is shared with the code that counts the tokens of a text during a run.
    pub tokenizer: Arc<Tokenizer>,
    /// The precision of the matrices in the file.
    pub precision: Precision,
}

/// A file that cannot be opened as a model.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is damaged, or not of the expected form.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its weights do not fit its configuration.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Its tokenizer is inconsistent.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

impl Model {
    /// Opens a model file, of any format that [`checkpoint`](super) reads.
    pub fn open(file: &mut (impl Read + Seek)) -> Result<Self, OpenError> {
        Model::build(super::read(file)?)
    }

    /// The same for the member of a team that leads, which reads its rows only; the contents have been read.
    pub fn open_first(file: &mut (impl Read + Seek), contents: Contents, member: Member) -> Result<Self, OpenError> {
        Model::build_member(contents.read(file, member.share())?, member)
    }

    /// What the other members take of a file.
    pub fn open_part(file: &mut (impl Read + Seek), member: Member) -> Result<Gpt, OpenError> {
        let Checkpoint { config, mut weights, .. } = super::contents(file)?.read(file, member.share())?;
        Ok(Gpt::load_member(&config, &mut weights, member)?)
    }

    /// Builds the model from the contents of a file.
    pub fn build(checkpoint: Checkpoint) -> Result<Self, OpenError> {
        Model::build_member(checkpoint, Member::alone())
    }

    fn build_member(checkpoint: Checkpoint, member: Member) -> Result<Self, OpenError> {
        let Checkpoint { config, tokenizer, mut weights } = checkpoint;
        let precision = Precision::of(&weights);
        let gpt = Gpt::load_member(&config, &mut weights, member)?;
        Ok(Model { gpt, tokenizer: Arc::new(Tokenizer::new(tokenizer)?), precision })
    }
}
