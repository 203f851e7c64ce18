//! The 256-bit vectors of x86 processors since 2013 (AVX2).

use core::arch::x86_64::*;
use std::ops::Range;

use super::activations::Tile;
use super::matrix::{BlockWeights, Scales};
use super::tiles::{self, Dot};
use super::{Activations, BLOCK, Q8Matrix, ROW_BLOCK, STEP};

/// The same as [`super::scalar::multiply`], which it calls if the processor lacks AVX2.
pub fn multiply(matrix: &Q8Matrix, row_blocks: Range<usize>, activations: &Activations, out: &mut [f32]) {
    if !is_x86_feature_detected!("avx2") {
        return super::scalar::multiply(matrix, row_blocks, activations, out);
    }
    tiles::multiply(&Avx2Words { matrix, activations }, matrix, row_blocks, activations, out);
}

/// Must be made only if the processor has AVX2.
struct Avx2Words<'a> {
    matrix: &'a Q8Matrix,
    activations: &'a Activations,
}

impl Dot<ROW_BLOCK> for Avx2Words<'_> {
    fn dot<const T: usize>(&self, row_block: usize, token: usize) -> [[f32; ROW_BLOCK]; T] {
        // SAFETY: the processor has AVX2.
        unsafe { dot(self.matrix.row_block(row_block), &self.activations.words(token)) }
    }
}

/// The products of a row block with `T` rows of activations.
#[target_feature(enable = "avx2")]
fn dot<const T: usize>(
    (weights, scales): (&[BlockWeights], &[Scales]),
    tile: &Tile<'_, i16, T>,
) -> [[f32; ROW_BLOCK]; T] {
    let mut sums = [_mm256_setzero_ps(); T];
    let numbers = tile.numbers.chunks_exact(T * BLOCK / STEP);
    let blocks = weights.iter().zip(scales).zip(numbers).zip(tile.scales).zip(tile.begins);
    for ((((weights, scales), numbers), number_scales), begins) in blocks {
        // Sums of pairs of products: of the first four rows, and of the last four.
        let mut pairs = [[_mm256_setzero_si256(); 2]; T];
        for (weights, numbers) in weights.0.iter().zip(numbers.as_chunks::<T>().0) {
            let halves = weights.as_chunks::<{ ROW_BLOCK / 2 }>().0;
            // SAFETY: a step of four rows has sixteen bytes.
            let wide: [_; 2] = std::array::from_fn(|half| unsafe {
                _mm256_cvtepu8_epi16(_mm_loadu_si128(halves[half].as_ptr().cast()))
            });
            for (pairs, numbers) in pairs.iter_mut().zip(numbers) {
                // SAFETY: four words are eight bytes.
                let numbers = _mm256_set1_epi64x(unsafe { std::mem::transmute::<[i16; STEP], i64>(*numbers) });
                for (pairs, wide) in pairs.iter_mut().zip(wide) {
                    *pairs = _mm256_add_epi32(*pairs, _mm256_madd_epi16(wide, numbers));
                }
            }
        }
        // SAFETY: there are eight scales.
        let scales = unsafe { _mm256_loadu_ps(scales.0.as_ptr()) };
        for index in 0..T {
            // The sums are of rows 0, 1, 4, 5, 2, 3, 6, 7, and are brought into order.
            let [first, last] = pairs[index];
            let whole = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(first, last));
            let whole = _mm256_cvtepi32_ps(_mm256_add_epi32(whole, _mm256_set1_epi32(begins[index])));
            let scale = _mm256_mul_ps(scales, _mm256_set1_ps(number_scales[index]));
            sums[index] = _mm256_add_ps(sums[index], _mm256_mul_ps(whole, scale));
        }
    }
    // SAFETY: a vector is eight numbers.
    sums.map(|sums| unsafe { std::mem::transmute(sums) })
}
