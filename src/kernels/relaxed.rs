//! WebAssembly's relaxed SIMD: one instruction that multiplies 8-bit numbers and adds them up in fours.
//!
//! Only the program `worker-relaxed` refers to this module: a single instruction of it would make the other one invalid
//! in a browser without them.
//!
//! `i32x4.relaxed_dot_i8x16_i7x16_add_s` is exact by its specification where the second operand has 7 bits. With 8, a
//! processor may take it with a sign or without, and may saturate sums of two; which of these, the specification fixes
//! for each machine. Weights have 8 bits, and the machine is asked ([`fitting`]): x86's `vpdpbusd` takes no sign, as weights
//! lie with 128 added to each, and 128 times the sum of a block's activations is taken off before; ARM's `sdot` takes the
//! sign, so 128 is taken off each weight again. Older x86 saturate; there the plain vectors are as fast.

use core::arch::wasm32::*;
use std::hint::black_box;
use std::ops::Range;

use super::activations::Tile;
use super::matrix::{BlockWeights, Scales};
use super::tiles::{self, Dot};
use super::{Activations, BLOCK, Kernel, Operands, Q8Matrix, ROW_BLOCK, STEP, scalar};

/// For machines whose dot product takes the second operand with its sign.
pub static SIGNED: Kernel =
    Kernel { name: "relaxed SIMD", operands: Operands::Bytes, is_scalar: false, multiply: multiply::<true> };

/// For machines whose dot product takes the second operand without a sign.
pub static UNSIGNED: Kernel =
    Kernel { name: "relaxed SIMD", operands: Operands::Bytes, is_scalar: false, multiply: multiply::<false> };

/// The kernel that is exact on this machine, found by trying; none where sums saturate.
pub fn fitting() -> Option<&'static Kernel> {
    [&SIGNED, &UNSIGNED].into_iter().find(|kernel| is_exact(kernel))
}

/// Whether it computes what [`scalar`] does, with the largest products of each two signs.
fn is_exact(kernel: &Kernel) -> bool {
    let signs = [[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]];
    signs.into_iter().all(|pair| [127u8, 129].into_iter().all(|weight| is_exact_at(kernel, pair, weight)))
}

/// The same for one block of a weight's byte and of two numbers in turn.
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

/// As [`super::scalar::multiply`]; what the machine takes without a sign is the weights, which have none where they lie.
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

impl<const SIGNED: bool> Dot for Bytes<'_, SIGNED> {
    fn dot<const T: usize>(&self, row_block: usize, token: usize) -> [[f32; ROW_BLOCK]; T] {
        dot::<T, SIGNED>(self.matrix.row_block(row_block), self.activations.bytes(token))
    }
}

/// Bytes of a vector.
const VECTOR: usize = 16;
/// Vectors that a step of a row block takes.
const HALVES: usize = ROW_BLOCK * STEP / VECTOR;

/// The products of a row block with `T` rows of activations.
#[target_feature(enable = "relaxed-simd")]
fn dot<const T: usize, const SIGNED: bool>(
    (weights, scales): (&[BlockWeights], &[Scales]),
    tile: Tile<'_, i8, T>,
) -> [[f32; ROW_BLOCK]; T] {
    // Where LLVM knows how many rounds there are, it puts all loads of a block before its first product, and there are
    // not that many registers.
    let rounds = black_box(T * BLOCK / VECTOR);
    let mut sums = [[f32x4_splat(0.0); HALVES]; T];
    let numbers = tile.numbers.chunks_exact(T * BLOCK / STEP);
    let blocks = weights.iter().zip(scales).zip(numbers).zip(tile.scales).zip(tile.begins);
    for ((((weights, scales), numbers), number_scales), begins) in blocks {
        let mut wholes = begins.map(|begin| [i32x4_splat(if SIGNED { 0 } else { begin }); HALVES]);
        for round in 0..rounds {
            // SAFETY: `numbers` are as many vectors as there are rounds, and `weights` two for each step.
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

/// Each four bytes of a vector, four times.
#[target_feature(enable = "relaxed-simd")]
fn splats(vector: v128) -> [v128; VECTOR / STEP] {
    [
        i32x4_shuffle::<0, 0, 0, 0>(vector, vector),
        i32x4_shuffle::<1, 1, 1, 1>(vector, vector),
        i32x4_shuffle::<2, 2, 2, 2>(vector, vector),
        i32x4_shuffle::<3, 3, 3, 3>(vector, vector),
    ]
}
