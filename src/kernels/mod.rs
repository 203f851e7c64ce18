//! The inner loops: `Q8_0` matrices times rows of activations, attention over the KV cache, layer norm, GELU.
//!
//! Every build gives the same bytes. Products of 8-bit numbers are summed as integers, which is exact in any order.
//! Float32 numbers are summed in one fixed order, without fused multiply-add, and `exp` is [our own](exp). [`scalar`]
//! defines what is computed. The other modules compute the same faster, and tests compare them bit for bit.
//!
//! A browser first compiles WebAssembly to slow code, and later to faster code. It switches to that between two calls
//! of a function, never within a call. So the innermost loops are functions that are not inlined, and each call takes
//! only microseconds.

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
pub mod gradients;
mod keys;
mod lanes;
mod layer_norm;
mod layout;
mod matrix;
pub mod memory;
pub mod ops;
mod plain;
pub mod product;
#[cfg(target_arch = "wasm32")]
pub mod relaxed;
pub mod scalar;
#[cfg(target_arch = "wasm32")]
mod simd128;
mod softmax;
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64"))]
mod tiles;
#[cfg(target_arch = "x86_64")]
mod vnni;

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
pub use softmax::{SoftmaxSums, softmax_sums};

/// Weights of a row that share a scale.
pub const BLOCK: usize = 32;
/// Rows of a matrix that are stored and computed together.
pub const ROW_BLOCK: usize = 8;
/// Columns of a row that are stored together, for each row of a row block in turn.
const STEP: usize = 4;
/// Rows of activations for which a weight is read once.
const TILE: usize = 4;

/// A set of functions that compute. All kernels give the same bytes.
pub struct Kernel {
    /// The name, for people.
    pub name: &'static str,
    /// The layout in which its [`multiply`](Self::multiply) reads the activations.
    pub operands: Operands,
    /// Whether it is [`scalar`] only.
    pub is_scalar: bool,
    /// `[tokens, inputs]` · `matrix`ᵀ → `[tokens, outputs]`, with only the outputs of these row blocks.
    pub multiply: fn(&Q8Matrix, Range<usize>, &Activations, &mut [f32]),
}

/// The kernel that defines the results of all others.
pub static SCALAR: Kernel =
    Kernel { name: "scalar", operands: Operands::Rows, is_scalar: true, multiply: scalar::multiply };

/// The kernel for the vectors that every browser has since 2023.
#[cfg(target_arch = "wasm32")]
static VECTORS: Kernel =
    Kernel { name: "SIMD", operands: Operands::Words, is_scalar: false, multiply: simd128::multiply };

/// The kernel for processors since 2013.
#[cfg(target_arch = "x86_64")]
static AVX2: Kernel = Kernel { name: "AVX2", operands: Operands::Words, is_scalar: false, multiply: avx2::multiply };

/// The kernel for processors with products of 8-bit numbers.
#[cfg(target_arch = "x86_64")]
static AVX_VNNI: Kernel =
    Kernel { name: "AVX-VNNI", operands: Operands::Bytes, is_scalar: false, multiply: vnni::avx_vnni::multiply };

/// The kernel for processors with these products and with 512-bit vectors.
#[cfg(target_arch = "x86_64")]
static AVX512_VNNI: Kernel =
    Kernel { name: "AVX-512 VNNI", operands: Operands::Bytes, is_scalar: false, multiply: vnni::avx512_vnni::multiply };

/// The kernel that [`select`] has set; null before.
static SELECTED: AtomicPtr<Kernel> = AtomicPtr::new(std::ptr::null_mut());

/// Uses this kernel from now on.
pub fn select(kernel: &'static Kernel) {
    SELECTED.store(std::ptr::from_ref(kernel).cast_mut(), Ordering::Relaxed);
}

/// The kernel that [`select`] has set, or the best of those that always work.
pub fn selected() -> &'static Kernel {
    // SAFETY: the pointer is null, or was made from a reference that lives for ever.
    unsafe { SELECTED.load(Ordering::Relaxed).as_ref() }.unwrap_or_else(best)
}

fn best() -> &'static Kernel {
    vectors().next().unwrap_or(&SCALAR)
}

/// The kernels for the vectors of this machine, the fastest first.
pub fn vectors() -> impl Iterator<Item = &'static Kernel> {
    #[cfg(target_arch = "wasm32")]
    return std::iter::once(&VECTORS);
    #[cfg(target_arch = "x86_64")]
    return [
        (is_x86_feature_detected!("avx512vnni"), &AVX512_VNNI),
        (is_x86_feature_detected!("avxvnni"), &AVX_VNNI),
        (is_x86_feature_detected!("avx2"), &AVX2),
    ]
    .into_iter()
    .filter_map(|(is_there, kernel)| is_there.then_some(kernel));
    #[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
    std::iter::empty()
}

/// Uses relaxed SIMD from now on, if it is exact on this machine. Only programs that run in browsers with relaxed SIMD
/// may call this.
#[cfg(target_arch = "wasm32")]
pub fn use_relaxed_simd() {
    if let Some(kernel) = relaxed::fitting() {
        select(kernel);
    }
}
