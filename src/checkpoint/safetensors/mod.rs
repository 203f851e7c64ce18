//! A Hugging Face GPT-2: `model.safetensors` with `config.json`, `vocab.json` and `merges.txt` beside it.

pub(super) mod config;
pub(super) mod header;
pub(super) mod names;
pub mod streaming;
pub(super) mod vocabulary;

use std::io::{Read, Seek};

use super::directory::Directory;
use super::source::Source;
use super::{Checkpoint, CheckpointError};

/// The files of a model, as `save_pretrained` names them.
#[derive(Debug)]
pub struct HuggingFace<'a, R> {
    /// `config.json`.
    pub config: &'a str,
    /// `vocab.json`.
    pub vocabulary: &'a str,
    /// `merges.txt`.
    pub merges: &'a str,
    /// `model.safetensors`.
    pub weights: &'a mut R,
}

/// Reads a model; every tensor comes as `F32` or `F16`, matrices `[out, in]`, causal masks left out.
///
/// Costs at most 8 times the header of `model.safetensors`, or 8 times the other files, plus the tensors.
pub fn read<R: Read + Seek>(files: HuggingFace<R>) -> Result<Checkpoint, CheckpointError> {
    let mut source = Source::new(files.weights)?;
    let (described, data) = header::read(&mut source)?;
    let said = config::parse(files.config)?;
    let directory = Directory::new(names::stored(described, &data, said.is_tied())?, data)?;
    let config = said.config(&directory);
    let tokenizer = vocabulary::parse(files.vocabulary, files.merges, said.start(), config.vocabulary_size)?;
    let weights = directory.load(&config, &mut source)?;
    Ok(Checkpoint { config, tokenizer, weights })
}
