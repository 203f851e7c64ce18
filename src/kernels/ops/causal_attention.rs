//! Causal attention among the rows of a sequence, with a gradient: what learning uses. Writing has its own, over a cache.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};

use super::{expect, numbers, result, with_numbers};
use crate::kernels::Heads;
use crate::kernels::attention::weigh;
use crate::kernels::product::{Operand, Size, add_product};

/// Rows that are computed together. They are multiplied with all keys up to the last row's: with more rows, more products
/// are thrown away; with fewer, keys and values are packed more often.
const ROWS: usize = 64;

/// Attention of every row to those of its sequence up to its own.
pub(super) struct CausalAttention {
    pub heads: Heads,
}

/// One head of one sequence: where its queries, keys and values are.
#[derive(Clone, Copy)]
struct Head {
    tokens: usize,
    n_embd: usize,
    head_dim: usize,
    /// The head's first column among `n_embd`.
    column: usize,
}

/// Rows of a head that are computed together.
#[derive(Clone, Copy)]
struct Rows {
    begin: usize,
    end: usize,
}

impl CausalAttention {
    /// Calls `each` for every head of every sequence, with the place of its numbers among `[batch, tokens, n_embd]`.
    fn each_head(
        &self,
        (batch, tokens, columns): (usize, usize, usize),
        mut each: impl FnMut(usize, Head),
    ) -> Result<()> {
        let (n_embd, head_dim) = (self.heads.n_embd(), self.heads.head_dim);
        expect("attention", "columns", columns, 3 * n_embd)?;
        for sequence in 0..batch {
            for head in 0..self.heads.count {
                each(sequence * tokens, Head { tokens, n_embd, head_dim, column: head * head_dim });
            }
        }
        Ok(())
    }
}

impl Head {
    fn blocks(self) -> impl Iterator<Item = Rows> {
        (0..self.tokens).step_by(ROWS).map(move |begin| Rows { begin, end: self.tokens.min(begin + ROWS) })
    }

    /// Numbers between two rows of attention weights, a multiple of four.
    fn stride(self) -> usize {
        self.tokens.next_multiple_of(4)
    }

    /// 1 / √head_dim.
    fn scale(self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// The queries (0), keys (1) or values (2), from a row on.
    fn part(self, qkv: &[f32], part: usize, row: usize) -> Operand<'_> {
        Operand::rows(&qkv[self.place(part, row)..], 3 * self.n_embd)
    }

    /// Where the queries, keys or values of a row begin.
    fn place(self, part: usize, row: usize) -> usize {
        (3 * row + part) * self.n_embd + self.column
    }

    /// Writes the attention weights of some rows: softmax(query · key / √head_dim), and 0 behind a row's own position.
    fn weights(self, qkv: &[f32], rows: Rows, weights: &mut [f32]) {
        let (stride, size) = (self.stride(), Size { rows: rows.len(), columns: rows.end, depth: self.head_dim });
        weights.fill(0.0);
        let keys = self.part(qkv, 1, 0).transposed();
        add_product(weights, stride, self.part(qkv, 0, rows.begin), keys, size);
        for (position, weights) in (rows.begin..rows.end).zip(weights.chunks_exact_mut(stride)) {
            weigh(weights, position + 1, self.scale());
        }
    }

    /// Adds to the gradient of a sequence's queries, keys and values, for some rows.
    fn backward(
        self,
        (qkv, out, gradient): (&[f32], &[f32], &[f32]),
        rows: Rows,
        [weights, slopes]: [&mut [f32]; 2],
        of_qkv: &mut [f32],
    ) {
        self.weights(qkv, rows, weights);
        let (stride, count) = (self.stride(), rows.len());
        let from = rows.begin * self.n_embd + self.column;
        let gradients = Operand::rows(&gradient[from..], self.n_embd);
        let values = Size { rows: rows.end, columns: self.head_dim, depth: count };
        let weights_of = Operand::rows(weights, stride);
        let place = self.place(2, 0);
        add_product(&mut of_qkv[place..], 3 * self.n_embd, weights_of.transposed(), gradients, values);
        // The gradient of the weights, then of the scores.
        slopes.fill(0.0);
        let size = Size { rows: count, columns: rows.end, depth: self.head_dim };
        add_product(slopes, stride, gradients, self.part(qkv, 2, 0).transposed(), size);
        for (row, (slopes, weights)) in
            slopes.chunks_exact_mut(stride).zip(weights.chunks_exact(stride)).take(count).enumerate()
        {
            let of_row = from + row * self.n_embd..from + row * self.n_embd + self.head_dim;
            let mean: f32 =
                out[of_row.clone()].iter().zip(&gradient[of_row]).map(|(out, gradient)| out * gradient).sum();
            for (slope, weight) in slopes[..rows.end].iter_mut().zip(weights) {
                *slope = weight * (*slope - mean) * self.scale();
            }
        }
        let slopes = Operand::rows(slopes, stride);
        let size = Size { rows: count, columns: self.head_dim, depth: rows.end };
        let place = self.place(0, rows.begin);
        add_product(&mut of_qkv[place..], 3 * self.n_embd, slopes, self.part(qkv, 1, 0), size);
        let size = Size { rows: rows.end, columns: self.head_dim, depth: count };
        let place = self.place(1, 0);
        add_product(&mut of_qkv[place..], 3 * self.n_embd, slopes.transposed(), self.part(qkv, 0, rows.begin), size);
    }
}

impl Rows {
    fn len(self) -> usize {
        self.end - self.begin
    }
}

impl CustomOp1 for CausalAttention {
    fn name(&self) -> &'static str {
        "causal-attention"
    }

    fn cpu_fwd(&self, qkv: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (dims, qkv, n_embd) = (layout.shape().dims3()?, numbers(qkv, layout)?, self.heads.n_embd());
        let mut out = vec![0.0; dims.0 * dims.1 * n_embd];
        let mut weights = vec![0.0; ROWS.min(dims.1) * dims.1.next_multiple_of(4)];
        self.each_head(dims, |first, head| {
            let (qkv, out) = (&qkv[first * 3 * n_embd..], &mut out[first * n_embd..]);
            for rows in head.blocks() {
                head.weights(qkv, rows, &mut weights);
                let size = Size { rows: rows.len(), columns: head.head_dim, depth: rows.end };
                let place = rows.begin * n_embd + head.column;
                add_product(
                    &mut out[place..],
                    n_embd,
                    Operand::rows(&weights, head.stride()),
                    head.part(qkv, 2, 0),
                    size,
                );
            }
        })?;
        result(out, (dims.0, dims.1, n_embd))
    }

    fn bwd(&self, qkv: &Tensor, out: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (dims, n_embd, gradient) = (qkv.dims3()?, self.heads.n_embd(), gradient.contiguous()?);
        let mut of_qkv = vec![0.0; qkv.elem_count()];
        let room = vec![0.0; ROWS.min(dims.1) * dims.1.next_multiple_of(4)];
        let (mut weights, mut slopes) = (room.clone(), room);
        let done = with_numbers(qkv, |qkv: &[f32]| {
            with_numbers(out, |out: &[f32]| {
                with_numbers(&gradient, |gradient: &[f32]| {
                    self.each_head(dims, |first, head| {
                        let from = first * n_embd;
                        let of_qkv = &mut of_qkv[3 * from..3 * (from + head.tokens * n_embd)];
                        let seen = (&qkv[3 * from..], &out[from..], &gradient[from..]);
                        for rows in head.blocks() {
                            head.backward(seen, rows, [&mut weights, &mut slopes], of_qkv);
                        }
                    })
                })
            })
        });
        done????;
        Ok(Some(Tensor::from_vec(of_qkv, dims, &Device::Cpu)?))
    }
}
