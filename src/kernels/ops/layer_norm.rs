//! Layer norm.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{expect, numbers, result};
use crate::kernels;

/// `(x − mean) / √(variance + epsilon) · weight + bias` over the last dimension. The shapes are `[…, n_embd]`,
/// `[n_embd]` and `[n_embd]` → `[…, n_embd]`.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f32) -> Result<Tensor> {
    x.apply_op3(weight, bias, LayerNormOp { epsilon })
}

struct LayerNormOp {
    epsilon: f32,
}

impl CustomOp3 for LayerNormOp {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight, bias) = (numbers(x, layout)?, numbers(weight, weight_layout)?, numbers(bias, bias_layout)?);
        let n_embd = layout.dims().last().copied().unwrap_or(0);
        expect(self.name(), "weights", weight.len(), n_embd)?;
        expect(self.name(), "biases", bias.len(), n_embd)?;
        let mut out = vec![0.0; x.len()];
        kernels::layer_norm(x, weight, bias, self.epsilon, &mut out);
        result(out, layout.shape())
    }
}
