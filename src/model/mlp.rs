//! The feed-forward half of a block (GPT-2's `mlp`).

use candle_core::Tensor;

use super::linear::Linear;
use super::pass::BlockPass;
use super::{Config, Division, Hook, Result, Share};
use crate::model::Weights;

/// One block's MLP: a linear layer with the activation function, and a second linear layer.
#[derive(Debug)]
pub struct Mlp {
    pub(super) up: Linear,
    pub(super) down: Linear,
}

impl Mlp {
    /// Takes `NAME.ffn_up` and `NAME.ffn_down`.
    pub fn load(config: &Config, weights: &mut Weights, share: Share, name: &str) -> Result<Self> {
        let part = |division| share.part(config, division).len();
        let (n_embd, n_inner) = (config.n_embd, config.n_inner);
        let up = Linear::load(weights, &format!("{name}.ffn_up"), (n_embd, part(Division::Inner)), true)?;
        let down = Linear::load(weights, &format!("{name}.ffn_down"), (n_inner, part(Division::Embedding)), true)?;
        Ok(Mlp { up: up.with_activation(config.activation), down })
    }

    /// `[batch, rows, n_embd]` → the MLP's output of the same shape. It is to be added to the residual stream.
    pub(super) fn forward(&self, x: &Tensor, pass: &mut BlockPass<'_>) -> Result<Tensor> {
        let hidden = pass.gather(self.up.forward(x)?, Division::Inner)?; // [batch, rows, n_inner]
        let hidden = pass.see(Hook::MlpHidden, hidden)?;
        let output = pass.gather(self.down.forward(&hidden)?, Division::Embedding)?;
        pass.see(Hook::MlpOutput, output)
    }
}
