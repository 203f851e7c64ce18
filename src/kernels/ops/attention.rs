//! Causal multi-head self-attention, over a cache or among the rows themselves.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Error, Layout, Result, Shape, Tensor};

use super::causal_attention::CausalAttention;
use super::tape::{apply1, tracks};
use super::{SCRATCH, Scratch, expect, numbers, result, with_numbers};
use crate::kernels::{BlockCache, Heads};

/// The positions that rows of queries attend to.
#[derive(Clone, Copy, Debug)]
pub enum Attended<'a> {
    /// The rows of the same sequence up to their own. There is no cache, and everything is in float32.
    Rows(Heads),
    /// The positions of a cache up to their own. The last row is right before `end`. There is one sequence.
    Cache {
        /// Keys and values, including those of the rows.
        cache: &'a BlockCache,
        /// The position behind the last row.
        end: usize,
    },
}

/// Writes keys and values of `qkv`, `[1, tokens, 3 · n_embd]`, into a cache, at `position` and after.
pub fn append(qkv: &Tensor, cache: &mut BlockCache, position: usize) -> Result<()> {
    let (batch, _, columns) = qkv.dims3()?;
    expect("append", "sequence", batch, 1)?;
    expect("append", "columns", columns, 3 * cache.heads().n_embd())?;
    with_numbers(qkv, |qkv| cache.append(qkv, position))
}

/// `qkv`, `[batch, tokens, 3 · n_embd]` → the outputs of all heads, concatenated, `[batch, rows, n_embd]`, for the last
/// `rows` of each sequence. A head's output is the mean of the values up to the row's own position, weighted by
/// softmax(query · key / √head_dim).
pub fn attend(qkv: &Tensor, attended: Attended<'_>, rows: usize) -> Result<Tensor> {
    match attended {
        Attended::Rows(heads) if tracks(qkv) && rows == qkv.dim(1)? => apply1(qkv, CausalAttention { heads }),
        Attended::Rows(_) | Attended::Cache { .. } => qkv.apply_op1_no_bwd(&AttentionOp { attended, rows }),
    }
}

/// The weights that `attend` uses: `[batch, heads, rows, positions]`, with 0 for positions behind a row's own.
pub fn attention_weights(qkv: &Tensor, attended: Attended<'_>, rows: usize) -> Result<Tensor> {
    qkv.apply_op1_no_bwd(&AttentionWeightsOp { attended, rows })
}

/// The same as `attend`, with these weights instead of those of `attention_weights`.
pub fn mix_values(qkv: &Tensor, weights: &Tensor, attended: Attended<'_>) -> Result<Tensor> {
    qkv.apply_op2_no_bwd(weights, &MixValues { attended })
}

impl Attended<'_> {
    fn heads(&self) -> &Heads {
        match self {
            Attended::Rows(heads) => heads,
            Attended::Cache { cache, .. } => cache.heads(),
        }
    }

    /// Calls `each` for each sequence of a batch, with its number, its last `rows` of queries, keys and values, the
    /// cache that they attend to, and the position of the first row.
    fn each_sequence(
        &self,
        qkv: &[f32],
        (batch, tokens, columns): (usize, usize, usize),
        rows: usize,
        mut each: impl FnMut(usize, &[f32], &BlockCache, usize),
    ) -> Result<()> {
        expect("attention", "columns", columns, 3 * self.heads().n_embd())?;
        if rows > tokens {
            return Err(Error::Msg(format!("attention: expected at most {tokens} rows, found {rows}")));
        }
        for (index, qkv) in qkv.chunks_exact(tokens * columns).enumerate() {
            let wanted = &qkv[(tokens - rows) * columns..];
            match self {
                Attended::Rows(heads) => {
                    let mut own = BlockCache::new(Heads { context: tokens, ..*heads }, false)
                        .map_err(|error| Error::Msg(error.to_string()))?;
                    own.append(qkv, 0);
                    each(index, wanted, &own, tokens - rows);
                }
                Attended::Cache { cache, end } => {
                    expect("attention", "sequence", batch, 1)?;
                    each(index, wanted, cache, end - rows);
                }
            }
        }
        Ok(())
    }

    /// The number of positions that the last of `tokens` rows attends to.
    fn positions(&self, tokens: usize) -> usize {
        match self {
            Attended::Rows(_) => tokens,
            Attended::Cache { end, .. } => *end,
        }
    }

    fn attend(&self, qkv: &CpuStorage, layout: &Layout, rows: usize) -> Result<(CpuStorage, Shape)> {
        let (dims, n_embd) = (layout.shape().dims3()?, self.heads().n_embd());
        let mut out = vec![0.0; dims.0 * rows * n_embd];
        SCRATCH.with_borrow_mut(|Scratch { scores, .. }| {
            self.each_sequence(numbers(qkv, layout)?, dims, rows, |index, qkv, cache, position| {
                cache.attend(qkv, position, scores, &mut out[index * rows * n_embd..][..rows * n_embd]);
            })
        })?;
        result(out, (dims.0, rows, n_embd))
    }
}

/// Attention without a gradient.
struct AttentionOp<'a> {
    attended: Attended<'a>,
    rows: usize,
}

impl CustomOp1 for AttentionOp<'_> {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.attended.attend(qkv, layout, self.rows)
    }
}

struct AttentionWeightsOp<'a> {
    attended: Attended<'a>,
    rows: usize,
}

impl CustomOp1 for AttentionWeightsOp<'_> {
    fn name(&self) -> &'static str {
        "attention-weights"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let AttentionWeightsOp { attended, rows } = *self;
        let dims @ (batch, tokens, _) = layout.shape().dims3()?;
        let (heads, positions) = (attended.heads().count, attended.positions(tokens));
        let each = heads * rows * positions;
        let mut weights = vec![0.0; batch * each];
        SCRATCH.with_borrow_mut(|Scratch { scores, .. }| {
            attended.each_sequence(numbers(qkv, layout)?, dims, rows, |index, qkv, cache, position| {
                cache.weights(qkv, position, scores, &mut weights[index * each..][..each]);
            })
        })?;
        result(weights, (batch, heads, rows, positions))
    }
}

struct MixValues<'a> {
    attended: Attended<'a>,
}

impl CustomOp2 for MixValues<'_> {
    fn name(&self) -> &'static str {
        "mix-values"
    }

    fn cpu_fwd(
        &self,
        qkv: &CpuStorage,
        layout: &Layout,
        weights: &CpuStorage,
        weights_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let dims @ (batch, tokens, _) = layout.shape().dims3()?;
        let (weights, (_, heads, rows, positions)) =
            (numbers(weights, weights_layout)?, weights_layout.shape().dims4()?);
        expect(self.name(), "heads", heads, self.attended.heads().count)?;
        expect(self.name(), "positions", positions, self.attended.positions(tokens))?;
        let (each, n_embd) = (heads * rows * positions, self.attended.heads().n_embd());
        let mut out = vec![0.0; batch * rows * n_embd];
        self.attended.each_sequence(numbers(qkv, layout)?, dims, rows, |index, _, cache, _| {
            cache.mix(&weights[index * each..][..each], rows, &mut out[index * rows * n_embd..][..rows * n_embd]);
        })?;
        result(out, (batch, rows, n_embd))
    }
}
