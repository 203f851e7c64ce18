//! The keys of a block's attention, and their products with queries.

use super::lanes::{LANES, Lanes};
use super::layout::{Element, Heads, ROW, put};
use super::memory::{OutOfMemory, filled};
use super::{Activations, Q8Matrix, ROW_BLOCK, TILE, selected};

/// The keys of all heads, for every position of the context.
#[derive(Debug)]
pub enum Keys {
    /// In 8 bits: for each head a matrix, `[context, head_dim]`, with rows padded to a whole row block, and columns
    /// padded with zeros to a whole block.
    Q8(Vec<Q8Matrix>),
    /// In float32, `[heads, context, row]`.
    Plain(Vec<[f32; ROW]>),
}

/// Memory for the scores of a tile of rows.
#[derive(Debug, Default)]
pub struct Scores {
    /// The queries divided by √head_dim, padded like the keys.
    pub(super) queries: Vec<f32>,
    /// The same in 8 bits.
    pub(super) activations: Activations,
    /// For each row, [`columns`](Self::columns) numbers: first the scores of the positions, then their exponentials.
    pub(super) scores: Vec<f32>,
}

impl Scores {
    /// Numbers that a row takes if it sees so many positions.
    pub(super) fn columns(seen: usize) -> usize {
        seen.next_multiple_of(ROW_BLOCK)
    }
}

impl Keys {
    /// Memory for keys in 8 bits.
    pub fn q8(heads: &Heads) -> Result<Keys, OutOfMemory> {
        let refused = OutOfMemory { bytes: (heads.count * heads.context * heads.blocks()) as u64 };
        let matrix = || Q8Matrix::zeros(heads.context.next_multiple_of(ROW_BLOCK), heads.blocks());
        (0..heads.count).map(|_| matrix()).collect::<Option<_>>().map(Keys::Q8).ok_or(refused)
    }

    /// Memory for keys in float32.
    pub fn plain(heads: &Heads) -> Result<Keys, OutOfMemory> {
        filled(heads.count * heads.context * heads.row() / ROW, [0.0; ROW]).map(Keys::Plain)
    }

    /// Writes one token's keys, `[heads · head_dim]`, at `position`.
    pub fn append(&mut self, heads: &Heads, numbers: &[f32], position: usize) {
        for (head, numbers) in numbers.chunks_exact(heads.head_dim).enumerate() {
            match self {
                Keys::Q8(matrices) => matrices[head].quantise_row(position, numbers),
                Keys::Plain(keys) => put(heads, head, numbers, position, keys.as_flattened_mut()),
            }
        }
    }

    /// Writes to `memory` the products of queries, `[rows, head_dim]`, with the first `seen` keys of a head: query ·
    /// key / √head_dim.
    #[inline(never)]
    pub(super) fn score<'a>(
        &self,
        heads: &Heads,
        head: usize,
        queries: impl Iterator<Item = &'a [f32]>,
        seen: usize,
        memory: &mut Scores,
    ) {
        let row = if let Keys::Q8(_) = self { heads.blocks() } else { heads.row() };
        let rows = fill(heads, queries, row, &mut memory.queries);
        let Scores { queries, activations, scores } = memory;
        let columns = Scores::columns(seen);
        // Reserves at once everything that a text of this context will need.
        scores.reserve((TILE * Scores::columns(heads.context)).saturating_sub(scores.len()));
        scores.resize(rows * columns, 0.0);
        match self {
            Keys::Q8(matrices) => {
                activations.quantise(queries, row, selected().operands);
                (selected().multiply)(&matrices[head], 0..columns / ROW_BLOCK, activations, scores);
            }
            Keys::Plain(keys) => {
                let rows = queries.chunks_exact(row).zip(scores.chunks_exact_mut(columns));
                let keys = heads.rows(keys, head);
                rows.for_each(|(query, scores)| score(query.as_chunks().0, keys, seen, scores.as_chunks_mut().0));
            }
        }
    }
}

/// Writes the queries, divided by √head_dim and padded with zeros to `row` numbers each. Returns how many there are.
fn fill<'a>(heads: &Heads, queries: impl Iterator<Item = &'a [f32]>, row: usize, filled: &mut Vec<f32>) -> usize {
    let root = (heads.head_dim as f32).sqrt();
    filled.clear();
    queries.enumerate().fold(0, |_, (index, query)| {
        filled.extend(query.iter().map(|number| number / root));
        filled.resize((index + 1) * row, 0.0);
        index + 1
    })
}

/// query · key for each of the first `seen` keys.
fn score(query: &[[f32; ROW]], keys: &[[f32; ROW]], seen: usize, scores: &mut [[f32; LANES]]) {
    let chunks = query.len();
    for (index, scores) in scores.iter_mut().take(seen.div_ceil(LANES)).enumerate() {
        let first = index * LANES;
        // Behind the last visible key, the memory may have keys of another text, which must not be used.
        let rows: [&[[f32; ROW]]; LANES] =
            std::array::from_fn(|lane| &keys[(first + lane).min(seen - 1) * chunks..][..chunks]);
        let mut sums = [[Lanes::splat(0.0); 2]; LANES];
        for (chunk, query) in query.iter().enumerate() {
            let (low, high) = f32::get(query);
            for (sums, row) in sums.iter_mut().zip(rows) {
                let (key_low, key_high) = f32::get(&row[chunk]);
                sums[0] = sums[0].add(low.mul(key_low));
                sums[1] = sums[1].add(high.mul(key_high));
            }
        }
        for (score, [low, high]) in scores.iter_mut().zip(sums) {
            *score = low.add(high).sum();
        }
    }
}
