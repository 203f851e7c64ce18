//! The order in which a product is computed: one row block of the matrix at a time, and within it one tile of tokens at
//! a time, for which each weight is read once.

use std::ops::Range;

use super::{Activations, Q8Matrix, ROW_BLOCK, TILE};

/// Multiplies row blocks by tokens, with the instructions of one machine.
pub(super) trait Dot {
    /// The products of a row block with the tile of `T` tokens that begins at `token`.
    fn dot<const T: usize>(&self, row_block: usize, token: usize) -> [[f32; ROW_BLOCK]; T];
}

/// Writes the outputs of `row_blocks` for each token to `out`, `[tokens, outputs of these row_blocks]`.
pub(super) fn multiply(
    dot: &impl Dot,
    matrix: &Q8Matrix,
    row_blocks: Range<usize>,
    activations: &Activations,
    out: &mut [f32],
) {
    let (columns, tokens) = (matrix.columns(&row_blocks), activations.tokens());
    for (index, row_block) in row_blocks.enumerate() {
        let mut put = |token: usize, sums: &[[f32; ROW_BLOCK]]| {
            for (row, sums) in out.chunks_exact_mut(columns).skip(token).zip(sums) {
                match row[index * ROW_BLOCK..].first_chunk_mut() {
                    Some(out) => *out = *sums,
                    None => row[index * ROW_BLOCK..].copy_from_slice(&sums[..columns % ROW_BLOCK]),
                }
            }
        };
        let rest = tokens - tokens % TILE;
        for token in (0..rest).step_by(TILE) {
            put(token, &dot.dot::<TILE>(row_block, token));
        }
        for token in rest..tokens {
            put(token, &dot.dot::<1>(row_block, token));
        }
    }
}
