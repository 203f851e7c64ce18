//! x86's instruction that multiplies 8-bit numbers and sums the products in groups of four (VNNI): on 256-bit vectors
//! (Intel since Alder Lake, AMD since Zen 5), and on 512-bit vectors (Intel's servers since Cascade Lake, AMD since Zen
//! 4).
//!
//! It reads the weights without a sign, as they are stored, and the activations with one. Its sums do not saturate.

/// Defines `multiply` for vectors of `ROW_BLOCKS` row blocks. The instructions must be in scope, under the names that
/// are used here.
macro_rules! multiply {
    ($feature:tt) => {
        use std::ops::Range;

        use crate::kernels::activations::Tile;
        use crate::kernels::matrix::{BlockWeights, Scales};
        use crate::kernels::tiles::{self, Dot};
        use crate::kernels::{Activations, BLOCK, Q8Matrix, ROW_BLOCK, STEP, scalar};

        /// Rows that are multiplied together.
        const ROWS: usize = ROW_BLOCKS * ROW_BLOCK;

        /// The same as [`scalar::multiply`], which it calls if the processor lacks these vectors.
        pub fn multiply(matrix: &Q8Matrix, row_blocks: Range<usize>, activations: &Activations, out: &mut [f32]) {
            if !is_x86_feature_detected!($feature) {
                return scalar::multiply(matrix, row_blocks, activations, out);
            }
            tiles::multiply(&Bytes { matrix, activations }, matrix, row_blocks, activations, out);
        }

        /// Must be made only if the processor has these vectors.
        struct Bytes<'a> {
            matrix: &'a Q8Matrix,
            activations: &'a Activations,
        }

        impl Dot<ROWS> for Bytes<'_> {
            fn dot<const T: usize>(&self, row_block: usize, token: usize) -> [[f32; ROWS]; T] {
                let last = self.matrix.row_blocks() - 1;
                let row_blocks = std::array::from_fn(|index| self.matrix.row_block((row_block + index).min(last)));
                // SAFETY: the processor has these vectors.
                unsafe { dot(row_blocks, self.activations.bytes(token)) }
            }
        }

        /// The products of row blocks with `T` rows of activations.
        #[target_feature(enable = $feature)]
        fn dot<const T: usize>(
            row_blocks: [(&[BlockWeights], &[Scales]); ROW_BLOCKS],
            tile: Tile<'_, i8, T>,
        ) -> [[f32; ROWS]; T] {
            let mut sums = [zeros(); T];
            let numbers = tile.numbers.chunks_exact(T * BLOCK / STEP);
            for (block, ((numbers, number_scales), begins)) in numbers.zip(tile.scales).zip(tile.begins).enumerate() {
                let weights = row_blocks.map(|(weights, _)| &weights[block].0);
                let mut wholes = begins.map(|begin| splat_i32(begin));
                for (step, numbers) in numbers.as_chunks::<T>().0.iter().enumerate() {
                    let weights = load(weights.map(|weights| &weights[step]));
                    for (whole, numbers) in wholes.iter_mut().zip(numbers) {
                        let numbers = i32::from_ne_bytes(numbers.map(|number| number as u8));
                        *whole = dot_bytes(*whole, weights, splat_i32(numbers));
                    }
                }
                let scales = to_floats(load(row_blocks.map(|(_, scales)| &scales[block].0)));
                for ((sum, whole), number_scale) in sums.iter_mut().zip(wholes).zip(number_scales) {
                    let scale = mul(scales, splat(*number_scale));
                    *sum = add(*sum, mul(convert(whole), scale));
                }
            }
            // SAFETY: a vector is as many numbers.
            sums.map(|sums| unsafe { std::mem::transmute(sums) })
        }
    };
}

/// 256-bit vectors (AVX-VNNI).
pub mod avx_vnni {
    use core::arch::x86_64::{
        __m256i, _mm256_add_ps as add, _mm256_castsi256_ps as to_floats, _mm256_cvtepi32_ps as convert,
        _mm256_dpbusd_avx_epi32 as dot_bytes, _mm256_loadu_si256, _mm256_mul_ps as mul, _mm256_set1_epi32 as splat_i32,
        _mm256_set1_ps as splat, _mm256_setzero_ps as zeros,
    };

    /// Row blocks that are multiplied together.
    const ROW_BLOCKS: usize = 1;

    /// Loads eight rows' numbers.
    #[target_feature(enable = "avx2")]
    pub(super) fn load<N>([rows]: [&[N; ROW_BLOCK]; ROW_BLOCKS]) -> __m256i {
        const { assert!(size_of::<[N; ROW_BLOCK]>() == size_of::<__m256i>()) };
        // SAFETY: the rows have as many bytes as a vector, and loads need no alignment.
        unsafe { _mm256_loadu_si256(rows.as_ptr().cast()) }
    }

    multiply!("avxvnni");
}

/// 512-bit vectors (AVX-512 VNNI).
pub mod avx512_vnni {
    use core::arch::x86_64::{
        __m512i, _mm512_add_ps as add, _mm512_castsi256_si512, _mm512_castsi512_ps as to_floats,
        _mm512_cvtepi32_ps as convert, _mm512_dpbusd_epi32 as dot_bytes, _mm512_inserti64x4, _mm512_mul_ps as mul,
        _mm512_set1_epi32 as splat_i32, _mm512_set1_ps as splat, _mm512_setzero_ps as zeros,
    };

    /// Row blocks that are multiplied together. Where only one is left, the other's products are not used.
    const ROW_BLOCKS: usize = 2;

    /// Loads sixteen rows' numbers.
    #[target_feature(enable = "avx512f")]
    fn load<N>(rows: [&[N; ROW_BLOCK]; ROW_BLOCKS]) -> __m512i {
        let [first, second] = rows.map(|rows| super::avx_vnni::load([rows]));
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(first), second)
    }

    multiply!("avx512vnni");
}
