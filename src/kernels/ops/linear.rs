//! A linear layer with its bias and its activation function.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::learned_linear::learned_linear;
use super::{SCRATCH, expect, numbers, result, with_last};
use crate::kernels::elementwise::add_bias;
use crate::kernels::plain::multiply_f32;
use crate::kernels::{Activation, Q8Matrix, selected};

/// A matrix of weights, `[outputs, inputs]`.
#[derive(Clone, Debug)]
pub enum Matrix {
    /// In 8 bits.
    Q8(Arc<Q8Matrix>),
    /// In float32.
    F32(Tensor),
    /// A float32 variable that is learned; its products are [those for learning](crate::kernels::product).
    Learned(Tensor),
}

/// `activation(x · weightᵀ + bias)`. The shapes are `[…, inputs]`, `[outputs, inputs]` and `[outputs]` → `[…,
/// outputs]`.
pub fn linear(x: &Tensor, weight: &Matrix, bias: Option<&Tensor>, activation: Option<Activation>) -> Result<Tensor> {
    match (weight, bias) {
        (Matrix::Q8(weight), Some(bias)) => x.apply_op2_no_bwd(bias, &Q8Linear { weight, activation }),
        (Matrix::Q8(weight), None) => x.apply_op1_no_bwd(&Q8Linear { weight, activation }),
        (Matrix::Learned(weight), bias) => learned_linear(x, weight, bias, activation),
        (Matrix::F32(weight), Some(bias)) => x.apply_op3_no_bwd(weight, bias, &LinearOp { activation }),
        (Matrix::F32(weight), None) => x.apply_op2_no_bwd(weight, &LinearOp { activation }),
    }
}

struct Q8Linear<'a> {
    weight: &'a Q8Matrix,
    activation: Option<Activation>,
}

impl Q8Linear<'_> {
    fn forward(&self, x: &[f32], layout: &Layout, bias: Option<&[f32]>) -> Result<(CpuStorage, Shape)> {
        let Q8Linear { weight, activation } = self;
        let rows = rows("linear", x, layout, weight.inputs())?;
        let mut out = vec![0.0; rows * weight.outputs()];
        SCRATCH.with_borrow_mut(|scratch| {
            let kernel = selected();
            scratch.activations.quantise(x, weight.inputs(), kernel.operands);
            (kernel.multiply)(weight, 0..weight.row_blocks(), &scratch.activations, &mut out);
        });
        finish(out, layout, weight.outputs(), bias, *activation)
    }
}

impl CustomOp1 for Q8Linear<'_> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(numbers(x, layout)?, layout, None)
    }
}

impl CustomOp2 for Q8Linear<'_> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(numbers(x, layout)?, layout, Some(numbers(bias, bias_layout)?))
    }
}

struct LinearOp {
    activation: Option<Activation>,
}

impl LinearOp {
    fn forward(
        &self,
        (x, layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, (outputs, inputs)) = (numbers(x, layout)?, weight_layout.shape().dims2()?);
        let mut out = vec![0.0; rows("linear", x, layout, inputs)? * outputs];
        multiply_f32(numbers(weight, weight_layout)?, inputs, x, &mut out);
        finish(out, layout, outputs, bias, self.activation)
    }
}

impl CustomOp2 for LinearOp {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((x, layout), (weight, weight_layout), None)
    }
}

impl CustomOp3 for LinearOp {
    fn name(&self) -> &'static str {
        "linear"
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
        self.forward((x, layout), (weight, weight_layout), Some(numbers(bias, bias_layout)?))
    }
}

/// The number of rows of `inputs` numbers.
fn rows(op: &str, x: &[f32], layout: &Layout, inputs: usize) -> Result<usize> {
    expect(op, "inputs", layout.dims().last().copied().unwrap_or(0), inputs)?;
    Ok(x.len() / inputs)
}

fn finish(
    mut out: Vec<f32>,
    layout: &Layout,
    outputs: usize,
    bias: Option<&[f32]>,
    activation: Option<Activation>,
) -> Result<(CpuStorage, Shape)> {
    if let Some(bias) = bias {
        expect("linear", "biases", bias.len(), outputs)?;
    }
    add_bias(&mut out, bias, outputs, activation);
    result(out, with_last(layout, outputs))
}
