//! Causal attention over the KV cache, a head and a tile of rows at a time, with no copy of the keys and values.

use half::bf16;

use super::exp::exp;
use super::keys::{Keys, Scores};
use super::lanes::{LANES, Lanes};
use super::{BLOCK, TILE, scalar, selected};

/// Numbers of a key or value that lie together; rows are filled up to a multiple with zeros.
pub const ROW: usize = 2 * LANES;
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
    pub head_dim: usize,
    /// Positions that the cache has room for.
    pub context: usize,
}

impl Heads {
    /// Numbers of all heads together.
    pub fn n_embd(&self) -> usize {
        self.count * self.head_dim
    }

    /// Numbers that the cache keeps for a value, and for a key in float32.
    pub fn row(&self) -> usize {
        self.head_dim.next_multiple_of(ROW)
    }

    /// Numbers of a key in 8 bits.
    pub(super) fn blocks(&self) -> usize {
        self.head_dim.next_multiple_of(BLOCK)
    }

    /// The cache's rows of one head, of which there are `context`.
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

/// The same of one head.
pub(super) fn put<E: Element>(heads: &Heads, head: usize, numbers: &[f32], position: usize, cache: &mut [E]) {
    let row = &mut cache[(head * heads.context + position) * heads.row()..][..heads.row()];
    for (kept, numbers) in row.as_chunks_mut::<ROW>().0.iter_mut().zip(numbers.chunks(ROW)) {
        let mut filled = [0.0; ROW];
        filled[..numbers.len()].copy_from_slice(numbers);
        *kept = E::put(filled);
    }
}

/// Writes to `out`, `[rows, n_embd]`, what each row of `qkv`, `[rows, 3 · n_embd]`, attends to: of every head the values
/// of the positions up to its own, weighted by softmax(query · key / √head_dim). The first row stands at `position`.
pub fn attend<E: Element>(
    heads: &Heads,
    (keys, values): (&Keys, &[E]),
    position: usize,
    qkv: &[f32],
    memory: &mut Scores,
    out: &mut [f32],
) {
    if selected().is_scalar {
        return scalar::attend(heads, (keys, values), position, qkv, out);
    }
    let width = heads.n_embd();
    // A head after the other, so that its keys and values stay in the processor's cache for all rows.
    for head in 0..heads.count {
        let values = heads.rows(values.as_chunks().0, head);
        let tiles = qkv.chunks(TILE * 3 * width).zip(out.chunks_mut(TILE * width));
        for (position, (qkv, out)) in (position..).step_by(TILE).zip(tiles) {
            let place = head * heads.head_dim..(head + 1) * heads.head_dim;
            let queries = qkv.chunks_exact(3 * width).map(|row| &row[place.clone()]);
            let seen = position + queries.len();
            keys.score(heads, head, queries, seen, memory);
            let scores = memory.scores.chunks_exact_mut(Scores::columns(seen));
            let mut rows = scores.zip(out.chunks_exact_mut(width)).zip(position..).map(|((scores, out), position)| {
                let sum = softmax(scores.as_chunks_mut().0, position + 1);
                Row { weights: &scores[..=position], sum, out: &mut out[place.clone()] }
            });
            while let Some(first) = rows.next() {
                match rows.next() {
                    Some(second) => mix_rows::<E, 2, 2>([first, second], values),
                    None => mix_rows::<E, 1, 4>([first], values),
                }
            }
        }
    }
}

/// Writes to `weights`, `[heads, rows, positions]`, how much each row of `qkv` attends to each position up to the last
/// row's: softmax(query · key / √head_dim), and 0 for the positions behind its own. The first row stands at `position`.
pub fn attention_weights(
    heads: &Heads,
    keys: &Keys,
    position: usize,
    qkv: &[f32],
    memory: &mut Scores,
    weights: &mut [f32],
) {
    if selected().is_scalar {
        return scalar::attention_weights(heads, keys, position, qkv, weights);
    }
    let width = heads.n_embd();
    let rows = qkv.len() / (3 * width);
    let positions = position + rows;
    for (head, weights) in weights.chunks_exact_mut(rows * positions).enumerate() {
        for (row, weights) in weights.chunks_exact_mut(positions).enumerate() {
            let (query, seen) = (&qkv[row * 3 * width + head * heads.head_dim..][..heads.head_dim], position + row + 1);
            keys.score(heads, head, std::iter::once(query), seen, memory);
            let sum = softmax(memory.scores.as_chunks_mut().0, seen);
            weights.fill(0.0);
            weights.iter_mut().zip(&memory.scores[..seen]).for_each(|(weight, score)| *weight = score / sum);
        }
    }
}

/// Writes to `out`, `[rows, n_embd]`, the values of the positions as `weights`, `[heads, rows, positions]`, weight them.
pub fn mix_values<E: Element>(heads: &Heads, values: &[E], weights: &[f32], rows: usize, out: &mut [f32]) {
    if selected().is_scalar {
        return scalar::mix_values(heads, values, weights, rows, out);
    }
    let positions = weights.len() / (heads.count * rows);
    for (head, weights) in weights.chunks_exact(rows * positions).enumerate() {
        let values = heads.rows(values.as_chunks().0, head);
        for (weights, out) in weights.chunks_exact(positions).zip(out.chunks_exact_mut(heads.n_embd())) {
            let out = &mut out[head * heads.head_dim..][..heads.head_dim];
            mix_rows::<E, 1, 4>([Row { weights, sum: 1.0, out }], values);
        }
    }
}

/// Scores → their exponentials, of which the largest is 1 and those behind the first `seen` 0; returns their sum.
#[inline(never)]
fn softmax(scores: &mut [[f32; LANES]], seen: usize) -> f32 {
    let scores = &mut scores[..seen.div_ceil(LANES)];
    scores.as_flattened_mut()[seen..].fill(f32::NEG_INFINITY);
    let most = scores.iter().fold(Lanes::splat(f32::NEG_INFINITY), |most, scores| most.at_least(Lanes::from(*scores)));
    let most = Lanes::splat(most.numbers().into_iter().fold(f32::NEG_INFINITY, f32::max));
    for scores in scores.iter_mut() {
        *scores = exp(Lanes::from(*scores).sub(most)).numbers();
    }
    scores.as_flattened_mut()[seen..].fill(0.0);
    scores.iter().fold(Lanes::splat(0.0), |sum, weights| sum.add(Lanes::from(*weights))).sum()
}

/// A row and what it gives to the positions up to its own.
struct Row<'a> {
    weights: &'a [f32],
    /// Of the weights.
    sum: f32,
    /// One head's.
    out: &'a mut [f32],
}

/// Writes the weighted means of the values, for `R` rows, each of which sees one position more than the one before;
/// `C` eights of a value at a time.
fn mix_rows<E: Element, const R: usize, const C: usize>(mut rows: [Row<'_>; R], values: &[[E; ROW]]) {
    let chunks = rows[0].out.len().div_ceil(ROW);
    let mut chunk = 0;
    while chunk + C <= chunks {
        mix::<E, R, C>(&mut rows, values, chunks, chunk);
        chunk += C;
    }
    for chunk in chunk..chunks {
        mix::<E, R, 1>(&mut rows, values, chunks, chunk);
    }
}

/// The same for the eights from `chunk` on of `chunks` that a value has.
#[inline(never)]
fn mix<E: Element, const R: usize, const C: usize>(
    rows: &mut [Row<'_>; R],
    values: &[[E; ROW]],
    chunks: usize,
    chunk: usize,
) {
    let shared = rows[0].weights.len();
    let weights: [&[f32]; R] = std::array::from_fn(|row| &rows[row].weights[..shared]);
    let mut mixed = [[[Lanes::splat(0.0); 2]; C]; R];
    for (position, value) in values.chunks_exact(chunks).take(shared).enumerate() {
        let value: [_; C] = std::array::from_fn(|index| E::get(&value[chunk + index]));
        for (mixed, weights) in mixed.iter_mut().zip(weights) {
            add(mixed, weights[position], value);
        }
    }
    for (row, mixed) in rows.iter_mut().zip(&mut mixed) {
        for (weight, value) in row.weights.iter().zip(values.chunks_exact(chunks)).skip(shared) {
            add(mixed, *weight, std::array::from_fn(|index| E::get(&value[chunk + index])));
        }
        let sum = Lanes::splat(row.sum);
        for (out, [low, high]) in row.out.chunks_mut(ROW).skip(chunk).zip(mixed) {
            let (first, last) = out.split_at_mut(LANES.min(out.len()));
            first.copy_from_slice(&low.div(sum).numbers()[..first.len()]);
            last.copy_from_slice(&high.div(sum).numbers()[..last.len()]);
        }
    }
}

/// Adds a position's value, times its weight.
#[inline(always)]
fn add<const C: usize>(mixed: &mut [[Lanes; 2]; C], weight: f32, value: [(Lanes, Lanes); C]) {
    let weight = Lanes::splat(weight);
    for (mixed, (low, high)) in mixed.iter_mut().zip(value) {
        mixed[0] = mixed[0].add(weight.mul(low));
        mixed[1] = mixed[1].add(weight.mul(high));
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
