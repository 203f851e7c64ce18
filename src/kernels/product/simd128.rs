//! WebAssembly's vectors. Plain SIMD has no fused multiply-add, so its products round twice and differ from the other
//! kernels'. Relaxed SIMD's rounds once where the processor can, and always the same on one machine.

use core::arch::wasm32::*;
use std::hint::black_box;

use super::tile::{self, Vector};
use super::{Operand, Output, Packed, ProductKernel, Size};

/// The kernel for every browser since 2023.
pub static SEPARATE: ProductKernel =
    ProductKernel { name: "SIMD", is_fused: || false, add: tile::blocks::<Four<false>, 4, 2> };

/// The kernel for browsers with relaxed SIMD. A program that has it is invalid in others.
pub static RELAXED: ProductKernel = ProductKernel { name: "relaxed SIMD", is_fused, add: relaxed };

#[target_feature(enable = "relaxed-simd")]
fn relaxed(out: Output<'_>, first: Operand<'_>, second: Operand<'_>, size: Size, packed: &mut Packed) {
    tile::blocks::<Four<true>, 6, 2>(out, first, second, size, packed);
}

/// Whether this machine's relaxed multiply-add rounds once, found by trying: (1 + 2⁻¹²)² is 1 + 2⁻¹¹ when it is rounded.
#[target_feature(enable = "relaxed-simd")]
fn is_fused() -> bool {
    let (near, rounded) = (f32x4_splat(black_box(1.0 + 1.0 / 4096.0)), f32x4_splat(black_box(-1.0 - 1.0 / 2048.0)));
    f32x4_extract_lane::<0>(f32x4_relaxed_madd(near, near, rounded)) != 0.0
}

/// Four numbers; with `IS_RELAXED`, of a browser with relaxed SIMD.
#[derive(Clone, Copy)]
struct Four<const IS_RELAXED: bool>(v128);

impl<const IS_RELAXED: bool> Vector for Four<IS_RELAXED> {
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        Four(f32x4_splat(number))
    }

    #[inline(always)]
    unsafe fn load(numbers: *const f32) -> Self {
        // SAFETY: the caller has four numbers.
        Four(unsafe { v128_load(numbers.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, numbers: *mut f32) {
        // SAFETY: the caller has room for four numbers.
        unsafe { v128_store(numbers.cast(), self.0) }
    }

    #[inline(always)]
    fn multiply_add(self, a: Self, b: Self) -> Self {
        match IS_RELAXED {
            true => Four(f32x4_relaxed_madd(a.0, b.0, self.0)),
            false => Four(f32x4_add(self.0, f32x4_mul(a.0, b.0))),
        }
    }
}
