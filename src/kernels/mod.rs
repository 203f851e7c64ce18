//! The inner loops: `Q8_0` matrices times rows of activations.
//!
//! Every build gives the same bytes. Products of 8-bit numbers are added up as integers, which is exact in any order;
//! what is added up as float32 has one order, block after block of a row, with no fused multiply-add.
//! [`scalar`] says what is computed; the others compute the same faster, and tests hold them to it bit for bit.

mod activations;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod matrix;
pub mod scalar;
#[cfg(target_arch = "wasm32")]
mod simd128;

#[cfg(target_arch = "wasm32")]
use std::sync::atomic::{AtomicBool, Ordering};

pub use activations::Activations;
pub use matrix::{MatMul, Q8Matrix};

/// Weights that share a scale, along a row.
pub const BLOCK: usize = 32;
/// Rows of a matrix that are computed together.
pub const QUAD: usize = 4;
/// Bytes of a block of each row of a quad.
const QUAD_BLOCK: usize = QUAD * BLOCK;
/// Columns that lie together, of each row of a quad in turn.
const STEP: usize = 4;

/// Whether the program may use relaxed SIMD.
#[cfg(target_arch = "wasm32")]
static RELAXED_SIMD: AtomicBool = AtomicBool::new(false);

/// From now on what needs relaxed SIMD may run. Only a program calls this that no browser without it is given.
#[cfg(target_arch = "wasm32")]
pub fn use_relaxed_simd() {
    RELAXED_SIMD.store(true, Ordering::Relaxed);
}

/// Whether [`use_relaxed_simd`] was called.
#[cfg(target_arch = "wasm32")]
pub fn uses_relaxed_simd() -> bool {
    RELAXED_SIMD.load(Ordering::Relaxed)
}

/// `[tokens, inputs]` · `matrix`ᵀ → `[tokens, outputs]`, by the fastest way that this machine has.
pub fn multiply(matrix: &Q8Matrix, activations: &Activations, out: &mut [f32]) {
    #[cfg(target_arch = "wasm32")]
    return simd128::multiply(matrix, activations, out);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { avx2::multiply(matrix, activations, out) };
    }
    #[cfg(not(target_arch = "wasm32"))]
    scalar::multiply(matrix, activations, out);
}
