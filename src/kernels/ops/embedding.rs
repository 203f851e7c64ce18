//! The sum of token and position embeddings.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Error, Layout, Result, Shape, Tensor};

use super::{Matrix, numbers, result};
use crate::kernels::Q8Matrix;

/// The embeddings of ids at `position` and after: `ids`, `[batch, tokens]`, `tokens`, `[vocabulary, n_embd]`, and
/// `positions`, `[context, n_embd]` → `[batch, tokens, n_embd]`. Where `tokens` has only some rows of the vocabulary, from
/// `first` on, other ids get zeros; else they are an error.
pub fn embedding(
    ids: &Tensor,
    first: Option<usize>,
    tokens: &Matrix,
    (positions, position): (&Tensor, usize),
) -> Result<Tensor> {
    match tokens {
        Matrix::Q8(matrix) => ids.apply_op2_no_bwd(positions, &Q8Embedding { first, tokens: matrix, position }),
        Matrix::F32(tokens) => ids.apply_op3(tokens, positions, EmbeddingOp { first, position }),
    }
}

struct Q8Embedding<'a> {
    first: Option<usize>,
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
        let Q8Embedding { first, tokens, position } = *self;
        let positions = (numbers(positions, layout)?, tokens.inputs(), position);
        let rows = (first, tokens.outputs());
        embed(numbers(ids, ids_layout)?, ids_layout, positions, rows, |id, out| {
            out.iter_mut().zip(tokens.row(id)).for_each(|(out, x)| *out += x);
        })
    }
}

struct EmbeddingOp {
    first: Option<usize>,
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
        let rows = (self.first, rows);
        embed(numbers(ids, ids_layout)?, ids_layout, positions, rows, |id, out| {
            out.iter_mut().zip(&tokens[id * n_embd..]).for_each(|(out, x)| *out += x);
        })
    }
}

/// Copies the embedding of each position, and calls `add` to add that of its id's row. Of `count` rows that begin at `first`
/// other ids get zeros; without `first` they are all there are.
fn embed(
    ids: &[u32],
    layout: &Layout,
    (positions, n_embd, position): (&[f32], usize, usize),
    (first, count): (Option<usize>, usize),
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
    if let (None, Some(id)) = (first, ids.iter().find(|id| **id as usize >= count)) {
        return Err(Error::Msg(format!("embedding: expected ids below {count}, found {id}")));
    }
    let first = first.unwrap_or(0);
    let mut out = positions[position * n_embd..][..tokens * n_embd].repeat(batch);
    for (id, out) in ids.iter().zip(out.chunks_exact_mut(n_embd)) {
        match (*id as usize).checked_sub(first).filter(|row| *row < count) {
            Some(row) => add(row, out),
            None => out.fill(0.0),
        }
    }
    result(out, (batch, tokens, n_embd))
}
