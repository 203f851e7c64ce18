//! The 256-bit vectors of x86 processors since 2013.

use core::arch::x86_64::*;
use std::ops::Range;

use super::tiles::{self, Dot};
use super::{Activations, BLOCK, Q8Matrix, QUAD, QUAD_BLOCK, STEP};

/// As [`super::scalar::multiply`], which it is where the processor lacks AVX2.
pub fn multiply(matrix: &Q8Matrix, quads: Range<usize>, activations: &Activations, out: &mut [f32]) {
    if !is_x86_feature_detected!("avx2") {
        return super::scalar::multiply(matrix, quads, activations, out);
    }
    let tokens = activations.tokens();
    tiles::multiply::<4, 1>(&mut Words { matrix, activations }, matrix, quads, tokens, out);
}

/// Made only where there is AVX2.
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
            // SAFETY: the processor has AVX2.
            let dots = unsafe { dot(weights, weight_scales, words, scales) };
            for (sums, dot) in sums.iter_mut().zip(dots) {
                // SAFETY: there is room for four numbers.
                unsafe { _mm_storeu_ps(sums[index].as_mut_ptr(), dot) };
            }
        }
        sums
    }
}

/// The products of four rows with `T` rows of activations.
#[target_feature(enable = "avx2")]
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
