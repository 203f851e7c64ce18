//! A linear layer whose weights are variables, and the activation function behind it.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Tensor};

use super::tape::{apply1, apply2, apply3};
use super::{expect, numbers, result, with_last, with_numbers};
use crate::kernels::Activation;
use crate::kernels::elementwise::add_bias;
use crate::kernels::gradients::{add_rows, multiply_slopes};
use crate::kernels::product::{Operand, Size, add_product};

/// The same as [`linear`](super::linear), with gradients. The activation function is an operation of its own, since its
/// gradient needs what went into it.
pub(super) fn learned_linear(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    activation: Option<Activation>,
) -> Result<Tensor> {
    let out = match bias {
        Some(bias) => apply3(x, weight, bias, LearnedLinear)?,
        None => apply2(x, weight, LearnedLinear)?,
    };
    match activation {
        Some(activation) => apply1(&out, ActivationOp { activation }),
        None => Ok(out),
    }
}

struct LearnedLinear;

impl LearnedLinear {
    fn forward(
        (x, layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, (outputs, inputs)) = (numbers(x, layout)?, weight_layout.shape().dims2()?);
        expect("linear", "inputs", layout.dims().last().copied().unwrap_or(0), inputs)?;
        let rows = x.len() / inputs;
        let mut out = vec![0.0; rows * outputs];
        let weight = Operand::rows(numbers(weight, weight_layout)?, inputs).transposed();
        let size = Size { rows, columns: outputs, depth: inputs };
        add_product(&mut out, outputs, Operand::rows(x, inputs), weight, size);
        if let Some(bias) = bias {
            expect("linear", "biases", bias.len(), outputs)?;
        }
        add_bias(&mut out, bias, outputs, None);
        result(out, with_last(layout, outputs))
    }

    /// The gradients of rows and weight; and, as a tensor as long as there are outputs, that of a bias.
    fn backward(x: &Tensor, weight: &Tensor, gradient: &Tensor, has_bias: bool) -> Result<[Option<Tensor>; 3]> {
        let (outputs, inputs) = weight.dims2()?;
        let rows = x.elem_count() / inputs;
        let gradient = gradient.contiguous()?;
        let (mut of_x, mut of_weight) = (vec![0.0; rows * inputs], vec![0.0; outputs * inputs]);
        let mut of_bias = vec![0.0; if has_bias { outputs } else { 0 }];
        with_numbers(&gradient, |gradient: &[f32]| {
            let gradients = Operand::rows(gradient, outputs);
            with_numbers(weight, |weight: &[f32]| {
                let size = Size { rows, columns: inputs, depth: outputs };
                add_product(&mut of_x, inputs, gradients, Operand::rows(weight, inputs), size);
            })?;
            with_numbers(x, |x: &[f32]| {
                let size = Size { rows: outputs, columns: inputs, depth: rows };
                add_product(&mut of_weight, inputs, gradients.transposed(), Operand::rows(x, inputs), size);
            })?;
            if has_bias {
                add_rows(gradient, &mut of_bias);
            }
            Ok::<(), candle_core::Error>(())
        })??;
        let tensor = |numbers, shape: &[usize]| Tensor::from_vec(numbers, shape, &Device::Cpu);
        let of_bias = if has_bias { Some(tensor(of_bias, &[outputs])?) } else { None };
        Ok([Some(tensor(of_x, x.dims())?), Some(tensor(of_weight, weight.dims())?), of_bias])
    }
}

impl CustomOp2 for LearnedLinear {
    fn name(&self) -> &'static str {
        "learned-linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        LearnedLinear::forward((x, layout), (weight, weight_layout), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [of_x, of_weight, _] = LearnedLinear::backward(x, weight, gradient, false)?;
        Ok((of_x, of_weight))
    }
}

impl CustomOp3 for LearnedLinear {
    fn name(&self) -> &'static str {
        "learned-linear"
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
        LearnedLinear::forward((x, layout), (weight, weight_layout), Some(numbers(bias, bias_layout)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [of_x, of_weight, of_bias] = LearnedLinear::backward(x, weight, gradient, true)?;
        Ok((of_x, of_weight, of_bias))
    }
}

struct ActivationOp {
    activation: Activation,
}

impl CustomOp1 for ActivationOp {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = numbers(x, layout)?.to_vec();
        let columns = layout.dims().last().copied().unwrap_or(0);
        add_bias(&mut out, None, columns, Some(self.activation));
        result(out, layout.shape())
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let mut out = with_numbers(&gradient.contiguous()?, <[f32]>::to_vec)?;
        with_numbers(x, |x| multiply_slopes(&mut out, x, self.activation))?;
        Ok(Some(Tensor::from_vec(out, x.shape(), &Device::Cpu)?))
    }
}
