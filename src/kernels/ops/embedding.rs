//! The sum of token and position embeddings.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Device, Error, Layout, Result, Shape, Tensor};

use super::tape::apply3;
use super::{Matrix, numbers, result, with_numbers};
use crate::kernels::Q8Matrix;
use crate::kernels::gradients::add_rows;

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
        Matrix::F32(tokens) | Matrix::Learned(tokens) => {
            apply3(ids, tokens, positions, EmbeddingOp { first, position })
        }
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

    fn bwd(
        &self,
        ids: &Tensor,
        tokens: &Tensor,
        positions: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let ((_, count), n_embd, gradient) = (ids.dims2()?, tokens.dim(1)?, gradient.contiguous()?);
        let [mut of_tokens, mut of_positions] = [tokens, positions].map(|matrix| vec![0.0; matrix.elem_count()]);
        let first = self.first.unwrap_or(0);
        with_numbers(ids, |ids: &[u32]| {
            with_numbers(&gradient, |gradient: &[f32]| {
                for (id, gradient) in ids.iter().zip(gradient.chunks_exact(n_embd)) {
                    add_rows(gradient, &mut of_tokens[(*id as usize - first) * n_embd..][..n_embd]);
                }
                add_rows(gradient, &mut of_positions[self.position * n_embd..][..count * n_embd]);
            })
        })??;
        let tensor = |numbers, like: &Tensor| Tensor::from_vec(numbers, like.shape(), &Device::Cpu).map(Some);
        Ok((None, tensor(of_tokens, tokens)?, tensor(of_positions, positions)?))
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
