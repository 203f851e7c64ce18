//! Describes a model, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::{CheckpointInfo, set_of};
use crate::checkpoint::precision::Precision;
use crate::model::Config;
use crate::model::config::Head;

/// The facts about a model that are shown before it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// GGUF's name of the architecture.
    pub architecture: &'static str,
    /// The program that made the files.
    pub source: &'static str,
    /// Weights, a tied head counted once.
    pub parameters: usize,
    /// Blocks.
    pub layers: usize,
    /// Length of the embedding.
    pub n_embd: usize,
    /// Attention heads per block.
    pub heads: usize,
    /// The longest window, in tokens.
    pub context: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// The kind of tokens.
    pub tokens: &'static str,
    /// Rows of the embedding that belong to no token, and are left out.
    pub padding_rows: usize,
    /// The MLP's nonlinearity.
    pub activation: &'static str,
    /// Where the head's weights come from.
    pub head: &'static str,
    /// The dtypes of the weights in the files.
    pub stored: Vec<String>,
    /// The dtypes in which the model keeps them.
    pub kept: Vec<String>,
    /// Names of files that are not used.
    pub ignored: Vec<String>,
}

impl CheckpointInfo {
    /// Describes the model as it is when it is loaded in this precision.
    pub fn summary(&self, precision: Option<Precision>) -> Summary {
        let Config { layers, n_embd, heads, context, vocabulary_size, activation, head, .. } = self.config;
        let parts = self.tensors.iter().flat_map(|tensor| &tensor.parts);
        let stored = parts.map(|part| format!("{:?}", part.info.dtype));
        let kept = self.tensors.iter().map(|tensor| format!("{:?}", self.dtype(tensor, precision)));
        Summary {
            architecture: "gpt2",
            source: self.source,
            parameters: self.config.parameters(),
            layers,
            n_embd,
            heads,
            context,
            vocabulary: vocabulary_size,
            tokens: if self.tokenizer.merges.is_empty() { "characters" } else { "byte pairs" },
            padding_rows: self.padding,
            activation: activation.name(),
            head: match head {
                Head::Tied => "tied",
                Head::Untied { bias: false } => "untied",
                Head::Untied { bias: true } => "untied, with a bias",
            },
            stored: set_of(stored).into_iter().collect(),
            kept: set_of(kept).into_iter().collect(),
            ignored: self.ignored.clone(),
        }
    }
}

/// One line for each field.
impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Summary { architecture, source, parameters, layers, n_embd, heads, context, vocabulary, tokens, .. } = self;
        let padding = match self.padding_rows {
            0 => String::new(),
            rows => format!(" ({rows} rows of padding left out)"),
        };
        writeln!(formatter, "architecture: {architecture}, {} and a head that is {}", self.activation, self.head)?;
        writeln!(formatter, "source: {source}")?;
        writeln!(formatter, "parameters: {parameters}")?;
        writeln!(formatter, "layers: {layers}, width: {n_embd}, heads: {heads}, context: {context}")?;
        writeln!(formatter, "vocabulary: {vocabulary} {tokens}{padding}")?;
        write!(formatter, "precision: {} in the files, {} as loaded", self.stored.join(", "), self.kept.join(", "))?;
        match self.ignored.as_slice() {
            [] => Ok(()),
            ignored => write!(formatter, "\nignored: {}", ignored.join(", ")),
        }
    }
}
