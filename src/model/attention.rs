//! Causal self-attention with several heads (Vaswani et al. 2017; GPT-2's `attn`).

use super::kv_cache::BlockSlot;
use super::linear::Linear;
use super::workspace::Workspace;
use super::{Config, Result};
use crate::checkpoint::Weights;
use crate::kernels::Finish;

/// One block's attention.
#[derive(Debug)]
pub struct Attention {
    pub(super) qkv: Linear,
    pub(super) output: Linear,
}

impl Attention {
    /// Takes `NAME.attn_qkv` and `NAME.attn_output`.
    pub fn load(config: &Config, weights: &mut Weights, name: &str) -> Result<Self> {
        let width = config.width;
        let qkv = Linear::load(weights, &format!("{name}.attn_qkv"), (width, 3 * width), config.qkv_bias)?;
        let output = Linear::load(weights, &format!("{name}.attn_output"), (width, width), true)?;
        Ok(Attention { qkv, output })
    }

    /// Makes queries, keys and values of the normed rows, which follow those in the cache, and keeps keys and values.
    pub fn keep(&self, space: &Workspace, slot: &BlockSlot<'_>) -> Result<()> {
        self.qkv.forward(&space.normed, &space.qkv, Finish::Keep, &space.scratch)?;
        slot.append(&space.qkv)
    }

    /// Adds what the rows' queries see to the residual stream.
    pub fn look(&self, space: &Workspace, slot: &BlockSlot<'_>) -> Result<()> {
        slot.attend(&space.qkv, &space.mixed, &space.scratch)?;
        self.output.add_to(&space.stream, &space.mixed, &space.scratch)
    }
}
