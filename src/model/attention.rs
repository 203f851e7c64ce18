//! Causal self-attention with several heads (Vaswani et al. 2017; GPT-2's `attn`).

use candle_core::{Device, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::kv_cache::BlockSlot;
use super::linear::Linear;
use super::{Config, Result};
use crate::checkpoint::Weights;

/// One block's attention.
#[derive(Debug)]
pub struct Attention {
    pub(super) qkv: Linear,
    pub(super) output: Linear,
    heads: usize,
    head_width: usize,
}

impl Attention {
    /// Takes `NAME.attn_qkv` and `NAME.attn_output`.
    pub fn load(config: &Config, weights: &mut Weights, name: &str) -> Result<Self> {
        let width = config.width;
        let qkv = Linear::load(weights, &format!("{name}.attn_qkv"), (width, 3 * width), config.qkv_bias)?;
        let output = Linear::load(weights, &format!("{name}.attn_output"), (width, width), true)?;
        Ok(Attention { qkv, output, heads: config.heads, head_width: config.head_width() })
    }

    /// `[rows, width]` → `[rows, width]`. With a slot, the rows follow those in the cache, and are added to it.
    pub fn forward(&self, x: &Tensor, slot: Option<BlockSlot<'_>>) -> Result<Tensor> {
        let rows = x.dim(0)?;
        let qkv = self.qkv.forward(x)?; // [rows, 3 · width]
        let q = (self.split(&qkv, 0)? / (self.head_width as f64).sqrt())?; // [heads, rows, head_width]
        let k = self.split(&qkv, 1)?;
        let v = self.split(&qkv, 2)?;
        let (k, v) = match slot {
            Some(slot) => slot.append(&k, &v)?, // [heads, before + rows, head_width]
            None => (k, v),
        };
        let scores = q.matmul(&k.t()?)?; // [heads, rows, before + rows]
        let scores = match rows {
            1 => scores,
            _ => scores.broadcast_add(&causal_mask(rows, k.dim(1)?)?)?,
        };
        let mixed = softmax_last_dim(&scores)?.matmul(&v)?; // [heads, rows, head_width]
        let mixed = mixed.transpose(0, 1)?.reshape((rows, self.heads * self.head_width))?;
        self.output.forward(&mixed)
    }

    /// Third `index` of `[rows, 3 · width]` as `[heads, rows, head_width]`.
    fn split(&self, qkv: &Tensor, index: usize) -> Result<Tensor> {
        let width = self.heads * self.head_width;
        let third = qkv.narrow(1, index * width, width)?;
        Ok(third.reshape((qkv.dim(0)?, self.heads, self.head_width))?.transpose(0, 1)?.contiguous()?)
    }
}

/// `[rows, all]`: 0 where row `i`, which stands at `all - rows + i`, may look, −∞ where it would look ahead.
fn causal_mask(rows: usize, all: usize) -> Result<Tensor> {
    let before = all - rows;
    let mask = (0..rows)
        .flat_map(|row| (0..all).map(move |column| if column <= before + row { 0.0 } else { f32::NEG_INFINITY }));
    Ok(Tensor::from_iter(mask, &Device::Cpu)?.reshape((rows, all))?)
}
