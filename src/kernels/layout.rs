//! The layout of keys and values in memory.

use half::bf16;

use super::BLOCK;
use super::lanes::{LANES, Lanes};

/// Numbers of a key or value that are stored together. Rows are padded with zeros to a multiple.
pub const ROW: usize = 2 * LANES;

/// The type of a number in the cache.
pub trait Element: Copy + Default {
    /// Converts eight numbers to this type.
    fn put(numbers: [f32; ROW]) -> [Self; ROW];
    /// Converts them back: the first four, and the last four.
    fn get(kept: &[Self; ROW]) -> (Lanes, Lanes);
}

impl Element for f32 {
    #[inline(always)]
    fn put(numbers: [f32; ROW]) -> [f32; ROW] {
        numbers
    }

    #[inline(always)]
    fn get(kept: &[f32; ROW]) -> (Lanes, Lanes) {
        let [a, b, c, d, e, f, g, h] = *kept;
        (Lanes::from([a, b, c, d]), Lanes::from([e, f, g, h]))
    }
}

/// The first four at even indices, and the last four at odd ones. A shift and a mask then convert them back.
impl Element for bf16 {
    #[inline(always)]
    fn put(numbers: [f32; ROW]) -> [bf16; ROW] {
        std::array::from_fn(|place| bf16::from_bits(round_to_bf16(numbers[place / 2 + place % 2 * LANES])))
    }

    #[inline(always)]
    fn get(kept: &[bf16; ROW]) -> (Lanes, Lanes) {
        Lanes::from_bf16(&kept.map(bf16::to_bits))
    }
}

/// The nearest bfloat16, ties to even. NaN stays NaN.
#[inline(always)]
fn round_to_bf16(number: f32) -> u16 {
    let bits = number.to_bits();
    let rounded = bits.wrapping_add(0x7fff).wrapping_add(bits >> 16 & 1) >> 16;
    if number.is_nan() { 0x7fc0 } else { rounded as u16 }
}

/// The shape of attention.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Heads.
    pub count: usize,
    /// Length of a head's query, key and value.
    pub head_dim: usize,
    /// Positions that the cache has room for.
    pub context: usize,
}

impl Heads {
    /// Numbers of all heads together.
    pub fn n_embd(&self) -> usize {
        self.count * self.head_dim
    }

    /// Numbers in the cache for a value, or for a key in float32.
    pub fn row(&self) -> usize {
        self.head_dim.next_multiple_of(ROW)
    }

    /// Numbers in the cache for a key in 8 bits.
    pub(super) fn blocks(&self) -> usize {
        self.head_dim.next_multiple_of(BLOCK)
    }

    /// The `context` rows of one head in the cache.
    pub(super) fn rows<'a, E>(&self, all: &'a [[E; ROW]], head: usize) -> &'a [[E; ROW]] {
        let length = self.context * self.row() / ROW;
        &all[head * length..][..length]
    }
}

/// Writes one token's values, `[heads · head_dim]`, at `position` of `cache`, `[heads, context, row]`.
pub fn append<E: Element>(heads: &Heads, numbers: &[f32], position: usize, cache: &mut [E]) {
    for (head, numbers) in numbers.chunks_exact(heads.head_dim).enumerate() {
        put(heads, head, numbers, position, cache);
    }
}

/// The same for one head.
pub(super) fn put<E: Element>(heads: &Heads, head: usize, numbers: &[f32], position: usize, cache: &mut [E]) {
    let row = &mut cache[(head * heads.context + position) * heads.row()..][..heads.row()];
    for (kept, numbers) in row.as_chunks_mut::<ROW>().0.iter_mut().zip(numbers.chunks(ROW)) {
        let mut filled = [0.0; ROW];
        filled[..numbers.len()].copy_from_slice(numbers);
        *kept = E::put(filled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_nearest_bfloat16() {
        for bits in (0..u32::MAX).step_by(65_521) {
            let number = f32::from_bits(bits);
            let expected = bf16::from_f32(number);
            let found = bf16::from_bits(round_to_bf16(number));
            assert!(found == expected || found.is_nan() && expected.is_nan(), "{bits:x}");
        }
    }

    #[test]
    fn what_the_cache_keeps_comes_back() {
        let numbers = [1.0, -2.0, 3.5, 0.25, 100.0, -0.5, 7.0, 8.0];
        let both = |(low, high): (Lanes, Lanes)| [low.numbers(), high.numbers()].concat();
        assert_eq!(both(f32::get(&f32::put(numbers))), numbers);
        assert_eq!(both(bf16::get(&bf16::put(numbers))), numbers);
    }
}
