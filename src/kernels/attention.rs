//! Causal attention over the KV cache, one head and one tile of rows at a time. Keys and values are not copied.

use super::exp::exp;
use super::keys::{Keys, Scores};
use super::lanes::{LANES, Lanes};
use super::layout::{Element, Heads, ROW};
use super::{TILE, scalar, selected};

/// Writes the attention's output to `out`, `[rows, n_embd]`, for each row of `qkv`, `[rows, 3 · n_embd]`: for each
/// head, the values of the positions up to the row's own, weighted by softmax(query · key / √head_dim). The first row
/// is at `position`.
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
    let n_embd = heads.n_embd();
    // One head after another, so that its keys and values stay in the processor's cache for all rows.
    for head in 0..heads.count {
        let values = heads.rows(values.as_chunks().0, head);
        let tiles = qkv.chunks(TILE * 3 * n_embd).zip(out.chunks_mut(TILE * n_embd));
        for (position, (qkv, out)) in (position..).step_by(TILE).zip(tiles) {
            let place = head * heads.head_dim..(head + 1) * heads.head_dim;
            let queries = qkv.chunks_exact(3 * n_embd).map(|row| &row[place.clone()]);
            let seen = position + queries.len();
            keys.score(heads, head, queries, seen, memory);
            let scores = memory.scores.chunks_exact_mut(Scores::columns(seen));
            let mut rows = scores.zip(out.chunks_exact_mut(n_embd)).zip(position..).map(|((scores, out), position)| {
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

/// Writes the attention weights to `weights`, `[heads, rows, positions]`, for each row of `qkv` and each position up to
/// the last row's: softmax(query · key / √head_dim), and 0 for positions behind the row's own. The first row is at
/// `position`.
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
    let n_embd = heads.n_embd();
    let rows = qkv.len() / (3 * n_embd);
    let positions = position + rows;
    for (head, weights) in weights.chunks_exact_mut(rows * positions).enumerate() {
        for (row, weights) in weights.chunks_exact_mut(positions).enumerate() {
            let (query, seen) =
                (&qkv[row * 3 * n_embd + head * heads.head_dim..][..heads.head_dim], position + row + 1);
            keys.score(heads, head, std::iter::once(query), seen, memory);
            let sum = softmax(memory.scores.as_chunks_mut().0, seen);
            weights.fill(0.0);
            weights.iter_mut().zip(&memory.scores[..seen]).for_each(|(weight, score)| *weight = score / sum);
        }
    }
}

/// Writes to `out`, `[rows, n_embd]`, the sums of values weighted by `weights`, `[heads, rows, positions]`.
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

/// Replaces scores by exponentials, so that the largest is 1, and 0 behind the first `seen`. Returns their sum.
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

/// Replaces scores by attention weights: softmax(score · scale), and 0 behind the first `seen`. There is a multiple of
/// four scores.
pub(super) fn weigh(scores: &mut [f32], seen: usize, scale: f32) {
    scores[..seen].iter_mut().for_each(|score| *score *= scale);
    let factor = 1.0 / softmax(scores.as_chunks_mut().0, seen);
    scores[..seen].iter_mut().for_each(|weight| *weight *= factor);
    scores[seen..].fill(0.0);
}

/// A row's weights and output, for one head.
struct Row<'a> {
    weights: &'a [f32],
    /// The sum of the weights.
    sum: f32,
    /// The output of one head.
    out: &'a mut [f32],
}

/// Writes the weighted means of the values for `R` rows, each of which sees one position more than the one before.
/// Handles `C` chunks of eight numbers of a value at a time.
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

/// The same for `C` of the `chunks` chunks that a value has, from `chunk` on.
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

/// Adds the value of a position, times its weight.
#[inline(always)]
fn add<const C: usize>(mixed: &mut [[Lanes; 2]; C], weight: f32, value: [(Lanes, Lanes); C]) {
    let weight = Lanes::splat(weight);
    for (mixed, (low, high)) in mixed.iter_mut().zip(value) {
        mixed[0] = mixed[0].add(weight.mul(low));
        mixed[1] = mixed[1].add(weight.mul(high));
    }
}
