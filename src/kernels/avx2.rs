//! The 256-bit vectors of x86 processors since 2013.

use core::arch::x86_64::*;

use super::{Activations, BLOCK, Q8Matrix, QUAD, QUAD_BLOCK, STEP};

/// Tokens that share each look at a weight.
const TILE: usize = 4;

/// As [`super::scalar::multiply`].
///
/// # Safety
/// The processor must have AVX2.
#[target_feature(enable = "avx2")]
pub unsafe fn multiply(matrix: &Q8Matrix, activations: &Activations, out: &mut [f32]) {
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
#[target_feature(enable = "avx2")]
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
        let mut lanes = [0.0; QUAD];
        // SAFETY: there is room for four numbers.
        unsafe { _mm_storeu_ps(lanes.as_mut_ptr(), sums) };
        let out = &mut out[begin..end.min(begin + QUAD)];
        out.copy_from_slice(&lanes[..out.len()]);
    }
}

/// The products of four rows with `T` rows of activations.
#[target_feature(enable = "avx2")]
#[inline]
fn dot<const T: usize>(weights: &[i8], scales: &[f32], rows: [&[i16]; T], row_scales: [&[f32]; T]) -> [__m128; T] {
    let blocks = scales.len() / QUAD;
    assert!(weights.len() == blocks * QUAD_BLOCK && rows.iter().all(|row| row.len() == blocks * BLOCK));
    assert!(row_scales.iter().all(|scales| scales.len() == blocks));
    let mut sums = [_mm_setzero_ps(); T];
    for (block, block_scales) in scales.as_chunks::<QUAD>().0.iter().enumerate() {
        // Sums of two products each, of four rows in turn.
        let mut pairs = [_mm256_setzero_si256(); T];
        for step in 0..BLOCK / STEP {
            // SAFETY: the lengths are those asserted above; loads need no alignment.
            unsafe {
                let bytes = _mm_loadu_si128(weights.as_ptr().add(block * QUAD_BLOCK + step * QUAD * STEP).cast());
                let wide = _mm256_cvtepi8_epi16(bytes);
                for index in 0..T {
                    let numbers = rows[index].as_ptr().add(block * BLOCK + step * STEP).cast::<i64>();
                    let numbers = _mm256_set1_epi64x(numbers.read_unaligned());
                    pairs[index] = _mm256_add_epi32(pairs[index], _mm256_madd_epi16(wide, numbers));
                }
            }
        }
        // SAFETY: as above.
        let block_scales = unsafe { _mm_loadu_ps(block_scales.as_ptr()) };
        for index in 0..T {
            let (first, last) = (_mm256_castsi256_si128(pairs[index]), _mm256_extracti128_si256::<1>(pairs[index]));
            let whole = _mm_cvtepi32_ps(_mm_hadd_epi32(first, last));
            let scale = _mm_mul_ps(block_scales, _mm_set1_ps(row_scales[index][block]));
            sums[index] = _mm_add_ps(sums[index], _mm_mul_ps(whole, scale));
        }
    }
    sums
}
