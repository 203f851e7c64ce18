//! The layers that hold weights: linear, layer norm, token embedding.

use std::cell::RefCell;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::Result;
use crate::checkpoint::{Weight, Weights};
use crate::kernels::elementwise::finish;
use crate::kernels::{self, AddProduct, Finish, Matrix, PlainMatrix, Product, Scratch};

/// Takes `[outputs, inputs]`: in 8 bits where the file has it so, else in float32.
fn matrix(weights: &mut Weights, name: &str, outputs: usize, inputs: usize) -> Result<Matrix> {
    Ok(match weights.take(name, &[outputs, inputs])? {
        Weight::Q8(matrix) => Matrix::Q8(Arc::new(matrix)),
        other => Matrix::Plain(Arc::new(PlainMatrix::new(float32(&other)?, inputs))),
    })
}

/// A tensor's numbers.
pub(super) fn float32(tensor: &Weight) -> Result<Vec<f32>> {
    Ok(tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?)
}

/// Takes a vector of this length.
fn vector(weights: &mut Weights, name: &str, length: usize) -> Result<Vec<f32>> {
    float32(&weights.take(name, &[length])?)
}

/// `x · weightᵀ + bias`.
#[derive(Debug)]
pub struct Linear {
    pub(super) weight: Matrix,
    pub(super) bias: Option<Vec<f32>>,
}

impl Linear {
    /// Takes `NAME.weight`, `[outputs, inputs]`, and `NAME.bias`, `[outputs]`, where there is one.
    pub fn load(weights: &mut Weights, name: &str, (inputs, outputs): (usize, usize), bias: bool) -> Result<Self> {
        let weight = matrix(weights, &format!("{name}.weight"), outputs, inputs)?;
        let bias = match bias {
            true => Some(vector(weights, &format!("{name}.bias"), outputs)?),
            false => None,
        };
        Ok(Linear { weight, bias })
    }

    /// A head that shares its weight, `[vocabulary, width]`, with the token embedding.
    pub fn tied(embedding: &Embedding) -> Self {
        Linear { weight: embedding.table.clone(), bias: None }
    }

    /// Writes to `out`, `[rows, outputs]`, what becomes of `x`, `[rows, inputs]`.
    pub fn forward(&self, x: &Tensor, out: &Tensor, finish: Finish, scratch: &RefCell<Scratch>) -> Result<()> {
        let Linear { weight: matrix, bias } = self;
        Ok(out.inplace_op2(x, &Product { matrix, bias: bias.as_deref(), finish, scratch })?)
    }

    /// Adds to `stream`, `[rows, outputs]`, what becomes of `x`, `[rows, inputs]`.
    pub fn add_to(&self, stream: &Tensor, x: &Tensor, scratch: &RefCell<Scratch>) -> Result<()> {
        let Linear { weight: matrix, bias } = self;
        Ok(stream.inplace_op2(x, &AddProduct { matrix, bias: bias.as_deref(), scratch })?)
    }

    /// The outputs for one row, `[1, inputs]`, some after the other from the first on.
    pub fn each(&self, x: &Tensor, scratch: &RefCell<Scratch>, mut take: impl FnMut(&[f32])) -> Result<()> {
        /// Few enough that they are looked at before they leave the processor's first cache.
        const PART: usize = 1024;
        let mut begin = 0;
        Ok(self.weight.multiply_in_parts(x, PART, scratch, |part| {
            let bias = self.bias.as_ref().map(|bias| &bias[begin..begin + part.len()]);
            finish(part, bias, part.len(), Finish::Keep);
            begin += part.len();
            take(part);
        })?)
    }

    /// Rows of the weight.
    pub fn outputs(&self) -> usize {
        self.weight.outputs()
    }

    /// The weight's bytes, where it is held in 8 bits.
    pub fn quantised(&self) -> Option<&[u8]> {
        match &self.weight {
            Matrix::Q8(matrix) => Some(matrix.bytes()),
            Matrix::Plain(_) => None,
        }
    }
}

/// The token embedding, `[vocabulary, width]`; rows are dequantised as they are looked up.
#[derive(Debug)]
pub struct Embedding {
    pub(super) table: Matrix,
}

impl Embedding {
    /// Takes `NAME.weight`, `[rows, width]`.
    pub fn load(weights: &mut Weights, name: &str, rows: usize, width: usize) -> Result<Self> {
        Ok(Embedding { table: matrix(weights, &format!("{name}.weight"), rows, width)? })
    }

    /// Adds the row of `id`, which is one of the table's, to `out`.
    pub fn add_row(&self, id: u32, out: &mut [f32]) {
        self.table.row(id as usize, out);
    }
}

/// A layer norm over `[width]`.
#[derive(Debug)]
pub struct LayerNorm {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    epsilon: f32,
}

impl LayerNorm {
    /// Takes `NAME.weight` and `NAME.bias`, `[width]` each.
    pub fn load(weights: &mut Weights, name: &str, width: usize, epsilon: f64) -> Result<Self> {
        let weight = vector(weights, &format!("{name}.weight"), width)?;
        let bias = vector(weights, &format!("{name}.bias"), width)?;
        Ok(LayerNorm { weight, bias, epsilon: epsilon as f32 })
    }

    /// Writes the norm of `x`, `[rows, width]`, to `out`.
    pub fn forward(&self, x: &Tensor, out: &Tensor) -> Result<()> {
        let LayerNorm { weight, bias, epsilon } = self;
        Ok(out.inplace_op2(x, &kernels::LayerNorm { weight, bias, epsilon: *epsilon })?)
    }
}
