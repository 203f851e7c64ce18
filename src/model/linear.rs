//! The layers that hold weights: linear, layer norm, embedding.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::{Config, Division, Member, Result, Share};
use crate::kernels::ops::{self, Matrix};
use crate::kernels::{Activation, memory};
use crate::model::{Weight, Weights};

/// Takes `[outputs, inputs]`, in 8 bits if the file has it so, else in float32.
fn matrix(weights: &mut Weights, name: &str, outputs: usize, inputs: usize) -> Result<Matrix> {
    Ok(match weights.take(name, &[outputs, inputs])? {
        Weight::Q8(matrix) => Matrix::Q8(Arc::new(matrix)),
        Weight::Learned(tensor) => Matrix::Learned(tensor),
        other => Matrix::F32(float32(other)?),
    })
}

/// Takes a tensor of this shape in float32.
pub(super) fn tensor(weights: &mut Weights, name: &str, shape: &[usize]) -> Result<Tensor> {
    float32(weights.take(name, shape)?)
}

fn float32(weight: Weight) -> Result<Tensor> {
    if let Weight::F32(tensor) | Weight::Learned(tensor) = weight {
        return Ok(tensor);
    }
    memory::ensure(weight.shape().elem_count() as u64 * 4)?;
    Ok(weight.dequantize(&Device::Cpu)?)
}

/// `activation(x · weightᵀ + bias)`.
#[derive(Debug)]
pub struct Linear {
    pub(super) weight: Matrix,
    pub(super) bias: Option<Tensor>,
    activation: Option<Activation>,
}

impl Linear {
    /// Takes `NAME.weight`, `[outputs, inputs]`, and with `bias` also `NAME.bias`, `[outputs]`.
    pub fn load(weights: &mut Weights, name: &str, (inputs, outputs): (usize, usize), bias: bool) -> Result<Self> {
        let weight = matrix(weights, &format!("{name}.weight"), outputs, inputs)?;
        let bias = match bias {
            true => Some(tensor(weights, &format!("{name}.bias"), &[outputs])?),
            false => None,
        };
        Ok(Linear { weight, bias, activation: None })
    }

    /// A head that shares its weight, `[vocabulary, n_embd]`, with the token embedding.
    pub fn tied(embedding: &Embedding) -> Self {
        Linear { weight: embedding.tokens.clone(), bias: None, activation: None }
    }

    /// The same layer, followed by an activation function.
    pub fn with_activation(self, activation: Activation) -> Self {
        Linear { activation: Some(activation), ..self }
    }

    /// `[batch, tokens, inputs]` → `[batch, tokens, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if self.outputs()? == 0 {
            // A member of a team may have no rows of a small matrix.
            let (batch, tokens, _) = x.dims3()?;
            return Ok(Tensor::zeros((batch, tokens, 0), DType::F32, &Device::Cpu)?);
        }
        Ok(ops::linear(x, &self.weight, self.bias.as_ref(), self.activation)?)
    }

    fn outputs(&self) -> Result<usize> {
        match &self.weight {
            Matrix::Q8(matrix) => Ok(matrix.outputs()),
            Matrix::F32(tensor) | Matrix::Learned(tensor) => Ok(tensor.dim(0)?),
        }
    }

    /// The weight's bytes, if it is in 8 bits.
    pub fn quantised(&self) -> Option<&[u8]> {
        match &self.weight {
            Matrix::Q8(matrix) => Some(matrix.bytes()),
            Matrix::F32(_) | Matrix::Learned(_) => None,
        }
    }
}

/// The sum of token and position embeddings.
#[derive(Debug)]
pub struct Embedding {
    /// `[vocabulary, n_embd]`, or a member's rows of it; rows are dequantised as they are looked up.
    pub(super) tokens: Matrix,
    /// `[context, n_embd]`.
    pub(super) positions: Tensor,
}

impl Embedding {
    /// Takes `token_embd.weight` and `position_embd.weight`.
    pub fn load(config: &Config, weights: &mut Weights, share: Share) -> Result<Self> {
        let rows = share.part(config, Division::Vocabulary).len();
        let tokens = matrix(weights, "token_embd.weight", rows, config.n_embd)?;
        let positions = tensor(weights, "position_embd.weight", &[config.context, config.n_embd])?;
        Ok(Embedding { tokens, positions })
    }

    /// Ids, `[batch, tokens]`, at `position` and after → `[batch, tokens, n_embd]`.
    pub fn forward(&self, ids: &Tensor, position: usize, config: &Config, member: &Member) -> Result<Tensor> {
        let (share, positions) = (member.share(), (&self.positions, position));
        if share.is_whole() {
            return Ok(ops::embedding(ids, None, &self.tokens, positions)?);
        }
        let parts = share.parts(config, Division::Vocabulary);
        let own = ops::embedding(ids, Some(parts[share.member()].start), &self.tokens, positions)?;
        let owner = |id: &u32| parts.partition_point(|part| part.end <= *id as usize);
        let owners = ops::with_numbers(ids, |ids: &[u32]| ids.iter().map(owner).collect::<Vec<_>>())?;
        member.gather_rows(own, &owners)
    }
}

/// A layer norm over `[n_embd]`.
#[derive(Debug)]
pub struct LayerNorm {
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
    epsilon: f32,
}

impl LayerNorm {
    /// Takes `NAME.weight` and `NAME.bias`, `[n_embd]` each.
    pub fn load(config: &Config, weights: &mut Weights, name: &str) -> Result<Self> {
        let weight = tensor(weights, &format!("{name}.weight"), &[config.n_embd])?;
        let bias = tensor(weights, &format!("{name}.bias"), &[config.n_embd])?;
        Ok(LayerNorm { weight, bias, epsilon: config.layer_norm_epsilon as f32 })
    }

    /// `[batch, tokens, n_embd]` → a tensor of the same shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::layer_norm(x, &self.weight, &self.bias, self.epsilon)?)
    }
}
