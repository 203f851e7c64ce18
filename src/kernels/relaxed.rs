//! WebAssembly's relaxed SIMD: one instruction that multiplies 8-bit numbers and sums the products in groups of four.
//!
//! Only the program `worker-relaxed` uses this module. A single instruction of it makes a program invalid in a browser
//! that lacks relaxed SIMD.
//!
//! `i32x4.relaxed_dot_i8x16_i7x16_add_s` is exact, by its specification, if the second operand has 7 bits. With 8 bits
//! a processor may read that operand with or without a sign, and may saturate the sums of two products. The
//! specification says only that each machine always does the same. Our weights have 8 bits, so [`fitting`] tries out
//! what the machine does. x86's `vpdpbusd` reads them without a sign: the weights are stored with 128 added to each,
//! and each sum starts with −128 times the sum of its block's activations. ARM's `sdot` reads them with a sign: 128 is
//! subtracted from each weight again. Older x86 processors saturate; on these, the kernel for plain SIMD is as fast.

use core::arch::wasm32::*;
use std::hint::black_box;
use std::ops::Range;

use super::activations::Tile;
use super::matrix::{BlockWeights, Scales};
use super::tiles::{self, Dot};
use super::{Activations, BLOCK, Kernel, Operands, Q8Matrix, ROW_BLOCK, STEP, scalar};

/// For machines that read the second operand with a sign.
pub static SIGNED: Kernel =
    Kernel { name: "relaxed SIMD", operands: Operands::Bytes, is_scalar: false, multiply: multiply::<true> };

/// For machines that read the second operand without a sign.
pub static UNSIGNED: Kernel =
    Kernel { name: "relaxed SIMD", operands: Operands::Bytes, is_scalar: false, multiply: multiply::<false> };

/// The kernel that is exact on this machine, found by trying. `None` if sums saturate.
pub fn fitting() -> Option<&'static Kernel> {
    [&SIGNED, &UNSIGNED].into_iter().find(|kernel| is_exact(kernel))
}

/// Whether the kernel gives the same as [`scalar`] for the largest products, with all combinations of signs.
fn is_exact(kernel: &Kernel) -> bool {
    let signs = [[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]];
    signs.into_iter().all(|pair| [127u8, 129].into_iter().all(|weight| is_exact_at(kernel, pair, weight)))
}

/// The same for a block in which all weights have this byte, and activations alternate between two numbers.
fn is_exact_at(kernel: &Kernel, pair: [f32; 2], weight: u8) -> bool {
    let mut activations = Activations::default();
    activations.quantise(&pair.repeat(BLOCK / 2), BLOCK, kernel.operands);
    let Some(mut matrix) = Q8Matrix::zeros(ROW_BLOCK, BLOCK) else { return false };
    let mut stored = [weight; 2 + BLOCK];
    [stored[0], stored[1]] = [0, 0x3c]; // a scale of 1 in f16
    matrix.put_rows(0, &stored.repeat(ROW_BLOCK));
    let (mut found, mut expected) = ([0.0; ROW_BLOCK], [0.0; ROW_BLOCK]);
    (kernel.multiply)(&matrix, 0..1, &activations, &mut found);
    scalar::multiply(&matrix, 0..1, &activations, &mut expected);
    found == expected
}

/// The same as [`super::scalar::multiply`], on a machine that reads the weights with a sign if `SIGNED`, else without.
fn multiply<const SIGNED: bool>(
    matrix: &Q8Matrix,
    row_blocks: Range<usize>,
    activations: &Activations,
    out: &mut [f32],
) {
    tiles::multiply(&Bytes::<SIGNED> { matrix, activations }, matrix, row_blocks, activations, out);
}

struct Bytes<'a, const SIGNED: bool> {
    matrix: &'a Q8Matrix,
    activations: &'a Activations,
}

impl<const SIGNED: bool> Dot<ROW_BLOCK> for Bytes<'_, SIGNED> {
    fn dot<const T: usize>(&self, row_block: usize, token: usize) -> [[f32; ROW_BLOCK]; T] {
        dot::<T, SIGNED>(self.matrix.row_block(row_block), self.activations.bytes(token))
    }
}

/// Bytes of a vector.
const VECTOR: usize = 16;
/// Vectors in a step of a row block.
const HALVES: usize = ROW_BLOCK * STEP / VECTOR;

/// The products of a row block with `T` rows of activations.
#[target_feature(enable = "relaxed-simd")]
fn dot<const T: usize, const SIGNED: bool>(
    (weights, scales): (&[BlockWeights], &[Scales]),
    tile: Tile<'_, i8, T>,
) -> [[f32; ROW_BLOCK]; T] {
    // Hides the number of rounds from LLVM. Otherwise it moves all loads of a block before the first product, for which
    // there are too few registers.
    let rounds = black_box(T * BLOCK / VECTOR);
    let mut sums = [[f32x4_splat(0.0); HALVES]; T];
    let numbers = tile.numbers.chunks_exact(T * BLOCK / STEP);
    let blocks = weights.iter().zip(scales).zip(numbers).zip(tile.scales).zip(tile.begins);
    for ((((weights, scales), numbers), number_scales), begins) in blocks {
        let mut wholes = begins.map(|begin| [i32x4_splat(if SIGNED { 0 } else { begin }); HALVES]);
        for round in 0..rounds {
            // SAFETY: `numbers` are `rounds` vectors, and `weights` two for each step.
            unsafe {
                let numbers = v128_load(numbers.as_ptr().cast::<v128>().add(round));
                let weights = weights.0.as_ptr().cast::<v128>().add(round * VECTOR / STEP / T * HALVES);
                for (index, numbers) in splats(numbers).into_iter().enumerate() {
                    for (half, whole) in wholes[index % T].iter_mut().enumerate() {
                        let weights = v128_load(weights.add(index / T * HALVES + half));
                        let weights = if SIGNED { v128_xor(weights, i8x16_splat(i8::MIN)) } else { weights };
                        *whole = i32x4_relaxed_dot_i8x16_i7x16_add(numbers, weights, *whole);
                    }
                }
            }
        }
        // SAFETY: eight numbers are two vectors.
        let scales: [v128; HALVES] = unsafe { std::mem::transmute(scales.0) };
        for ((sums, wholes), number_scale) in sums.iter_mut().zip(wholes).zip(number_scales) {
            for ((sum, whole), scale) in sums.iter_mut().zip(wholes).zip(scales) {
                let scale = f32x4_mul(scale, f32x4_splat(*number_scale));
                *sum = f32x4_add(*sum, f32x4_mul(f32x4_convert_i32x4(whole), scale));
            }
        }
    }
    // SAFETY: as above.
    sums.map(|sums| unsafe { std::mem::transmute(sums) })
}

/// Four vectors: each repeats four bytes of `vector` four times.
#[target_feature(enable = "relaxed-simd")]
fn splats(vector: v128) -> [v128; VECTOR / STEP] {
    [
        i32x4_shuffle::<0, 0, 0, 0>(vector, vector),
        i32x4_shuffle::<1, 1, 1, 1>(vector, vector),
        i32x4_shuffle::<2, 2, 2, 2>(vector, vector),
        i32x4_shuffle::<3, 3, 3, 3>(vector, vector),
    ]
}
