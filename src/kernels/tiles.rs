//! The order in which a product is computed: one vector of the matrix's rows at a time, and within it one tile of
//! tokens at a time, for which each weight is read once.

use std::ops::Range;

use super::{Activations, Q8Matrix, ROW_BLOCK, TILE};

/// Multiplies `ROWS` rows of a matrix by tokens, with the instructions of one machine.
pub(super) trait Dot<const ROWS: usize> {
    /// The products of whole row blocks, of which `row_block` is the first, with the tile of `T` tokens that begins at
    /// `token`. Of row blocks behind the matrix, the products are anything.
    fn dot<const T: usize>(&self, row_block: usize, token: usize) -> [[f32; ROWS]; T];
}

/// Writes the outputs of `row_blocks` for each token to `out`, `[tokens, outputs of these row_blocks]`.
pub(super) fn multiply<const ROWS: usize>(
    dot: &impl Dot<ROWS>,
    matrix: &Q8Matrix,
    row_blocks: Range<usize>,
    activations: &Activations,
    out: &mut [f32],
) {
    let (columns, tokens) = (matrix.columns(&row_blocks), activations.tokens());
    for (index, row_block) in row_blocks.step_by(ROWS / ROW_BLOCK).enumerate() {
        let mut put = |token: usize, sums: &[[f32; ROWS]]| {
            for (row, sums) in out.chunks_exact_mut(columns).skip(token).zip(sums) {
                match row[index * ROWS..].first_chunk_mut() {
                    Some(out) => *out = *sums,
                    None => row[index * ROWS..].copy_from_slice(&sums[..columns % ROWS]),
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
