//! What a reader chooses before a run: a size with what fits it, or single numbers instead.

use serde::{Deserialize, Serialize};

use super::optimizer::{AdamW, Muon, Optimizers};
use super::recipe::{Recipe, Schedule};
use super::{Base, Parameters, Run, Settings, TrainError, dataset};
use crate::checkpoint::precision::Precision;
use crate::kernels::product;
use crate::model::Config;
use crate::model::config::{Activation, Head};
use crate::tokenizer::TokenizerSpec;

/// Rows that a leaf of a batch has at least: with few, adding up gradients takes longer than computing them.
const LEAF_ROWS: [usize; 2] = [128, 256];
/// Parameters from which on the gradients do not stay in the processor's cache.
const MANY: usize = 2_000_000;

/// Shapes with settings that go with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Size {
    /// 4 blocks, 128 wide, 64 tokens: words within a minute.
    Tiny,
    /// 6 blocks, 192 wide, 128 tokens.
    #[default]
    Small,
    /// pearGPT's: 8 blocks, 320 wide, 256 tokens.
    Pear,
}

/// A run before it is known what it learns. `None` stands for what the size, or the model that is fine-tuned, has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The shape, with a batch and dropout that fit.
    pub size: Size,
    /// Blocks.
    pub n_layer: Option<usize>,
    /// Attention heads per block.
    pub n_head: Option<usize>,
    /// The model's width.
    pub n_embd: Option<usize>,
    /// Tokens of context.
    pub block_size: Option<usize>,
    /// Windows in a batch.
    pub batch_size: Option<usize>,
    /// The share that dropout sets to 0.
    pub dropout: Option<f32>,
    /// AdamW's learning rate, for all weights; `None` for Muon.
    pub learning_rate: Option<f32>,
    /// Steps.
    pub steps: Option<u64>,
    /// Decides the first weights, those of new characters, the order of the windows and what is dropped.
    pub seed: u32,
    /// The share of the text that is held out, at its end.
    pub held_out: f64,
    /// How matrices are kept in the model's file.
    pub precision: Precision,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            size: Size::default(),
            n_layer: None,
            n_head: None,
            n_embd: None,
            block_size: None,
            batch_size: None,
            dropout: None,
            learning_rate: None,
            steps: None,
            seed: 1,
            held_out: 0.1,
            precision: Precision::Q8_0,
        }
    }
}

impl Size {
    /// Its shape, for a vocabulary of this size.
    pub fn config(self, vocabulary_size: usize) -> Config {
        let (layers, heads, n_embd, context) = match self {
            Size::Tiny => (4, 4, 128, 64),
            Size::Small => (6, 6, 192, 128),
            Size::Pear => (8, 5, 320, 256),
        };
        Config {
            layers,
            heads,
            n_embd,
            n_inner: 4 * n_embd,
            context,
            vocabulary_size,
            layer_norm_epsilon: 1e-5,
            activation: Activation::GeluNew,
            head: Head::Tied,
            qkv_bias: true,
        }
    }

    /// Windows in a batch.
    pub fn batch(self) -> usize {
        match self {
            Size::Tiny => 12,
            Size::Small => 16,
            Size::Pear => 32,
        }
    }

    /// Steps, if nothing else is said.
    pub fn steps(self) -> u64 {
        2000
    }

    /// The share that dropout sets to 0: the larger a model, the sooner it learns a small text by heart.
    pub fn dropout(self) -> f32 {
        match self {
            Size::Tiny => 0.0,
            Size::Small => 0.1,
            Size::Pear => 0.3,
        }
    }
}

impl Plan {
    /// The shape of a model that begins with random weights, for a vocabulary of this size.
    pub fn config(&self, vocabulary_size: usize) -> Result<Config, TrainError> {
        let named = self.size.config(vocabulary_size);
        let n_embd = self.n_embd.unwrap_or(named.n_embd);
        let config = Config {
            layers: self.n_layer.unwrap_or(named.layers),
            heads: self.n_head.unwrap_or(named.heads),
            context: self.block_size.unwrap_or(named.context),
            n_embd,
            n_inner: 4 * n_embd,
            ..named
        };
        match n_embd.is_multiple_of(config.heads) {
            true => Ok(config),
            false => Err(TrainError::Heads { heads: config.heads, n_embd }),
        }
    }

    /// The recipe for a model of this shape on a text.
    fn recipe(&self, config: &Config, text_sha256: &str, from_sha256: Option<String>) -> Recipe {
        Recipe {
            text_sha256: text_sha256.to_string(),
            held_out: self.held_out,
            steps: self.steps.unwrap_or(self.size.steps()),
            schedule: match self.learning_rate {
                Some(_) => Schedule { warm_up: 100, flat: 0.0, last: 0.1 },
                None => Schedule { warm_up: 50, flat: 0.35, last: 0.0 },
            },
            settings: Settings {
                batch: self.batch_size.unwrap_or(self.size.batch()),
                leaf: leaf(config),
                dropout: self.dropout.unwrap_or(self.size.dropout()),
                clip: 1.0,
                ema: 0.995,
                seed: self.seed.into(),
            },
            optimizers: self.learning_rate.map_or_else(Optimizers::muon, Optimizers::adamw),
            is_fused: (product::selected().is_fused)(),
            from_sha256,
            precision: self.precision,
        }
    }

    /// Begins a run on a text, with random weights or with those of a model, which knows the text's characters.
    pub fn begin(&self, text: &str, text_sha256: &str, base: Option<&Base>) -> Result<Run, TrainError> {
        if let Some(Base { config, tokenizer, tensors, sha256 }) = base {
            let recipe = self.recipe(config, text_sha256, Some(sha256.clone()));
            return Run::begin(recipe, config, tokenizer.clone(), Parameters::new(tensors.clone())?, text);
        }
        let alphabet = dataset::alphabet(text)?;
        let config = self.config(alphabet.len())?;
        let parameters = Parameters::random(&config, self.seed.into())?;
        let recipe = self.recipe(&config, text_sha256, None);
        Run::begin(recipe, &config, TokenizerSpec::of_characters(&alphabet), parameters, text)
    }
}

/// Windows in a leaf of a batch.
pub fn leaf(config: &Config) -> usize {
    LEAF_ROWS[usize::from(config.parameters() > MANY)].div_ceil(config.context)
}

impl Optimizers {
    /// Muon for the blocks' matrices, AdamW for the rest.
    fn muon() -> Self {
        let adamw = AdamW { learning_rate: 3e-3, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.0 };
        Optimizers { adamw, muon: Some(Muon { learning_rate: 0.02, momentum: 0.95, weight_decay: 0.1 }) }
    }

    /// AdamW alone, as nanoGPT has it.
    fn adamw(learning_rate: f32) -> Self {
        let adamw = AdamW { learning_rate, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.1 };
        Optimizers { adamw, muon: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_has_whole_windows_and_rows_enough() {
        assert_eq!(leaf(&Size::Pear.config(65)), 1);
        assert_eq!(leaf(&Size::Tiny.config(65)), 2);
        assert_eq!(Size::Pear.config(65).parameters(), 9_967_040);
    }

    #[test]
    fn single_numbers_stand_in_for_the_sizes_and_a_width_that_the_heads_do_not_divide_is_refused() {
        let plan = Plan { n_embd: Some(96), n_head: Some(5), ..Plan::default() };
        let error = plan.config(65).unwrap_err().to_string();
        assert_eq!(error, "expected a width that 5 heads divide, found 96");
        let config = Plan { n_head: Some(3), ..plan }.config(65).unwrap();
        assert_eq!((config.layers, config.heads, config.n_embd, config.n_inner, config.context), (6, 3, 96, 384, 128));
    }
}
