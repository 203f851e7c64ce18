//! Causal attention of one row over the KV cache, a head at a time, with no copy of the keys and values.

use half::bf16;

use super::exp::exp;
use super::lanes::{LANES, Lanes};
use super::{scalar, selected};

/// Numbers of a key or value that lie together; rows are filled up to a multiple with zeros.
pub const ROW: usize = 2 * LANES;
/// Keys, or parts of a value, that share each look at a query or a weight.
const TILE: usize = 4;

/// A number as the cache keeps it.
pub trait Element: Copy + Default {
    /// Eight numbers as they are kept.
    fn put(numbers: [f32; ROW]) -> [Self; ROW];
    /// The eight numbers, the first four and the last.
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

/// The first four at even places, the last four at odd ones: so it takes a shift and a mask to have them back.
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

/// The nearest bfloat16, ties to even; NaN stays NaN.
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
    pub width: usize,
    /// Positions that the cache has room for.
    pub context: usize,
}

impl Heads {
    /// Numbers that the cache keeps for a key or a value.
    pub fn row(&self) -> usize {
        self.width.next_multiple_of(ROW)
    }

    /// The cache's rows of one head, of which there are `context`.
    fn rows<'a, E>(&self, all: &'a [E], head: usize) -> &'a [[E; ROW]] {
        let length = self.context * self.row();
        all[head * length..][..length].as_chunks().0
    }
}

/// Memory that [`attend`] uses.
#[derive(Debug, Default)]
pub struct Scores {
    /// The query, filled up as the keys are.
    pub(super) query: Vec<[f32; ROW]>,
    /// For each position the score, then its exponential.
    pub(super) scores: Vec<[f32; LANES]>,
}

/// Writes one token's keys, or values, `[heads · width]`, at `position` of `cache`, `[heads, context, row]`.
pub fn keep<E: Element>(heads: &Heads, numbers: &[f32], position: usize, cache: &mut [E]) {
    for (head, numbers) in numbers.chunks_exact(heads.width).enumerate() {
        let row = &mut cache[(head * heads.context + position) * heads.row()..][..heads.row()];
        for (kept, numbers) in row.as_chunks_mut::<ROW>().0.iter_mut().zip(numbers.chunks(ROW)) {
            let mut filled = [0.0; ROW];
            filled[..numbers.len()].copy_from_slice(numbers);
            *kept = E::put(filled);
        }
    }
}

/// What head number `head` makes of a query, `[width]`: the values of the first `seen` positions, weighted by
/// softmax(query · key / √width).
pub fn attend<E: Element>(
    heads: &Heads,
    head: usize,
    query: &[f32],
    (keys, values): (&[E], &[E]),
    seen: usize,
    memory: &mut Scores,
    out: &mut [f32],
) {
    if selected().is_scalar {
        return scalar::attend(heads, head, query, (keys, values), seen, out);
    }
    let (keys, values) = (heads.rows(keys, head), heads.rows(values, head));
    fill_query(heads, query, &mut memory.query);
    memory.scores.clear();
    memory.scores.resize(seen.div_ceil(LANES), [f32::NEG_INFINITY; LANES]);
    score(&memory.query, keys, seen, &mut memory.scores);
    let sum = softmax(&mut memory.scores, seen);
    let weights = &memory.scores.as_flattened()[..seen];
    let chunks = memory.query.len();
    let mut chunk = 0;
    while chunk + TILE <= chunks {
        mix::<E, TILE>(weights, sum, values, chunks, chunk, out);
        chunk += TILE;
    }
    for chunk in chunk..chunks {
        mix::<E, 1>(weights, sum, values, chunks, chunk, out);
    }
}

/// The query over √width, in rows of eight.
fn fill_query(heads: &Heads, query: &[f32], filled: &mut Vec<[f32; ROW]>) {
    filled.clear();
    let root = (heads.width as f32).sqrt();
    filled.extend(query.chunks(ROW).map(|numbers| {
        let mut row = [0.0; ROW];
        row.iter_mut().zip(numbers).for_each(|(row, number)| *row = number / root);
        row
    }));
}

/// query · key for each of the first `seen` keys.
fn score<E: Element>(query: &[[f32; ROW]], keys: &[[E; ROW]], seen: usize, scores: &mut [[f32; LANES]]) {
    let chunks = query.len();
    for (index, scores) in scores.iter_mut().enumerate() {
        let first = index * LANES;
        // Behind the last key that is seen, keys of another text may lie: their scores are not taken.
        let rows: [&[[E; ROW]]; LANES] =
            std::array::from_fn(|lane| &keys[(first + lane).min(seen - 1) * chunks..][..chunks]);
        let mut sums = [[Lanes::splat(0.0); 2]; LANES];
        for (chunk, query) in query.iter().enumerate() {
            let (low, high) = f32::get(query);
            for (sums, row) in sums.iter_mut().zip(rows) {
                let (key_low, key_high) = E::get(&row[chunk]);
                sums[0] = sums[0].add(low.mul(key_low));
                sums[1] = sums[1].add(high.mul(key_high));
            }
        }
        for (lane, [low, high]) in sums.into_iter().enumerate().take(seen - first) {
            scores[lane] = low.add(high).sum();
        }
    }
}

/// Scores → their exponentials, of which the largest is 1 and those behind the last score 0; returns their sum.
fn softmax(scores: &mut [[f32; LANES]], seen: usize) -> f32 {
    let most = scores.iter().fold(Lanes::splat(f32::NEG_INFINITY), |most, scores| most.at_least(Lanes::from(*scores)));
    let most = Lanes::splat(most.numbers().into_iter().fold(f32::NEG_INFINITY, f32::max));
    for scores in scores.iter_mut() {
        *scores = exp(Lanes::from(*scores).sub(most)).numbers();
    }
    scores.as_flattened_mut()[seen..].fill(0.0);
    scores.iter().fold(Lanes::splat(0.0), |sum, weights| sum.add(Lanes::from(*weights))).sum()
}

/// `C` rows of eight of the weighted sum of the values, from `chunk` on of `chunks` that a value has.
fn mix<E: Element, const C: usize>(
    weights: &[f32],
    sum: f32,
    values: &[[E; ROW]],
    chunks: usize,
    chunk: usize,
    out: &mut [f32],
) {
    let mut mixed = [[Lanes::splat(0.0); 2]; C];
    for (weight, value) in weights.iter().zip(values.chunks_exact(chunks)) {
        let weight = Lanes::splat(*weight);
        for (mixed, value) in mixed.iter_mut().zip(&value[chunk..chunk + C]) {
            let (low, high) = E::get(value);
            mixed[0] = mixed[0].add(weight.mul(low));
            mixed[1] = mixed[1].add(weight.mul(high));
        }
    }
    let sum = Lanes::splat(sum);
    for (out, [low, high]) in out.chunks_mut(ROW).skip(chunk).zip(mixed) {
        let (first, last) = out.split_at_mut(LANES.min(out.len()));
        first.copy_from_slice(&low.div(sum).numbers()[..first.len()]);
        last.copy_from_slice(&high.div(sum).numbers()[..last.len()]);
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
