//! The innermost loops: a tile of the result in registers, over a block of the inner dimension.

use super::pack::{pack_first, pack_second};
use super::{DEPTH, Operand, Output, Packed, ROWS, Size};

/// Numbers that are computed together.
pub(super) trait Vector: Copy {
    /// How many.
    const LANES: usize;

    /// The same number in every lane.
    fn splat(number: f32) -> Self;

    /// Reads numbers.
    ///
    /// # Safety
    ///
    /// There are [`LANES`](Self::LANES) numbers.
    unsafe fn load(numbers: *const f32) -> Self;

    /// Writes the numbers.
    ///
    /// # Safety
    ///
    /// There is room for [`LANES`](Self::LANES) numbers.
    unsafe fn store(self, numbers: *mut f32);

    /// `self + a · b` in every lane.
    fn multiply_add(self, a: Self, b: Self) -> Self;
}

/// One number.
#[derive(Clone, Copy)]
pub(super) struct Alone(f32);

impl Vector for Alone {
    const LANES: usize = 1;

    fn splat(number: f32) -> Self {
        Alone(number)
    }

    unsafe fn load(numbers: *const f32) -> Self {
        // SAFETY: the caller has one.
        Alone(unsafe { *numbers })
    }

    unsafe fn store(self, numbers: *mut f32) {
        // SAFETY: the caller has room for one.
        unsafe { *numbers = self.0 }
    }

    fn multiply_add(self, a: Self, b: Self) -> Self {
        Alone(a.0.mul_add(b.0, self.0))
    }
}

/// Four numbers of an array.
#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
#[derive(Clone, Copy)]
pub(super) struct Four([f32; 4]);

#[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
impl Vector for Four {
    const LANES: usize = 4;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        Four([number; 4])
    }

    #[inline(always)]
    unsafe fn load(numbers: *const f32) -> Self {
        // SAFETY: the caller has four.
        Four(unsafe { *numbers.cast() })
    }

    #[inline(always)]
    unsafe fn store(self, numbers: *mut f32) {
        // SAFETY: the caller has room for four.
        unsafe { *numbers.cast() = self.0 }
    }

    #[inline(always)]
    fn multiply_add(self, a: Self, b: Self) -> Self {
        Four(std::array::from_fn(|lane| a.0[lane].mul_add(b.0[lane], self.0[lane])))
    }
}

/// Adds a product block by block, in tiles of `R` rows and `V` vectors.
#[inline(always)]
pub(super) fn blocks<T: Vector, const R: usize, const V: usize>(
    out: Output<'_>,
    first: Operand<'_>,
    second: Operand<'_>,
    size: Size,
    packed: &mut Packed,
) {
    for begin in (0..size.depth).step_by(DEPTH) {
        let depth = begin..size.depth.min(begin + DEPTH);
        pack_second(second, depth.clone(), size.columns, V * T::LANES, &mut packed.second);
        for top in (0..size.rows).step_by(ROWS) {
            let rows = top..size.rows.min(top + ROWS);
            pack_first::<R>(first, rows.clone(), depth.clone(), &mut packed.first);
            let panels = packed.second.chunks_exact(depth.len() * V * T::LANES);
            for (left, panel) in (0..size.columns).step_by(V * T::LANES).zip(panels) {
                for (top, strip) in rows.clone().step_by(R).zip(packed.first.chunks_exact(depth.len() * R)) {
                    let place = &mut out.numbers[top * out.stride + left..];
                    let there = (R.min(size.rows - top), (V * T::LANES).min(size.columns - left));
                    fill::<T, R, V>(strip, panel, place, out.stride, there);
                }
            }
        }
    }
}

/// Adds to a tile, of which `rows` × `columns` are there.
#[inline(always)]
fn fill<T: Vector, const R: usize, const V: usize>(
    strip: &[f32],
    panel: &[f32],
    out: &mut [f32],
    stride: usize,
    (rows, columns): (usize, usize),
) {
    if (rows, columns) == (R, V * T::LANES) {
        return tile::<T, R, V>(strip, panel, out, stride);
    }
    let mut edge = [0.0; MOST];
    let width = V * T::LANES;
    for row in 0..rows {
        edge[row * width..][..columns].copy_from_slice(&out[row * stride..][..columns]);
    }
    tile::<T, R, V>(strip, panel, &mut edge[..R * width], width);
    for row in 0..rows {
        out[row * stride..][..columns].copy_from_slice(&edge[row * width..][..columns]);
    }
}

/// Numbers of the largest tile.
const MOST: usize = 12 * 32;

/// Adds to a whole tile: `R` numbers of the first factor times `V` vectors of the second, for each step of the depth.
///
/// Pointers, since checks in the loop cost a fifth of the time.
#[allow(
    clippy::needless_range_loop,
    reason = "loops over numbers are unrolled in every build, iterators become calls in some"
)]
#[inline(always)]
fn tile<T: Vector, const R: usize, const V: usize>(strip: &[f32], panel: &[f32], out: &mut [f32], stride: usize) {
    let (steps, width) = (strip.len() / R, V * T::LANES);
    assert!(panel.len() >= steps * width && out.len() >= (R - 1) * stride + width);
    let (mut first, mut second, out) = (strip.as_ptr(), panel.as_ptr(), out.as_mut_ptr());
    let mut sums = [[T::splat(0.0); V]; R];
    // SAFETY: the tile's last number, and what is read in the last step, are there.
    unsafe {
        for row in 0..R {
            for index in 0..V {
                sums[row][index] = T::load(out.add(row * stride + index * T::LANES));
            }
        }
        let end = first.add(steps * R);
        while first != end {
            let mut vectors = [T::splat(0.0); V];
            for index in 0..V {
                vectors[index] = T::load(second.add(index * T::LANES));
            }
            for row in 0..R {
                let number = T::splat(*first.add(row));
                for index in 0..V {
                    sums[row][index] = sums[row][index].multiply_add(number, vectors[index]);
                }
            }
            (first, second) = (first.add(R), second.add(width));
        }
        for row in 0..R {
            for index in 0..V {
                sums[row][index].store(out.add(row * stride + index * T::LANES));
            }
        }
    }
}
