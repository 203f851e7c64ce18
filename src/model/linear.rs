//! The layers that hold weights: linear, layer norm, token embedding.

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};
use candle_nn::LayerNorm;

use super::Result;
use crate::checkpoint::Weights;
use crate::kernels::{MatMul, Q8Matrix};

/// A matrix, `[outputs, inputs]`.
#[derive(Clone, Debug)]
enum Matrix {
    /// In 8 bits, by our own kernels.
    Q8(Arc<Q8Matrix>),
    /// In the precision of its file, by candle's.
    Other(Arc<QTensor>, QMatMul),
}

impl Matrix {
    fn take(weights: &mut Weights, name: &str, outputs: usize, inputs: usize) -> Result<Self> {
        let tensor = weights.take(name, &[outputs, inputs])?;
        if let Some(matrix) = Q8Matrix::new(&tensor)? {
            return Ok(Matrix::Q8(Arc::new(matrix)));
        }
        let tensor = Arc::new(tensor);
        Ok(Matrix::Other(tensor.clone(), QMatMul::from_arc(tensor)?))
    }

    /// `[rows, inputs]` → `[rows, outputs]`.
    fn multiply(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Matrix::Q8(matrix) => x.apply_op1_no_bwd(&MatMul(matrix))?,
            Matrix::Other(_, matrix) => matrix.forward(x)?,
        })
    }
}

/// `x · weightᵀ + bias`, with the weight in the precision of its file.
#[derive(Debug)]
pub struct Linear {
    weight: Matrix,
    bias: Option<Tensor>,
}

impl Linear {
    /// Takes `NAME.weight`, `[outputs, inputs]`, and `NAME.bias`, `[outputs]`, where there is one.
    pub fn load(weights: &mut Weights, name: &str, (inputs, outputs): (usize, usize), bias: bool) -> Result<Self> {
        let weight = Matrix::take(weights, &format!("{name}.weight"), outputs, inputs)?;
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

    /// `[rows, inputs]` → `[rows, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.weight.multiply(x)?;
        Ok(match &self.bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        })
    }

    /// The weight's bytes, where it is held in 8 bits.
    pub fn quantised(&self) -> Option<&[i8]> {
        match &self.weight {
            Matrix::Q8(matrix) => Some(matrix.bytes()),
            Matrix::Other(..) => None,
        }
    }
}

/// The token embedding, `[vocabulary, width]`; rows are dequantised as they are looked up.
#[derive(Debug)]
pub struct Embedding {
    table: Matrix,
}

impl Embedding {
    /// Takes `NAME.weight`, `[rows, width]`.
    pub fn load(weights: &mut Weights, name: &str, rows: usize, width: usize) -> Result<Self> {
        Ok(Embedding { table: Matrix::take(weights, &format!("{name}.weight"), rows, width)? })
    }

    /// ids → `[ids, width]`; an id that is none is an error.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        let matrix = match &self.table {
            Matrix::Q8(matrix) => matrix,
            Matrix::Other(table, _) => return Ok(table.embedding(&Tensor::new(ids, &Device::Cpu)?)?),
        };
        if let Some(id) = ids.iter().find(|id| **id as usize >= matrix.outputs()) {
            return Err(candle_core::Error::Msg(format!("token {id} of {}", matrix.outputs())).into());
        }
        let rows: Vec<f32> = ids.iter().flat_map(|id| matrix.row(*id as usize)).collect();
        Ok(Tensor::from_vec(rows, (ids.len(), matrix.inputs()), &Device::Cpu)?)
    }
}

/// Takes `NAME.weight` and `NAME.bias`, `[width]` each.
pub fn layer_norm(weights: &mut Weights, name: &str, width: usize, epsilon: f64) -> Result<LayerNorm> {
    let weight = vector(weights, &format!("{name}.weight"), width)?;
    let bias = vector(weights, &format!("{name}.bias"), width)?;
    Ok(LayerNorm::new(weight, bias, epsilon))
}

/// Takes a vector of this length as float32.
fn vector(weights: &mut Weights, name: &str, length: usize) -> Result<Tensor> {
    Ok(weights.take(name, &[length])?.dequantize(&Device::Cpu)?)
}
