//! The layers that hold weights: linear, layer norm, token embedding.

use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};
use candle_nn::LayerNorm;

use super::Result;
use crate::checkpoint::Weights;

/// `x · weightᵀ + bias`, with the weight in the precision of its file.
#[derive(Debug)]
pub struct Linear {
    weight: QMatMul,
    bias: Option<Tensor>,
}

impl Linear {
    /// Takes `NAME.weight`, `[outputs, inputs]`, and `NAME.bias`, `[outputs]`, where there is one.
    pub fn load(weights: &mut Weights, name: &str, (inputs, outputs): (usize, usize), bias: bool) -> Result<Self> {
        let weight = weights.take(&format!("{name}.weight"), &[outputs, inputs])?;
        let bias = match bias {
            true => Some(vector(weights, &format!("{name}.bias"), outputs)?),
            false => None,
        };
        Ok(Linear { weight: QMatMul::from_qtensor(weight)?, bias })
    }

    /// A head that shares its weight, `[vocabulary, width]`, with the token embedding.
    pub fn tied(embedding: &Embedding) -> Result<Self> {
        Ok(Linear { weight: QMatMul::from_arc(embedding.table.clone())?, bias: None })
    }

    /// `[rows, inputs]` → `[rows, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.weight.forward(x)?;
        Ok(match &self.bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        })
    }

    /// The weight, if it is held as its file has it.
    pub fn quantised(&self) -> Option<&QTensor> {
        match &self.weight {
            QMatMul::QTensor(weight) => Some(weight),
            QMatMul::Tensor(_) | QMatMul::TensorF16(_) => None,
        }
    }
}

/// The token embedding, `[vocabulary, width]`; rows are dequantised as they are looked up.
#[derive(Debug)]
pub struct Embedding {
    table: Arc<QTensor>,
}

impl Embedding {
    /// Takes `NAME.weight`, `[rows, width]`.
    pub fn load(weights: &mut Weights, name: &str, rows: usize, width: usize) -> Result<Self> {
        let table = weights.take(&format!("{name}.weight"), &[rows, width])?;
        Ok(Embedding { table: Arc::new(table) })
    }

    /// ids → `[ids, width]`.
    pub fn forward(&self, ids: &[u32]) -> Result<Tensor> {
        Ok(self.table.embedding(&Tensor::new(ids, &Device::Cpu)?)?)
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
