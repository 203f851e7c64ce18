//! Four float32 numbers that are computed together: a vector of the machine, or an array on other machines.
//!
//! Every operation is IEEE 754's on each of the numbers, so that all machines give the same bits.

/// Numbers in one [`Lanes`].
pub const LANES: usize = 4;

/// 1.5 · 2²³. Adding it to a number below 2²² rounds that to an integer, ties to even, in the lowest bits of the sum.
pub const ROUNDING: f32 = 12_582_912.0;

#[cfg(target_arch = "wasm32")]
use core::arch::wasm32 as arch;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64 as arch;

#[cfg(target_arch = "wasm32")]
type Vector = arch::v128;
#[cfg(target_arch = "x86_64")]
type Vector = arch::__m128;
#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
type Vector = [f32; LANES];

/// Four numbers.
#[derive(Clone, Copy)]
pub struct Lanes(Vector);

/// Defines an operation for WebAssembly, for x86-64 (which always has SSE2), and for other machines.
macro_rules! operation {
    ($(#[$doc:meta])* $name:ident($a:ident, $b:ident), $wasm:expr, $x86:expr, $elsewhere:expr) => {
        $(#[$doc])*
        #[inline(always)]
        #[allow(clippy::should_implement_trait, reason = "the chains read in the order in which they are computed")]
        pub fn $name(self, other: Lanes) -> Lanes {
            let ($a, $b) = (self.0, other.0);
            #[cfg(target_arch = "wasm32")]
            return Lanes($wasm);
            #[cfg(target_arch = "x86_64")]
            // SAFETY: every x86-64 has SSE2.
            return Lanes(unsafe { $x86 });
            #[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
            return Lanes(std::array::from_fn(|lane| $elsewhere($a[lane], $b[lane])));
        }
    };
}

impl Lanes {
    operation!(
        /// `self + other`.
        add(a, b), arch::f32x4_add(a, b), arch::_mm_add_ps(a, b), |a: f32, b: f32| a + b
    );
    operation!(
        /// `self - other`.
        sub(a, b), arch::f32x4_sub(a, b), arch::_mm_sub_ps(a, b), |a: f32, b: f32| a - b
    );
    operation!(
        /// `self · other`.
        mul(a, b), arch::f32x4_mul(a, b), arch::_mm_mul_ps(a, b), |a: f32, b: f32| a * b
    );
    operation!(
        /// `self / other`.
        div(a, b), arch::f32x4_div(a, b), arch::_mm_div_ps(a, b), |a: f32, b: f32| a / b
    );
    operation!(
        /// The greater of both. A NaN in `self` stays.
        at_least(a, b), arch::f32x4_pmax(a, b), arch::_mm_max_ps(b, a), |a: f32, b: f32| if a < b { b } else { a }
    );
    operation!(
        /// The lesser of both. A NaN in `self` stays.
        at_most(a, b), arch::f32x4_pmin(a, b), arch::_mm_min_ps(b, a), |a: f32, b: f32| if b < a { b } else { a }
    );
    operation!(
        /// `self · 2ⁿ`, if `other` is n plus [`ROUNDING`], and the product is a normal number.
        scale(a, b),
        arch::i32x4_add(a, arch::i32x4_shl(b, 23)),
        arch::_mm_castsi128_ps(arch::_mm_add_epi32(
            arch::_mm_castps_si128(a),
            arch::_mm_slli_epi32::<23>(arch::_mm_castps_si128(b)),
        )),
        |a: f32, b: f32| f32::from_bits(a.to_bits().wrapping_add(b.to_bits() << 23))
    );

    /// The same number four times.
    #[inline(always)]
    pub fn splat(number: f32) -> Lanes {
        Lanes::from([number; LANES])
    }

    /// The numbers.
    #[inline(always)]
    pub fn numbers(self) -> [f32; LANES] {
        // SAFETY: a vector is four numbers in order.
        unsafe { std::mem::transmute(self.0) }
    }

    /// Eight bfloat16 as numbers: those at even indices, and those at odd ones.
    #[inline(always)]
    pub fn from_bf16(pairs: &[u16; 2 * LANES]) -> (Lanes, Lanes) {
        // SAFETY: sixteen bytes are four words. A bfloat16 is the upper half of a float32.
        let words: [u32; LANES] = unsafe { std::mem::transmute(*pairs) };
        (
            Lanes::from(words.map(|word| f32::from_bits(word << 16))),
            Lanes::from(words.map(|word| f32::from_bits(word & 0xffff_0000))),
        )
    }

    /// (first + second) + (third + fourth).
    #[inline(always)]
    pub fn sum(self) -> f32 {
        let [a, b, c, d] = self.numbers();
        (a + b) + (c + d)
    }
}

impl From<[f32; LANES]> for Lanes {
    #[inline(always)]
    fn from(numbers: [f32; LANES]) -> Lanes {
        // SAFETY: as in `numbers`.
        Lanes(unsafe { std::mem::transmute::<[f32; LANES], Vector>(numbers) })
    }
}

/// The numbers behind the last whole four of a row, padded with 0.
#[inline(always)]
pub fn padded(rest: &[f32]) -> Lanes {
    Lanes::from(std::array::from_fn(|lane| rest.get(lane).copied().unwrap_or(0.0)))
}
