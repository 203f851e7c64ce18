//! The order in which a product is computed: an octet of the matrix at a time, and of the tokens as many as share each
//! look at a weight.

use std::ops::Range;

use super::{Activations, OCTET, Q8Matrix, TILE};

/// How a machine multiplies octets with tokens.
pub(super) trait Dot {
    /// The products of an octet with `T` tokens from `token` on, which are a tile.
    fn dot<const T: usize>(&self, octet: usize, token: usize) -> [[f32; OCTET]; T];
}

/// Writes the outputs of `octets` for each token to `out`, `[tokens, outputs of these octets]`.
pub(super) fn multiply(
    dot: &impl Dot,
    matrix: &Q8Matrix,
    octets: Range<usize>,
    activations: &Activations,
    out: &mut [f32],
) {
    let (columns, tokens) = (matrix.columns(&octets), activations.tokens());
    for (index, octet) in octets.enumerate() {
        let mut put = |token: usize, sums: &[[f32; OCTET]]| {
            for (row, sums) in out.chunks_exact_mut(columns).skip(token).zip(sums) {
                match row[index * OCTET..].first_chunk_mut() {
                    Some(out) => *out = *sums,
                    None => row[index * OCTET..].copy_from_slice(&sums[..columns % OCTET]),
                }
            }
        };
        let rest = tokens - tokens % TILE;
        for token in (0..rest).step_by(TILE) {
            put(token, &dot.dot::<TILE>(octet, token));
        }
        for token in rest..tokens {
            put(token, &dot.dot::<1>(octet, token));
        }
    }
}
