//! WebAssembly's 128-bit vectors.

use core::arch::wasm32::*;

use super::{Activations, BLOCK, Q8Matrix, QUAD, QUAD_BLOCK, STEP};

/// Tokens that share each look at a weight.
const TILE: usize = 4;

/// As [`super::scalar::multiply`].
pub fn multiply(matrix: &Q8Matrix, activations: &Activations, out: &mut [f32]) {
    let (tokens, outputs) = (activations.tokens(), matrix.outputs());
    for quad in 0..matrix.quads() {
        let mut token = 0;
        while token + TILE <= tokens {
            store::<TILE>(matrix, activations, quad, token, out, outputs);
            token += TILE;
        }
        while token < tokens {
            store::<1>(matrix, activations, quad, token, out, outputs);
            token += 1;
        }
    }
}

/// Computes four outputs of `T` tokens from `token` on.
fn store<const T: usize>(
    matrix: &Q8Matrix,
    activations: &Activations,
    quad: usize,
    token: usize,
    out: &mut [f32],
    outputs: usize,
) {
    let (weights, scales) = matrix.quad(quad);
    let rows: [&[i16]; T] = std::array::from_fn(|index| activations.row(token + index));
    let row_scales: [&[f32]; T] = std::array::from_fn(|index| activations.row_scales(token + index));
    let sums = dot(weights, scales, rows, row_scales);
    for (index, sums) in sums.into_iter().enumerate() {
        let (begin, end) = ((token + index) * outputs + quad * QUAD, (token + index + 1) * outputs);
        let lanes = [
            f32x4_extract_lane::<0>(sums),
            f32x4_extract_lane::<1>(sums),
            f32x4_extract_lane::<2>(sums),
            f32x4_extract_lane::<3>(sums),
        ];
        let out = &mut out[begin..end.min(begin + QUAD)];
        out.copy_from_slice(&lanes[..out.len()]);
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
