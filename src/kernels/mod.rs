//! The inner loops: `Q8_0` matrices times rows of activations, attention over the KV cache, layer norm, GELU.
//!
//! Every build gives the same bytes. Products of 8-bit numbers are added up as integers, which is exact in any order;
//! what is added up as float32 has one order, with no fused multiply-add, and `exp` is [our own](exp).
//! [`scalar`] says what is computed; the others compute the same faster, and tests hold them to it bit for bit.
//!
//! A browser begins with code that is quick to make and slow to run, and replaces a function by a better one between two
//! calls, never in the midst of one. So the innermost loops are functions that are not inlined, each call of which takes
//! microseconds.

mod activation;
#[cfg_attr(
    not(any(target_arch = "wasm32", target_arch = "x86_64")),
    allow(dead_code, reason = "the twin alone computes there, and reads no tiles")
)]
mod activations;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod cache;
pub mod elementwise;
mod exp;
mod keys;
mod lanes;
mod layer_norm;
mod layout;
mod matrix;
pub mod memory;
pub mod ops;
mod plain;
#[cfg(target_arch = "wasm32")]
pub mod relaxed;
pub mod scalar;
#[cfg(target_arch = "wasm32")]
mod simd128;
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64"))]
mod tiles;

use std::ops::Range;
use std::sync::atomic::{AtomicPtr, Ordering};

pub use activation::Activation;
pub use activations::{Activations, Operands};
pub use attention::{attend, attention_weights, mix_values};
pub use cache::BlockCache;
pub use keys::{Keys, Scores};
pub use layer_norm::layer_norm;
pub use layout::{Element, Heads, append};
pub use matrix::Q8Matrix;
pub use plain::multiply_f32;

/// Weights that share a scale, along a row.
pub const BLOCK: usize = 32;
/// Rows of a matrix that lie together and are computed together.
pub const ROW_BLOCK: usize = 8;
/// Columns that lie together, of each row of a row block in turn.
const STEP: usize = 4;
/// Rows of activations that share each look at a weight.
const TILE: usize = 4;

/// One way to compute, of which all give the same bytes.
pub struct Kernel {
    /// For people to read.
    pub name: &'static str,
    /// What its [`multiply`](Self::multiply) reads of the activations.
    pub operands: Operands,
    /// Whether everything is computed by [`scalar`].
    pub is_scalar: bool,
    /// `[tokens, inputs]` · `matrix`ᵀ → `[tokens, outputs]`, of which those of the row blocks given.
    pub multiply: fn(&Q8Matrix, Range<usize>, &Activations, &mut [f32]),
}

/// The twin of all others.
pub static SCALAR: Kernel =
    Kernel { name: "scalar", operands: Operands::Rows, is_scalar: true, multiply: scalar::multiply };

/// The vectors that every WebAssembly since 2023 has.
#[cfg(target_arch = "wasm32")]
static VECTORS: Kernel =
    Kernel { name: "SIMD", operands: Operands::Words, is_scalar: false, multiply: simd128::multiply };

/// The vectors that this machine has.
#[cfg(target_arch = "x86_64")]
static VECTORS: Kernel = Kernel { name: "AVX2", operands: Operands::Words, is_scalar: false, multiply: avx2::multiply };

/// The kernel that [`select`] chose; null before.
static SELECTED: AtomicPtr<Kernel> = AtomicPtr::new(std::ptr::null_mut());

/// Computes with this kernel from now on.
pub fn select(kernel: &'static Kernel) {
    SELECTED.store(std::ptr::from_ref(kernel).cast_mut(), Ordering::Relaxed);
}

/// The kernel that was [selected](select), or the best that needs no asking.
pub fn selected() -> &'static Kernel {
    // SAFETY: null, or made of a reference that lives for ever.
    unsafe { SELECTED.load(Ordering::Relaxed).as_ref() }.unwrap_or_else(best)
}

fn best() -> &'static Kernel {
    vectors().unwrap_or(&SCALAR)
}

/// The kernel for the vectors that this machine has; none where there is no kernel for them.
pub fn vectors() -> Option<&'static Kernel> {
    #[cfg(target_arch = "wasm32")]
    return Some(&VECTORS);
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2").then_some(&VECTORS);
    #[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
    None
}

/// Computes with relaxed SIMD from now on, if this machine has instructions that fit; only for programs that run where
/// the browser knows them.
#[cfg(target_arch = "wasm32")]
pub fn use_relaxed_simd() {
    if let Some(kernel) = relaxed::fitting() {
        select(kernel);
    }
}
