//! A model that is fine-tuned.

use std::io::{Read, Seek};

use candle_core::{Device, Tensor};

use super::dataset::{MOST_CHARACTERS, expect_two_kinds};
use super::{TrainError, add_characters};
use crate::checkpoint::{self, Checkpoint};
use crate::model::Config;
use crate::tokenizer::{Tokenizer, TokenizerError, TokenizerSpec, Vocabulary};

/// A model whose weights a run begins with.
#[derive(Debug)]
pub struct Base {
    /// Its shape.
    pub config: Config,
    /// Its tokens.
    pub tokenizer: TokenizerSpec,
    /// Its weights in float32, by their names.
    pub tensors: Vec<(String, Tensor)>,
    /// The sha256 of its file.
    pub sha256: String,
}

impl Base {
    /// Reads a GGUF file.
    pub fn read(file: &mut (impl Read + Seek), sha256: String) -> Result<Self, TrainError> {
        let Checkpoint { config, tokenizer, weights } = checkpoint::read(file)?;
        let tensors = weights.iter().map(|(name, weight)| Ok((name.to_string(), weight.dequantize(&Device::Cpu)?)));
        let tensors = tensors.collect::<Result<_, candle_core::Error>>()?;
        Ok(Base { config, tokenizer, tensors, sha256 })
    }

    /// Adds the characters of a text that a character model does not know, and returns them.
    pub fn learn_characters(&mut self, text: &str, seed: u32) -> Result<Vec<char>, TrainError> {
        expect_two_kinds(text)?;
        let tokenizer = Tokenizer::new(self.tokenizer.clone())?;
        let unknown = match tokenizer.encode(text) {
            Err(TokenizerError::UnknownCharacters { characters })
                if tokenizer.vocabulary() == Vocabulary::Characters =>
            {
                characters
            }
            _ => return Ok(Vec::new()),
        };
        let count = self.config.vocabulary_size + unknown.len();
        if count > MOST_CHARACTERS {
            return Err(TrainError::ManyCharacters { count });
        }
        add_characters(&mut self.config, &mut self.tokenizer, &mut self.tensors, &unknown, seed.into())?;
        Ok(unknown)
    }
}
