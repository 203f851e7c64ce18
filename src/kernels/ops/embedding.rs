//! The sum of token and position embeddings.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Error, Layout, Result, Shape, Tensor};

use super::{Matrix, numbers, result};
use crate::kernels::Q8Matrix;

/// The embeddings of ids at `position` and after: `ids`, `[batch, tokens]`, `tokens`, `[vocabulary, n_embd]`, and
/// `positions`, `[context, n_embd]` → `[batch, tokens, n_embd]`.
pub fn embedding(ids: &Tensor, tokens: &Matrix, positions: &Tensor, position: usize) -> Result<Tensor> {
    match tokens {
        Matrix::Q8(matrix) => ids.apply_op2_no_bwd(positions, &Q8Embedding { tokens: matrix, position }),
        Matrix::F32(tokens) => ids.apply_op3(tokens, positions, EmbeddingOp { position }),
    }
}

struct Q8Embedding<'a> {
    tokens: &'a Q8Matrix,
    position: usize,
}

impl CustomOp2 for Q8Embedding<'_> {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(
        &self,
        ids: &CpuStorage,
        ids_layout: &Layout,
        positions: &CpuStorage,
        layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Q8Embedding { tokens, position } = *self;
        let positions = (numbers(positions, layout)?, tokens.inputs(), position);
        embed(numbers(ids, ids_layout)?, ids_layout, positions, tokens.outputs(), |id, out| {
            out.iter_mut().zip(tokens.row(id)).for_each(|(out, x)| *out += x);
        })
    }
}

struct EmbeddingOp {
    position: usize,
}

impl CustomOp3 for EmbeddingOp {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(
        &self,
        ids: &CpuStorage,
        ids_layout: &Layout,
        tokens: &CpuStorage,
        tokens_layout: &Layout,
        positions: &CpuStorage,
        layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, n_embd) = tokens_layout.shape().dims2()?;
        let tokens = numbers::<f32>(tokens, tokens_layout)?;
        let positions = (numbers(positions, layout)?, n_embd, self.position);
        embed(numbers(ids, ids_layout)?, ids_layout, positions, rows, |id, out| {
            out.iter_mut().zip(&tokens[id * n_embd..]).for_each(|(out, x)| *out += x);
        })
    }
}

/// Copies the embedding of each position, and calls `add` to add that of its id, which must be below `rows`.
fn embed(
    ids: &[u32],
    layout: &Layout,
    (positions, n_embd, position): (&[f32], usize, usize),
    rows: usize,
    add: impl Fn(usize, &mut [f32]),
) -> Result<(CpuStorage, Shape)> {
    let (batch, tokens) = layout.shape().dims2()?;
    let context = positions.len() / n_embd;
    if position + tokens > context {
        return Err(Error::Msg(format!(
            "embedding: expected {context} positions at most, found {}",
            position + tokens
        )));
    }
    if let Some(id) = ids.iter().find(|id| **id as usize >= rows) {
        return Err(Error::Msg(format!("embedding: expected ids below {rows}, found {id}")));
    }
    let mut out = positions[position * n_embd..][..tokens * n_embd].repeat(batch);
    ids.iter().zip(out.chunks_exact_mut(n_embd)).for_each(|(id, out)| add(*id as usize, out));
    result(out, (batch, tokens, n_embd))
}
