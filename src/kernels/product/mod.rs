//! The matrix product for learning: float32, packed and tiled. Whatever writes text has products of its own.
//!
//! Each number of the result is one chain of multiply-adds over the inner dimension, in order, which begins with what
//! is there. Lanes, tiles, blocks and threads decide only which chains are computed together, so they change no bit. Blocks and packing follow
//! Goto and van de Geijn (2008).

#[cfg(target_arch = "x86_64")]
mod avx;
mod pack;
#[cfg(target_arch = "wasm32")]
mod simd128;
mod tile;

use std::cell::RefCell;
use std::sync::atomic::{AtomicPtr, Ordering};

use tile::Alone;

/// The part of the inner dimension that is packed at once: a panel of it stays in the smallest cache.
const DEPTH: usize = 256;
/// Rows of the first factor that are packed at once: a multiple of every tile's. With [`DEPTH`] they stay in the second cache.
const ROWS: usize = 96;

/// A matrix inside a slice.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    numbers: &'a [f32],
    /// From a row to the next.
    row: usize,
    /// From a column to the next.
    column: usize,
}

impl<'a> Operand<'a> {
    /// Rows that lie `stride` apart, each with its columns side by side.
    pub fn rows(numbers: &'a [f32], stride: usize) -> Self {
        Operand { numbers, row: stride, column: 1 }
    }

    /// The same numbers with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Operand { row: self.column, column: self.row, ..self }
    }
}

/// Sizes of a product: `[rows, depth]` · `[depth, columns]` → `[rows, columns]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows of the first factor and of the result.
    pub rows: usize,
    /// Columns of the second factor and of the result.
    pub columns: usize,
    /// Columns of the first factor, rows of the second.
    pub depth: usize,
}

/// How products are computed. Two with the same [`is_fused`](Self::is_fused) give the same bits.
#[derive(Debug)]
pub struct ProductKernel {
    /// The name, for people.
    pub name: &'static str,
    /// Whether a multiply-add rounds once.
    pub is_fused: fn() -> bool,
    add: fn(Output<'_>, Operand<'_>, Operand<'_>, Size, &mut Packed),
}

/// Where a result is added: rows that lie `stride` apart.
struct Output<'a> {
    numbers: &'a mut [f32],
    stride: usize,
}

/// Both factors, as the tiles read them.
#[derive(Debug, Default)]
struct Packed {
    first: Vec<f32>,
    second: Vec<f32>,
}

thread_local! {
    static PACKED: RefCell<Packed> = RefCell::default();
}

/// The kernel that defines the results of all that fuse.
pub static SCALAR: ProductKernel =
    ProductKernel { name: "scalar", is_fused: || true, add: tile::blocks::<Alone, 4, 4> };

/// The kernel for processors whose vectors the compiler uses by itself.
#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
static PORTABLE: ProductKernel =
    ProductKernel { name: "vectors", is_fused: || true, add: tile::blocks::<tile::Four, 8, 2> };

/// The kernel that [`select`] has set; null before.
static SELECTED: AtomicPtr<ProductKernel> = AtomicPtr::new(std::ptr::null_mut());

/// Uses this kernel from now on.
pub fn select(kernel: &'static ProductKernel) {
    SELECTED.store(std::ptr::from_ref(kernel).cast_mut(), Ordering::Relaxed);
}

/// The kernel that [`select`] has set, or the fastest of this machine.
pub fn selected() -> &'static ProductKernel {
    // SAFETY: the pointer is null, or was made from a reference that lives for ever.
    unsafe { SELECTED.load(Ordering::Relaxed).as_ref() }.unwrap_or_else(|| kernels().next().unwrap_or(&SCALAR))
}

/// The kernel for browsers with relaxed SIMD; only programs for these may call this.
#[cfg(target_arch = "wasm32")]
pub fn relaxed() -> &'static ProductKernel {
    &simd128::RELAXED
}

/// The kernels of this machine, the fastest first.
pub fn kernels() -> impl Iterator<Item = &'static ProductKernel> {
    #[cfg(target_arch = "x86_64")]
    let vectors = avx::kernels();
    #[cfg(target_arch = "wasm32")]
    let vectors = std::iter::once(&simd128::SEPARATE);
    #[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
    let vectors = std::iter::once(&PORTABLE);
    vectors.chain([&SCALAR])
}

/// Adds `first` · `second` to `out`, whose rows lie `stride` apart.
///
/// # Panics
///
/// If a factor or the result is smaller than `size` says.
pub fn add_product(out: &mut [f32], stride: usize, first: Operand<'_>, second: Operand<'_>, size: Size) {
    if size.rows * size.columns * size.depth == 0 {
        return;
    }
    PACKED.with_borrow_mut(|packed| {
        (selected().add)(Output { numbers: out, stride }, first, second, size, packed);
    });
}
