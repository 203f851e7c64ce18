//! Causal multi-head self-attention (Vaswani et al. 2017; GPT-2's `attn`).

use candle_core::{DType, Device, Tensor};

use super::linear::Linear;
use super::pass::BlockPass;
use super::{Config, Division, Hook, Result, Share};
use crate::kernels::ops;
use crate::model::Weights;

/// One block's attention.
#[derive(Debug)]
pub struct Attention {
    pub(super) qkv: Linear,
    pub(super) output: Linear,
}

impl Attention {
    /// Takes `NAME.attn_qkv` and `NAME.attn_output`.
    pub fn load(config: &Config, weights: &mut Weights, share: Share, name: &str) -> Result<Self> {
        let part = |division| share.part(config, division).len();
        let (n_embd, own) = (config.n_embd, part(Division::Heads));
        let qkv = Linear::load(weights, &format!("{name}.attn_qkv"), (n_embd, 3 * own), config.qkv_bias)?;
        let output = Linear::load(weights, &format!("{name}.attn_output"), (n_embd, part(Division::Embedding)), true)?;
        Ok(Attention { qkv, output })
    }

    /// `[batch, tokens, n_embd]` → the attention's output for the rows that go on, `[batch, rows, n_embd]`. It is to be
    /// added to the residual stream.
    pub(super) fn forward(&self, x: &Tensor, pass: &mut BlockPass<'_>) -> Result<Tensor> {
        let qkv = self.qkv.forward(x)?; // [batch, tokens, 3 · n_embd], in a team this member's heads
        let heads = self.heads(&qkv, pass)?;
        pass.switch_off(&heads)?;
        let heads = pass.gather(heads, Division::Heads)?; // [batch, rows, n_embd]
        let heads = pass.see(Hook::HeadOutputs, heads)?;
        let output = pass.gather(self.output.forward(&heads)?, Division::Embedding)?;
        pass.see(Hook::AttentionOutput, output)
    }

    /// The outputs of all heads, concatenated. An observer may have replaced the attention weights.
    fn heads(&self, qkv: &Tensor, pass: &mut BlockPass<'_>) -> Result<Tensor> {
        let rows = pass.rows(qkv)?;
        if qkv.dim(2)? == 0 {
            // A member of a team without a head.
            if pass.wants_weights() {
                let positions = pass.positions(qkv.dim(1)?);
                pass.see_weights(&Tensor::zeros((1, 0, rows, positions), DType::F32, &Device::Cpu)?)?;
            }
            return Ok(qkv.narrow(1, 0, rows)?);
        }
        pass.append(qkv)?;
        if pass.wants_weights() {
            let weights = ops::attention_weights(qkv, pass.attended(), rows)?;
            if let Some(weights) = pass.see_weights(&weights)? {
                return Ok(ops::mix_values(qkv, &weights, pass.attended())?);
            }
        }
        Ok(ops::attend(qkv, pass.attended(), rows)?)
    }
}
