//! One block: attention and MLP, each after a layer norm and added to the residual stream.

use candle_core::Tensor;

use super::attention::Attention;
use super::linear::{LayerNorm, Linear};
use super::mlp::Mlp;
use super::pass::BlockPass;
use super::{Config, Hook, Result, Share};
use crate::kernels::ops::add;
use crate::model::Weights;

/// A pre-norm transformer block.
#[derive(Debug)]
pub struct Block {
    pub(super) attention_norm: LayerNorm,
    pub(super) attention: Attention,
    pub(super) mlp_norm: LayerNorm,
    pub(super) mlp: Mlp,
}

impl Block {
    /// Takes the weights whose names begin with `name`: `blk.0`.
    pub fn load(config: &Config, weights: &mut Weights, share: Share, name: &str) -> Result<Self> {
        Ok(Block {
            attention_norm: LayerNorm::load(config, weights, &format!("{name}.attn_norm"))?,
            attention: Attention::load(config, weights, share, name)?,
            mlp_norm: LayerNorm::load(config, weights, &format!("{name}.ffn_norm"))?,
            mlp: Mlp::load(config, weights, share, name)?,
        })
    }

    /// Takes the residual stream, `[batch, tokens, n_embd]`, through the block. From the last block only those rows go
    /// on whose logits are wanted.
    pub(super) fn forward(&self, x: &Tensor, pass: &mut BlockPass<'_>) -> Result<Tensor> {
        let normed = pass.see(Hook::AttentionNorm, self.attention_norm.forward(x)?)?;
        let x = add(&pass.wanted(x)?, &self.attention.forward(&normed, pass)?)?;
        let x = pass.see(Hook::ResidualMiddle, x)?;
        if pass.is_mlp_off() {
            return pass.see(Hook::Residual, x);
        }
        let normed = pass.see(Hook::MlpNorm, self.mlp_norm.forward(&x)?)?;
        let x = add(&x, &self.mlp.forward(&normed, pass)?)?;
        pass.see(Hook::Residual, x)
    }

    /// The block's matrices, in the order in which a row passes them.
    pub(super) fn linears(&self) -> [&Linear; 4] {
        [&self.attention.qkv, &self.attention.output, &self.mlp.up, &self.mlp.down]
    }
}
