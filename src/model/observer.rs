//! Looks inside: every named value of a forward pass can be observed, and replaced.

use std::fmt;

use candle_core::Tensor;

use super::{ModelError, Result, TeamError};

/// A named value of a forward pass; the number is the block's, from 0. `rows` are the tokens read, or in the last block
/// only those whose logits are wanted. The names are TransformerLens's (Nanda and Bloom 2022), with `logits` added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// Token and position embeddings, added: the residual stream before the first block, `[batch, tokens, n_embd]`.
    Embedding,
    /// The attention's input: the layer norm of the residual stream, `[batch, tokens, n_embd]`.
    AttentionNorm(usize),
    /// The attention weights: `[batch, heads, rows, positions]`, 0 for positions behind the row's own.
    AttentionWeights(usize),
    /// The outputs of all heads, concatenated, before the projection: `[batch, rows, n_embd]`.
    HeadOutputs(usize),
    /// The attention's output, which is added to the residual stream: `[batch, rows, n_embd]`.
    AttentionOutput(usize),
    /// The residual stream between attention and MLP: `[batch, rows, n_embd]`.
    ResidualMiddle(usize),
    /// The MLP's input: the layer norm of the residual stream, `[batch, rows, n_embd]`.
    MlpNorm(usize),
    /// The MLP's hidden layer, behind the activation function: `[batch, rows, n_inner]`.
    MlpHidden(usize),
    /// The MLP's output, which is added to the residual stream: `[batch, rows, n_embd]`.
    MlpOutput(usize),
    /// The residual stream after the block: `[batch, rows, n_embd]`.
    Residual(usize),
    /// The head's input: the last layer norm, `[batch, rows, n_embd]`.
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
            Hook::MlpHidden(block) => write!(formatter, "blocks.{block}.mlp.hook_post"),
            Hook::MlpOutput(block) => write!(formatter, "blocks.{block}.hook_mlp_out"),
            Hook::Residual(block) => write!(formatter, "blocks.{block}.hook_resid_post"),
            Hook::Norm => write!(formatter, "ln_final.hook_normalized"),
            Hook::Logits => write!(formatter, "logits"),
        }
    }
}

/// Observes a forward pass.
pub trait Observer {
    /// Whether to observe this value. Other values are not kept, and attention weights are then not even computed.
    fn wants(&self, hook: Hook) -> bool;

    /// Gets a value. May return another one of the same shape, with which the pass goes on.
    fn see(&mut self, hook: Hook, value: &Tensor) -> Option<Tensor>;
}

/// The observer of a pass, if there is one.
#[derive(Default)]
pub(super) struct Watch<'a>(pub Option<&'a mut dyn Observer>);

impl Watch<'_> {
    /// Whether the observer wants this value.
    pub fn wants(&self, hook: Hook) -> bool {
        self.0.as_ref().is_some_and(|observer| observer.wants(hook))
    }

    /// The observer's replacement for this value, if there is one.
    pub fn replaced(&mut self, hook: Hook, value: &Tensor) -> Result<Option<Tensor>> {
        let Some(observer) = self.0.as_mut().filter(|observer| observer.wants(hook)) else { return Ok(None) };
        let Some(other) = observer.see(hook, value) else { return Ok(None) };
        if other.shape() != value.shape() || other.dtype() != value.dtype() {
            let (expected, found) = (value.dims().to_vec(), other.dims().to_vec());
            return Err(ModelError::Replaced { hook, expected, found });
        }
        Ok(Some(other.contiguous()?))
    }

    /// Shows a value of a team's pass to the observer, which cannot replace it: the others go on with theirs.
    pub fn show(&mut self, hook: Hook, value: &Tensor) -> Result<()> {
        match self.replaced(hook, value)? {
            Some(_) => Err(TeamError::Alone("replacing a value").into()),
            None => Ok(()),
        }
    }

    /// Shows a value to the observer. Returns the value to go on with.
    pub fn see(&mut self, hook: Hook, value: Tensor) -> Result<Tensor> {
        Ok(self.replaced(hook, &value)?.unwrap_or(value))
    }
}
