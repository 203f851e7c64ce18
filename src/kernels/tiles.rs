//! The order in which a product is computed: a few quads of the matrix at a time, and of the tokens as many as share
//! each look at a weight.

use std::ops::Range;

use super::{Q8Matrix, QUAD};

/// How a machine multiplies quads with tokens.
pub(super) trait Dot {
    /// Prepares for `Q` quads from `quad` on, with which all tokens are multiplied next.
    fn enter<const Q: usize>(&mut self, _quad: usize) {}

    /// The products of `Q` quads from `quad` on with `T` tokens from `token` on.
    fn dot<const T: usize, const Q: usize>(&self, quad: usize, token: usize) -> [[[f32; QUAD]; Q]; T];
}

/// Writes the outputs of `quads` for each token to `out`, `[tokens, outputs of these quads]`, in tiles of `T` tokens by
/// `Q` quads.
pub(super) fn multiply<const T: usize, const Q: usize>(
    dot: &mut impl Dot,
    matrix: &Q8Matrix,
    quads: Range<usize>,
    tokens: usize,
    out: &mut [f32],
) {
    let mut tile = Tiles { tokens, columns: matrix.columns(&quads), first: quads.start, out };
    let mut quad = quads.start;
    while quad + Q <= quads.end {
        tile.all_tokens::<T, Q>(dot, quad);
        quad += Q;
    }
    for quad in quad..quads.end {
        tile.all_tokens::<T, 1>(dot, quad);
    }
}

struct Tiles<'a> {
    tokens: usize,
    columns: usize,
    /// The quad whose outputs stand first in `out`.
    first: usize,
    out: &'a mut [f32],
}

impl Tiles<'_> {
    fn all_tokens<const T: usize, const Q: usize>(&mut self, dot: &mut impl Dot, quad: usize) {
        dot.enter::<Q>(quad);
        let mut token = 0;
        while token + T <= self.tokens {
            self.put(quad, token, dot.dot::<T, Q>(quad, token));
            token += T;
        }
        for token in token..self.tokens {
            self.put(quad, token, dot.dot::<1, Q>(quad, token));
        }
    }

    fn put<const T: usize, const Q: usize>(&mut self, quad: usize, token: usize, sums: [[[f32; QUAD]; Q]; T]) {
        for (token, sums) in (token..).zip(sums) {
            for (quad, sums) in (quad - self.first..).zip(sums) {
                let (row, column) = (token * self.columns, quad * QUAD);
                let out = &mut self.out[row + column..row + self.columns.min(column + QUAD)];
                out.copy_from_slice(&sums[..out.len()]);
            }
        }
    }
}
