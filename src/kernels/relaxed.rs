//! WebAssembly's relaxed SIMD: one instruction that multiplies 8-bit numbers and adds them up in fours.
//!
//! Only the program `worker-relaxed` refers to this module: a single instruction of it would make the other one invalid
//! in a browser without them.
//!
//! `i32x4.relaxed_dot_i8x16_i7x16_add_s` is exact by its specification where the second operand has 7 bits. With 8, a
//! processor may take it with a sign or without, and may saturate sums of two; which of these, the specification fixes
//! for each machine. Activations have 8 bits, and the machine is asked ([`fitting`]): ARM's `sdot` takes the sign, so
//! activations go in as they are; x86's `vpdpbusd` takes none, so 128 is added to each, and 128 times the sum of a
//! block's weights is taken off before. Older x86 saturate; there the plain vectors are as fast.

use core::arch::wasm32::*;
use std::ops::Range;

use super::simd128::lanes;
use super::tiles::{self, Dot};
use super::{Activations, BLOCK, Kernel, Operands, Q8Matrix, QUAD, QUAD_BLOCK, STEP, scalar};

/// For machines whose dot product takes the second operand with its sign.
pub static SIGNED: Kernel =
    Kernel { name: "relaxed SIMD", operands: Operands::Bytes, is_scalar: false, multiply: multiply_signed };

/// For machines whose dot product takes the second operand without a sign.
pub static UNSIGNED: Kernel =
    Kernel { name: "relaxed SIMD", operands: Operands::Offset, is_scalar: false, multiply: multiply_unsigned };

/// The kernel that is exact on this machine, found by trying; none where sums saturate.
pub fn fitting() -> Option<&'static Kernel> {
    [&SIGNED, &UNSIGNED].into_iter().find(|kernel| is_exact(kernel))
}

/// Whether it computes what [`scalar`] does, with the largest products of either sign.
fn is_exact(kernel: &Kernel) -> bool {
    let mut activations = Activations::default();
    let signs = |index: usize| [[1.0, 1.0], [1.0, -1.0], [-1.0, -1.0], [-1.0, 1.0]][index / BLOCK % 4][index % 2];
    let row: Vec<f32> = (0..4 * BLOCK).map(signs).collect();
    activations.quantise(&row, row.len(), kernel.operands);
    [127u8, 129].into_iter().all(|weight| {
        let Some(mut matrix) = Q8Matrix::zeros(2 * QUAD, row.len()) else { return false };
        let mut stored = [weight; 2 + BLOCK];
        [stored[0], stored[1]] = [0, 0x3c]; // a scale of 1 in f16
        matrix.put_rows(0, &stored.repeat(2 * QUAD * row.len() / BLOCK));
        let (mut found, mut expected) = ([0.0; 2 * QUAD], [0.0; 2 * QUAD]);
        (kernel.multiply)(&matrix, 0..2, &activations, &mut found);
        scalar::multiply(&matrix, 0..2, &activations, &mut expected);
        found == expected
    })
}

fn multiply_signed(matrix: &Q8Matrix, quads: Range<usize>, activations: &Activations, out: &mut [f32]) {
    // SAFETY: 8 bits are 8 bits.
    let bytes = unsafe { std::slice::from_raw_parts(activations.numbers.as_ptr().cast(), activations.numbers.len()) };
    multiply(matrix, quads, activations, bytes, 0, out);
}

fn multiply_unsigned(matrix: &Q8Matrix, quads: Range<usize>, activations: &Activations, out: &mut [f32]) {
    multiply(matrix, quads, activations, &activations.offset, 128, out);
}

/// As [`super::scalar::multiply`], with activations to whose `bytes` an offset was added.
fn multiply(
    matrix: &Q8Matrix,
    quads: Range<usize>,
    activations: &Activations,
    bytes: &[u8],
    offset: i32,
    out: &mut [f32],
) {
    let mut bytes = Bytes { matrix, activations, bytes, offset, begin: activations.spare.take() };
    tiles::multiply::<4, 2>(&mut bytes, matrix, quads, activations.tokens(), out);
    activations.spare.replace(bytes.begin);
}

struct Bytes<'a> {
    matrix: &'a Q8Matrix,
    activations: &'a Activations,
    bytes: &'a [u8],
    offset: i32,
    /// What the sums of each block of the quads begin with, so that the offset does not show.
    begin: Vec<[i32; QUAD]>,
}

impl Bytes<'_> {
    /// Whether the weights' sums are made in the same pass as the products: where one token needs them, a pass before
    /// would wait for memory twice.
    fn in_one_pass(&self) -> bool {
        self.offset != 0 && self.activations.tokens() == 1
    }
}

impl Dot for Bytes<'_> {
    fn enter<const Q: usize>(&mut self, quad: usize) {
        self.begin.clear();
        let blocks = self.matrix.inputs() / BLOCK;
        if self.offset == 0 || self.in_one_pass() {
            return self.begin.resize(blocks * Q, [0; QUAD]);
        }
        let weights: [&[i8]; Q] = std::array::from_fn(|index| self.matrix.quad(quad + index).0);
        for block in 0..blocks {
            for weights in weights {
                self.begin.push(minus_sums(&weights[block * QUAD_BLOCK..][..QUAD_BLOCK], self.offset));
            }
        }
    }

    fn dot<const T: usize, const Q: usize>(&self, quad: usize, token: usize) -> [[[f32; QUAD]; Q]; T] {
        let quads: [(&[i8], &[f32]); Q] = std::array::from_fn(|index| self.matrix.quad(quad + index));
        let rows: [&[u8]; T] = std::array::from_fn(|index| self.activations.row(self.bytes, token + index));
        let row_scales: [&[f32]; T] = std::array::from_fn(|index| self.activations.row_scales(token + index));
        let sums = match self.in_one_pass() {
            true => dot::<T, Q, true>(&self.begin, self.offset, quads, rows, row_scales),
            false => dot::<T, Q, false>(&self.begin, self.offset, quads, rows, row_scales),
        };
        sums.map(|sums| sums.map(lanes))
    }
}

/// The sums of the weights of a block's four rows, times minus `offset`.
#[target_feature(enable = "relaxed-simd")]
fn minus_sums(weights: &[i8], offset: i32) -> [i32; QUAD] {
    let ones = i8x16_splat(1);
    let mut sums = i32x4_splat(0);
    for weights in weights.as_chunks::<{ QUAD * STEP }>().0 {
        // SAFETY: sixteen bytes; loads need no alignment.
        let weights = unsafe { v128_load(weights.as_ptr().cast()) };
        sums = i32x4_relaxed_dot_i8x16_i7x16_add(weights, ones, sums);
    }
    let mut minus = [0; QUAD];
    // SAFETY: there is room for four numbers.
    unsafe { v128_store(minus.as_mut_ptr().cast(), i32x4_mul(sums, i32x4_splat(-offset))) };
    minus
}

/// The products of the rows of `Q` quads with `T` rows of activations; with `SUMS`, `offset` times the sums of the
/// weights are taken off on the way, else they are in `begin`.
#[target_feature(enable = "relaxed-simd")]
fn dot<const T: usize, const Q: usize, const SUMS: bool>(
    begin: &[[i32; QUAD]],
    offset: i32,
    quads: [(&[i8], &[f32]); Q],
    rows: [&[u8]; T],
    row_scales: [&[f32]; T],
) -> [[v128; Q]; T] {
    let blocks = begin.len() / Q;
    for (weights, scales) in quads {
        assert!(weights.len() == blocks * QUAD_BLOCK && scales.len() == blocks * QUAD);
    }
    assert!(rows.iter().all(|row| row.len() == blocks * BLOCK));
    assert!(row_scales.iter().all(|scales| scales.len() == blocks));
    let mut sums = [[f32x4_splat(0.0); Q]; T];
    for (block, begin) in begin.as_chunks::<Q>().0.iter().enumerate() {
        // SAFETY: the lengths are those asserted above; loads need no alignment.
        unsafe {
            let mut wholes = [begin.each_ref().map(|begin| v128_load(begin.as_ptr().cast())); T];
            let mut weight_sums = [i32x4_splat(0); Q];
            for step in 0..BLOCK / STEP {
                let place = block * QUAD_BLOCK + step * QUAD * STEP;
                let weights: [v128; Q] =
                    std::array::from_fn(|index| v128_load(quads[index].0.as_ptr().add(place).cast()));
                if SUMS {
                    for (sum, weights) in weight_sums.iter_mut().zip(weights) {
                        *sum = i32x4_relaxed_dot_i8x16_i7x16_add(weights, i8x16_splat(1), *sum);
                    }
                }
                for (row, wholes) in rows.iter().zip(&mut wholes) {
                    let numbers = v128_load32_splat(row.as_ptr().add(block * BLOCK + step * STEP).cast());
                    for (whole, weights) in wholes.iter_mut().zip(weights) {
                        *whole = i32x4_relaxed_dot_i8x16_i7x16_add(weights, numbers, *whole);
                    }
                }
            }
            let scales: [v128; Q] =
                std::array::from_fn(|index| v128_load(quads[index].1.as_ptr().add(block * QUAD).cast()));
            for index in 0..T {
                let row_scale = v128_load32_splat(row_scales[index].as_ptr().add(block).cast());
                for quad in 0..Q {
                    let scale = f32x4_mul(scales[quad], row_scale);
                    let whole = match SUMS {
                        true => i32x4_sub(wholes[index][quad], i32x4_mul(weight_sums[quad], i32x4_splat(offset))),
                        false => wholes[index][quad],
                    };
                    sums[index][quad] = f32x4_add(sums[index][quad], f32x4_mul(f32x4_convert_i32x4(whole), scale));
                }
            }
        }
    }
    sums
}
