//! Layer norm.

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor};

use super::tape::apply3;
use super::{expect, numbers, result, with_numbers};
use crate::kernels;
use crate::kernels::gradients::layer_norm_gradient;

/// `(x − mean) / √(variance + epsilon) · weight + bias` over the last dimension. The shapes are `[…, n_embd]`,
/// `[n_embd]` and `[n_embd]` → `[…, n_embd]`.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f32) -> Result<Tensor> {
    apply3(x, weight, bias, LayerNormOp { epsilon })
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
    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut of_x = vec![0.0; x.elem_count()];
        let [mut of_weight, mut of_bias] = [vec![0.0; weight.elem_count()], vec![0.0; weight.elem_count()]];
        let gradient = gradient.contiguous()?;
        with_numbers(x, |x| {
            with_numbers(weight, |weight| {
                with_numbers(&gradient, |gradient| {
                    let of_weights = (&mut of_weight[..], &mut of_bias[..]);
                    layer_norm_gradient(x, weight, self.epsilon, gradient, &mut of_x, of_weights);
                })
            })
        })???;
        let tensor = |numbers, like: &Tensor| Tensor::from_vec(numbers, like.shape(), &Device::Cpu).map(Some);
        Ok((tensor(of_x, x)?, tensor(of_weight, weight)?, tensor(of_bias, bias)?))
    }
}
