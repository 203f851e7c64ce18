//! A loaded model's weights by GGUF's names, as they lie in memory.

use candle_core::Tensor;
use candle_core::quantized::GgmlDType;

use super::Gpt;
use super::block::Block;
use super::linear::{LayerNorm, Linear};
use crate::kernels::Q8Matrix;
use crate::kernels::ops::Matrix;

/// A weight that the model goes on holding.
#[derive(Clone, Copy, Debug)]
pub enum WeightRef<'a> {
    /// A matrix in 8 bits.
    Q8(&'a Q8Matrix),
    /// Anything in float32.
    F32(&'a Tensor),
}

impl Gpt {
    /// The tensor of this name (`blk.0.attn_qkv.weight`); none where the model has no such.
    pub fn tensor(&self, name: &str) -> Option<WeightRef<'_>> {
        let (layer, part) = name.rsplit_once('.')?;
        if let Some((number, layer)) = layer.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
            return self.blocks.get(number.parse::<usize>().ok()?)?.tensor(layer, part);
        }
        match (layer, part) {
            ("token_embd", "weight") => Some(lent(&self.embedding.tokens)),
            ("position_embd", "weight") => Some(WeightRef::F32(&self.embedding.positions)),
            ("output_norm", _) => self.norm.tensor(part),
            ("output", _) => self.head.tensor(part),
            _ => None,
        }
    }

    /// How the file kept the tensor of this name, as far as it can be told: one that is neither in 8 bits nor in 16
    /// was in 32, or lost nothing by becoming so.
    pub fn kept(&self, name: &str) -> GgmlDType {
        match self.tensor(name) {
            Some(WeightRef::Q8(_)) => GgmlDType::Q8_0,
            _ if self.halves.contains(name) => GgmlDType::F16,
            _ => GgmlDType::F32,
        }
    }
}

impl Block {
    fn tensor(&self, layer: &str, part: &str) -> Option<WeightRef<'_>> {
        let [qkv, output, up, down] = self.linears();
        match layer {
            "attn_norm" => self.attention_norm.tensor(part),
            "attn_qkv" => qkv.tensor(part),
            "attn_output" => output.tensor(part),
            "ffn_norm" => self.mlp_norm.tensor(part),
            "ffn_up" => up.tensor(part),
            "ffn_down" => down.tensor(part),
            _ => None,
        }
    }
}

impl Linear {
    fn tensor(&self, part: &str) -> Option<WeightRef<'_>> {
        match part {
            "weight" => Some(lent(&self.weight)),
            "bias" => self.bias.as_ref().map(WeightRef::F32),
            _ => None,
        }
    }
}

impl LayerNorm {
    fn tensor(&self, part: &str) -> Option<WeightRef<'_>> {
        match part {
            "weight" => Some(WeightRef::F32(&self.weight)),
            "bias" => Some(WeightRef::F32(&self.bias)),
            _ => None,
        }
    }
}

fn lent(matrix: &Matrix) -> WeightRef<'_> {
    match matrix {
        Matrix::Q8(matrix) => WeightRef::Q8(matrix),
        Matrix::F32(matrix) => WeightRef::F32(matrix),
    }
}
