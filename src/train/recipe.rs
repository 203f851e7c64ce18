//! A run as a recipe: everything that its weights depend on.

use serde::{Deserialize, Serialize};

use super::Settings;
use super::optimizer::{AdamW, Muon, Optimizers};
use crate::checkpoint::precision::Precision;
use crate::kernels::product;
use crate::model::Config;
use crate::model::config::{Activation, Head};

/// Rows that a leaf of a batch has at least: with few, adding up gradients takes longer than computing them.
const LEAF_ROWS: [usize; 2] = [128, 512];
/// Parameters from which on the gradients do not stay in the processor's cache.
const MANY: usize = 2_000_000;

/// Everything that the weights of a run depend on, beside the model's shape and first weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Of the text's bytes, in hexadecimal digits.
    pub text_sha256: String,
    /// The share of the text that is held out, at its end.
    pub held_out: f64,
    /// Steps from the first to the last.
    pub steps: u64,
    /// How the learning rates change over the steps.
    pub schedule: Schedule,
    /// How gradients are computed.
    pub settings: Settings,
    /// How weights follow them.
    pub optimizers: Optimizers,
    /// Whether a multiply-add rounds once, as it does natively.
    pub is_fused: bool,
    /// The sha256 of the model that is fine-tuned, if it is one.
    pub from_sha256: Option<String>,
    /// How matrices are kept in the model's file.
    pub precision: Precision,
}

impl Recipe {
    /// Whether this machine computes what the recipe says.
    pub fn fits_the_machine(&self) -> bool {
        self.is_fused == (product::selected().is_fused)()
    }
}

/// How the learning rates change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Steps in which they rise from 0.
    pub warm_up: u64,
    /// The share of the steps after which they begin to fall, to `last` at the end.
    pub flat: f32,
    /// What is left of them at the end.
    pub last: f32,
}

impl Schedule {
    /// What the learning rates are multiplied with in a step, counted from 0.
    pub fn rate(&self, step: u64, steps: u64) -> f32 {
        let warm = ((step + 1) as f32 / self.warm_up.max(1) as f32).min(1.0);
        let share = step as f32 / steps.max(1) as f32;
        let falls = (1.0 - share) / (1.0 - self.flat).max(f32::EPSILON);
        warm * (self.last + (1.0 - self.last) * falls.clamp(0.0, 1.0))
    }
}

/// Shapes with settings that go with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 4 blocks, 128 wide, 64 tokens: words within a minute.
    Tiny,
    /// 6 blocks, 192 wide, 128 tokens.
    Small,
    /// pearGPT's: 8 blocks, 320 wide, 256 tokens.
    Pear,
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

/// Windows in a leaf of a batch.
pub fn leaf(config: &Config) -> usize {
    LEAF_ROWS[usize::from(config.parameters() > MANY)].div_ceil(config.context)
}

impl Optimizers {
    /// Muon for the blocks' matrices, AdamW for the rest.
    pub fn muon() -> Self {
        let adamw = AdamW { learning_rate: 3e-3, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.0 };
        Optimizers { adamw, muon: Some(Muon { learning_rate: 0.02, momentum: 0.95, weight_decay: 0.1 }) }
    }

    /// AdamW alone, as nanoGPT has it.
    pub fn adamw(learning_rate: f32) -> Self {
        let adamw = AdamW { learning_rate, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.1 };
        Optimizers { adamw, muon: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rates_rise_stay_and_fall() {
        let schedule = Schedule { warm_up: 10, flat: 0.35, last: 0.0 };
        let rates: Vec<f32> = (0..100).map(|step| schedule.rate(step, 100)).collect();
        assert_eq!(rates[0], 0.1);
        assert!(rates[9..=35].iter().all(|rate| *rate == 1.0), "{rates:?}");
        assert!(rates[36..].windows(2).all(|pair| pair[1] < pair[0]) && rates[99] < 0.02);
        assert_eq!(Schedule { last: 0.1, ..schedule }.rate(100, 100), 0.1);
    }

    #[test]
    fn a_leaf_has_whole_windows_and_rows_enough() {
        assert_eq!(leaf(&Size::Pear.config(65)), 2);
        assert_eq!(leaf(&Size::Tiny.config(65)), 2);
        assert_eq!(Size::Pear.config(65).parameters(), 9_967_040);
    }
}
