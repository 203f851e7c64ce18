//! WebAssembly's 128-bit vectors.

use core::arch::wasm32::*;
use std::ops::Range;

use super::tiles::{self, Dot};
use super::{Activations, BLOCK, Q8Matrix, QUAD, QUAD_BLOCK, STEP};

/// As [`super::scalar::multiply`].
///
/// There is no product of 8-bit numbers: weights are widened to 16 bits, which one instruction multiplies and adds up
/// in pairs.
pub fn multiply(matrix: &Q8Matrix, quads: Range<usize>, activations: &Activations, out: &mut [f32]) {
    let tokens = activations.tokens();
    tiles::multiply::<4, 1>(&mut Words { matrix, activations }, matrix, quads, tokens, out);
}

struct Words<'a> {
    matrix: &'a Q8Matrix,
    activations: &'a Activations,
}

impl Dot for Words<'_> {
    fn dot<const T: usize, const Q: usize>(&self, quad: usize, token: usize) -> [[[f32; QUAD]; Q]; T] {
        let words: [&[i16]; T] =
            std::array::from_fn(|index| self.activations.row(&self.activations.words, token + index));
        let scales: [&[f32]; T] = std::array::from_fn(|index| self.activations.row_scales(token + index));
        let mut sums = [[[0.0; QUAD]; Q]; T];
        for index in 0..Q {
            let (weights, weight_scales) = self.matrix.quad(quad + index);
            for (sums, dots) in sums.iter_mut().zip(dot(weights, weight_scales, words, scales)) {
                sums[index] = lanes(dots);
            }
        }
        sums
    }
}

/// The products of four rows with `T` rows of activations.
#[inline(always)]
fn dot<const T: usize>(weights: &[i8], scales: &[f32], rows: [&[i16]; T], row_scales: [&[f32]; T]) -> [v128; T] {
    let blocks = scales.len() / QUAD;
    assert!(weights.len() == blocks * QUAD_BLOCK && rows.iter().all(|row| row.len() == blocks * BLOCK));
    assert!(row_scales.iter().all(|scales| scales.len() == blocks));
    let mut sums = [f32x4_splat(0.0); T];
    for (block, block_scales) in scales.as_chunks::<QUAD>().0.iter().enumerate() {
        // Sums of two products each: of the first two rows, and of the last two.
        let (mut first, mut last) = ([i32x4_splat(0); T], [i32x4_splat(0); T]);
        for step in 0..BLOCK / STEP {
            // SAFETY: the lengths are those asserted above; loads need no alignment.
            unsafe {
                let pair = v128_load(weights.as_ptr().add(block * QUAD_BLOCK + step * QUAD * STEP).cast());
                let (low, high) = (i16x8_extend_low_i8x16(pair), i16x8_extend_high_i8x16(pair));
                for index in 0..T {
                    let numbers = v128_load64_splat(rows[index].as_ptr().add(block * BLOCK + step * STEP).cast());
                    first[index] = i32x4_add(first[index], i32x4_dot_i16x8(low, numbers));
                    last[index] = i32x4_add(last[index], i32x4_dot_i16x8(high, numbers));
                }
            }
        }
        // SAFETY: as above.
        let block_scales = unsafe { v128_load(block_scales.as_ptr().cast()) };
        for index in 0..T {
            let even = i32x4_shuffle::<0, 2, 4, 6>(first[index], last[index]);
            let odd = i32x4_shuffle::<1, 3, 5, 7>(first[index], last[index]);
            let whole = f32x4_convert_i32x4(i32x4_add(even, odd));
            let scale = f32x4_mul(block_scales, f32x4_splat(row_scales[index][block]));
            sums[index] = f32x4_add(sums[index], f32x4_mul(whole, scale));
        }
    }
    sums
}

/// A vector's four numbers.
pub(super) fn lanes(vector: v128) -> [f32; QUAD] {
    [
        f32x4_extract_lane::<0>(vector),
        f32x4_extract_lane::<1>(vector),
        f32x4_extract_lane::<2>(vector),
        f32x4_extract_lane::<3>(vector),
    ]
}
