//! WebAssembly's 128-bit vectors.

use core::arch::wasm32::*;
use std::ops::Range;

use super::activations::Tile;
use super::matrix::{BlockWeights, Scales};
use super::tiles::{self, Dot};
use super::{Activations, BLOCK, Q8Matrix, ROW_BLOCK, STEP};

/// Rows of half a row block.
const HALF: usize = ROW_BLOCK / 2;

/// The same as [`super::scalar::multiply`].
///
/// There is no instruction for products of 8-bit numbers. Weights are widened to 16 bits; one instruction multiplies
/// these and sums the products in pairs.
pub fn multiply(matrix: &Q8Matrix, row_blocks: Range<usize>, activations: &Activations, out: &mut [f32]) {
    tiles::multiply(&Simd128Words { matrix, activations }, matrix, row_blocks, activations, out);
}

struct Simd128Words<'a> {
    matrix: &'a Q8Matrix,
    activations: &'a Activations,
}

impl Dot<ROW_BLOCK> for Simd128Words<'_> {
    #[inline(never)]
    fn dot<const T: usize>(&self, row_block: usize, token: usize) -> [[f32; ROW_BLOCK]; T] {
        let (row_block, tile) = (self.matrix.row_block(row_block), self.activations.words(token));
        let (first, last) = (dot::<T, 0>(row_block, &tile), dot::<T, 1>(row_block, &tile));
        std::array::from_fn(|index| {
            let [a, b, c, d] = first[index];
            let [e, f, g, h] = last[index];
            [a, b, c, d, e, f, g, h]
        })
    }
}

/// The products of half a row block with `T` rows of activations.
#[inline(always)]
fn dot<const T: usize, const H: usize>(
    (weights, scales): (&[BlockWeights], &[Scales]),
    tile: &Tile<'_, i16, T>,
) -> [[f32; HALF]; T] {
    let mut sums = [f32x4_splat(0.0); T];
    let numbers = tile.numbers.chunks_exact(T * BLOCK / STEP);
    let blocks = weights.iter().zip(scales).zip(numbers).zip(tile.scales).zip(tile.begins);
    for ((((weights, scales), numbers), number_scales), begins) in blocks {
        // Sums of pairs of products: of the first two rows, and of the last two.
        let mut pairs = [[i32x4_splat(0); 2]; T];
        for (weights, numbers) in weights.0.iter().zip(numbers.as_chunks::<T>().0) {
            let weights = load(&weights.as_chunks::<HALF>().0[H]);
            let (low, high) = (u16x8_extend_low_u8x16(weights), u16x8_extend_high_u8x16(weights));
            for (pairs, numbers) in pairs.iter_mut().zip(numbers) {
                // SAFETY: four words are eight bytes.
                let numbers = unsafe { v128_load64_splat(numbers.as_ptr().cast()) };
                pairs[0] = i32x4_add(pairs[0], i32x4_dot_i16x8(low, numbers));
                pairs[1] = i32x4_add(pairs[1], i32x4_dot_i16x8(high, numbers));
            }
        }
        let scales = load(&scales.0.as_chunks::<HALF>().0[H]);
        for index in 0..T {
            let [first, last] = pairs[index];
            let (even, odd) = (i32x4_shuffle::<0, 2, 4, 6>(first, last), i32x4_shuffle::<1, 3, 5, 7>(first, last));
            let whole = i32x4_add(i32x4_add(even, odd), i32x4_splat(begins[index]));
            let scale = f32x4_mul(scales, f32x4_splat(number_scales[index]));
            sums[index] = f32x4_add(sums[index], f32x4_mul(f32x4_convert_i32x4(whole), scale));
        }
    }
    // SAFETY: a vector is four numbers.
    sums.map(|sums| unsafe { std::mem::transmute(sums) })
}

/// Loads sixteen bytes.
fn load<T, const N: usize>(from: &[T; N]) -> v128 {
    const { assert!(size_of::<[T; N]>() == size_of::<v128>()) };
    // SAFETY: `from` has as many bytes as a vector, and loads need no alignment.
    unsafe { v128_load(from.as_ptr().cast()) }
}
