//! Looking inside: every value of a forward pass that has a name can be seen, and replaced.

use std::fmt;

use candle_core::Tensor;

use super::{ModelError, Result};

/// A named value of a forward pass; the number is the block's, from 0. `rows` are the tokens read, or in the last block
/// only those whose logits are wanted. The names are TransformerLens's (Nanda and Bloom 2022), with `logits` added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// Token and position embeddings, added: the residual stream before the first block, `[batch, tokens, n_embd]`.
    Embedding,
    /// What the attention reads: the residual stream's layer norm, `[batch, tokens, n_embd]`.
    AttentionNorm(usize),
    /// What each head of each row attends to: `[batch, heads, rows, positions]`, 0 for positions behind the row's own.
    AttentionWeights(usize),
    /// What each head reads, one after the other, before the projection: `[batch, rows, n_embd]`.
    HeadOutputs(usize),
    /// What the attention adds to the residual stream: `[batch, rows, n_embd]`.
    AttentionOutput(usize),
    /// The residual stream between attention and MLP: `[batch, rows, n_embd]`.
    ResidualMiddle(usize),
    /// What the MLP reads: the residual stream's layer norm, `[batch, rows, n_embd]`.
    MlpNorm(usize),
    /// What the MLP adds to the residual stream: `[batch, rows, n_embd]`.
    MlpOutput(usize),
    /// The residual stream after the block: `[batch, rows, n_embd]`.
    Residual(usize),
    /// What the head reads: the last layer norm, `[batch, rows, n_embd]`.
    Norm,
    /// `[batch, rows, vocabulary]`.
    Logits,
}

impl fmt::Display for Hook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hook::Embedding => write!(formatter, "blocks.0.hook_resid_pre"),
            Hook::AttentionNorm(block) => write!(formatter, "blocks.{block}.ln1.hook_normalized"),
            Hook::AttentionWeights(block) => write!(formatter, "blocks.{block}.attn.hook_pattern"),
            Hook::HeadOutputs(block) => write!(formatter, "blocks.{block}.attn.hook_z"),
            Hook::AttentionOutput(block) => write!(formatter, "blocks.{block}.hook_attn_out"),
            Hook::ResidualMiddle(block) => write!(formatter, "blocks.{block}.hook_resid_mid"),
            Hook::MlpNorm(block) => write!(formatter, "blocks.{block}.ln2.hook_normalized"),
            Hook::MlpOutput(block) => write!(formatter, "blocks.{block}.hook_mlp_out"),
            Hook::Residual(block) => write!(formatter, "blocks.{block}.hook_resid_post"),
            Hook::Norm => write!(formatter, "ln_final.hook_normalized"),
            Hook::Logits => write!(formatter, "logits"),
        }
    }
}

/// Someone who looks at a forward pass.
pub trait Observer {
    /// Whether this value is to be shown. What nobody wants is not kept; attention weights are not even computed.
    fn wants(&self, hook: Hook) -> bool;

    /// Sees a value, and may give another of the same shape to go on with.
    fn see(&mut self, hook: Hook, value: &Tensor) -> Option<Tensor>;
}

/// The observer of a pass, or none.
#[derive(Default)]
pub(super) struct Watch<'a>(pub Option<&'a mut dyn Observer>);

impl Watch<'_> {
    /// Whether somebody wants this value.
    pub fn wants(&self, hook: Hook) -> bool {
        self.0.as_ref().is_some_and(|observer| observer.wants(hook))
    }

    /// What to go on with in place of this value, where that is something else.
    pub fn replaced(&mut self, hook: Hook, value: &Tensor) -> Result<Option<Tensor>> {
        let Some(observer) = self.0.as_mut().filter(|observer| observer.wants(hook)) else { return Ok(None) };
        let Some(other) = observer.see(hook, value) else { return Ok(None) };
        if other.shape() != value.shape() || other.dtype() != value.dtype() {
            let (expected, found) = (value.dims().to_vec(), other.dims().to_vec());
            return Err(ModelError::Replaced { hook, expected, found });
        }
        Ok(Some(other.contiguous()?))
    }

    /// Shows a value; returns what to go on with.
    pub fn see(&mut self, hook: Hook, value: Tensor) -> Result<Tensor> {
        Ok(self.replaced(hook, &value)?.unwrap_or(value))
    }
}
