//! x86's vectors: 256 bits with fused multiply-add (since 2013), and 512 bits.

use core::arch::x86_64::*;

use super::tile::{self, Vector};
use super::{Operand, Output, Packed, ProductKernel, Size};

/// The kernels that this processor can run, the fastest first.
pub(super) fn kernels() -> impl Iterator<Item = &'static ProductKernel> {
    let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    [(has_avx2 && is_x86_feature_detected!("avx512f"), &AVX512), (has_avx2, &AVX2)]
        .into_iter()
        .filter_map(|(is_there, kernel)| is_there.then_some(kernel))
}

static AVX2: ProductKernel = ProductKernel {
    name: "AVX2",
    is_fused: || true,
    // SAFETY: `kernels` gives it only to processors that have these vectors.
    add: |out, first, second, size, packed| unsafe { avx2(out, first, second, size, packed) },
};

static AVX512: ProductKernel = ProductKernel {
    name: "AVX-512",
    is_fused: || true,
    // SAFETY: as above.
    add: |out, first, second, size, packed| unsafe { avx512(out, first, second, size, packed) },
};

#[target_feature(enable = "avx2,fma")]
fn avx2(out: Output<'_>, first: Operand<'_>, second: Operand<'_>, size: Size, packed: &mut Packed) {
    tile::blocks::<Eight, 6, 2>(out, first, second, size, packed);
}

#[target_feature(enable = "avx2,fma,avx512f")]
fn avx512(out: Output<'_>, first: Operand<'_>, second: Operand<'_>, size: Size, packed: &mut Packed) {
    tile::blocks::<Sixteen, 12, 2>(out, first, second, size, packed);
}

/// Defines a vector of float32 numbers by its instructions.
macro_rules! vector {
    ($(#[$doc:meta])* $name:ident, $register:ident, $lanes:literal, $splat:ident, $load:ident, $store:ident, $fma:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        struct $name($register);

        impl Vector for $name {
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(number: f32) -> Self {
                // SAFETY: only the functions above use it, on processors that have it.
                $name(unsafe { $splat(number) })
            }

            #[inline(always)]
            unsafe fn load(numbers: *const f32) -> Self {
                // SAFETY: the caller has as many numbers.
                $name(unsafe { $load(numbers) })
            }

            #[inline(always)]
            unsafe fn store(self, numbers: *mut f32) {
                // SAFETY: the caller has room for as many.
                unsafe { $store(numbers, self.0) }
            }

            #[inline(always)]
            fn multiply_add(self, a: Self, b: Self) -> Self {
                // SAFETY: as in `splat`.
                $name(unsafe { $fma(a.0, b.0, self.0) })
            }
        }
    };
}

vector!(
    /// A vector of AVX2.
    Eight, __m256, 8, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps
);
vector!(
    /// A vector of AVX-512.
    Sixteen, __m512, 16, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps
);
