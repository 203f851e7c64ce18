//! WebAssembly's vectors. Without relaxed SIMD it has no fused multiply-add, so products round twice and differ from the
//! other kernels'.

use core::arch::wasm32::*;

use super::ProductKernel;
use super::tile::{self, Vector};

/// The kernel for every browser since 2023.
pub static SEPARATE: ProductKernel =
    ProductKernel { name: "SIMD", is_fused: || false, add: tile::blocks::<Four, 2, 4> };

#[derive(Clone, Copy)]
struct Four(v128);

impl Vector for Four {
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        Four(f32x4_splat(number))
    }

    #[inline(always)]
    fn load(numbers: &[f32]) -> Self {
        let numbers = &numbers[..Self::LANES];
        // SAFETY: there are four numbers.
        Four(unsafe { v128_load(numbers.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32]) {
        let numbers = &mut numbers[..Self::LANES];
        // SAFETY: there is room for four.
        unsafe { v128_store(numbers.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn multiply_add(self, a: Self, b: Self) -> Self {
        Four(f32x4_add(self.0, f32x4_mul(a.0, b.0)))
    }
}
