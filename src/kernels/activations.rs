//! Quantises rows of float32 to 8-bit numbers, with a scale for each block.

use super::lanes::ROUNDING;
use super::{BLOCK, STEP, TILE};

/// The layout in which a kernel reads the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    /// Row after row.
    Rows,
    /// In tiles.
    Bytes,
    /// In tiles, in 16 bits.
    Words,
}

/// The input of a matrix product: `[tokens, inputs]`, in 8 bits.
#[derive(Debug, Default)]
pub struct Activations {
    /// −127 to 127.
    numbers: Vec<i8>,
    /// The scale of each block: a number stands for itself times the scale.
    scales: Vec<f32>,
    bytes: Tiles<i8>,
    words: Tiles<i16>,
    inputs: usize,
}

/// Rows in the order in which kernels read them: groups of four while there are four, then single rows.
#[derive(Debug, Default)]
pub(super) struct Tiles<N> {
    /// [`STEP`] numbers of the first row, of the second, and so on; then the next [`STEP`] of each.
    numbers: Vec<[N; STEP]>,
    /// For each block, the scales of the rows.
    scales: Vec<f32>,
    /// For each block, the value that each row's sum starts with. It cancels the 128 that is added to each weight.
    begins: Vec<i32>,
}

/// `T` rows.
pub(super) struct Tile<'a, N, const T: usize> {
    /// `[steps, T, STEP]`.
    pub numbers: &'a [[N; STEP]],
    /// `[blocks, T]`.
    pub scales: &'a [[f32; T]],
    /// `[blocks, T]`.
    pub begins: &'a [[i32; T]],
}

impl Activations {
    /// Replaces the contents by rows of `inputs` numbers, a multiple of [`BLOCK`]. In each block, numbers are rounded
    /// to the nearest of 255 steps from minus to plus the largest magnitude; ties go to the even step. An infinity or
    /// NaN makes its block's scale NaN. Memory is allocated only if there are more rows than ever before.
    pub fn quantise(&mut self, rows: &[f32], inputs: usize, operands: Operands) {
        self.inputs = inputs;
        self.numbers.resize(rows.len(), 0);
        self.scales.clear();
        for (block, numbers) in rows.as_chunks::<BLOCK>().0.iter().zip(self.numbers.as_chunks_mut::<BLOCK>().0) {
            self.scales.push(quantise_block(block, numbers));
        }
        match operands {
            Operands::Rows => {}
            Operands::Bytes => self.bytes.fill(&self.numbers, &self.scales, inputs),
            Operands::Words => self.words.fill(&self.numbers, &self.scales, inputs),
        }
    }

    /// Bytes that are held from one use to the next.
    pub(super) fn held_bytes(&self) -> usize {
        self.numbers.capacity() + 4 * self.scales.capacity() + self.bytes.held_bytes() + self.words.held_bytes()
    }

    /// Number of rows.
    pub fn tokens(&self) -> usize {
        self.numbers.len().checked_div(self.inputs).unwrap_or(0)
    }

    /// The numbers of one row, and their scales.
    pub(super) fn row(&self, token: usize) -> (&[i8], &[f32]) {
        let blocks = self.inputs / BLOCK;
        (&self.numbers[token * self.inputs..][..self.inputs], &self.scales[token * blocks..][..blocks])
    }

    /// The tile of `T` rows that begins at `token`, for [`Operands::Bytes`].
    pub(super) fn bytes<const T: usize>(&self, token: usize) -> Tile<'_, i8, T> {
        self.bytes.tile(token, self.inputs)
    }

    /// The same for [`Operands::Words`].
    pub(super) fn words<const T: usize>(&self, token: usize) -> Tile<'_, i16, T> {
        self.words.tile(token, self.inputs)
    }
}

impl<N: Copy + From<i8>> Tiles<N> {
    fn held_bytes(&self) -> usize {
        self.numbers.capacity() * size_of::<[N; STEP]>() + 4 * (self.scales.capacity() + self.begins.capacity())
    }

    fn fill(&mut self, numbers: &[i8], scales: &[f32], inputs: usize) {
        self.numbers.resize(numbers.len() / STEP, [N::from(0); STEP]);
        self.scales.resize(scales.len(), 0.0);
        self.begins.resize(scales.len(), 0);
        let blocks = inputs / BLOCK;
        let tokens = scales.len().checked_div(blocks).unwrap_or(0);
        let rest = tokens - tokens % TILE;
        for token in (0..rest).step_by(TILE) {
            self.put::<TILE>(token * blocks, blocks, numbers, scales);
        }
        for token in rest..tokens {
            self.put::<1>(token * blocks, blocks, numbers, scales);
        }
    }

    /// Writes `T` rows. `first` is the index of their first block among all blocks.
    fn put<const T: usize>(&mut self, first: usize, blocks: usize, numbers: &[i8], scales: &[f32]) {
        let numbers = numbers.as_chunks::<BLOCK>().0;
        for block in 0..blocks {
            let rows: [usize; T] = std::array::from_fn(|row| first + row * blocks + block);
            let place = first + block * T;
            let steps = &mut self.numbers[place * BLOCK / STEP..][..T * BLOCK / STEP];
            for (row, source) in rows.into_iter().enumerate() {
                let numbers = &numbers[source];
                for (step, columns) in steps.as_chunks_mut::<T>().0.iter_mut().zip(numbers.as_chunks::<STEP>().0) {
                    step[row] = columns.map(N::from);
                }
                self.scales[place + row] = scales[source];
                self.begins[place + row] = -128 * numbers.iter().map(|number| i32::from(*number)).sum::<i32>();
            }
        }
    }

    fn tile<const T: usize>(&self, token: usize, inputs: usize) -> Tile<'_, N, T> {
        let (steps, blocks) = (inputs / STEP, inputs / BLOCK);
        Tile {
            numbers: &self.numbers[token * steps..][..T * steps],
            scales: self.scales[token * blocks..][..T * blocks].as_chunks().0,
            begins: self.begins[token * blocks..][..T * blocks].as_chunks().0,
        }
    }
}

/// Writes the quantised numbers, and returns their scale.
pub(super) fn quantise_block(block: &[f32; BLOCK], numbers: &mut [i8; BLOCK]) -> f32 {
    // Floats without sign are ordered as their bits are. The bits of NaN are greater than those of infinity.
    let largest = block.iter().map(|x| (x.to_bits() & 0x7fff_ffff) as i32).fold(0, i32::max);
    let largest = f32::from_bits(largest as u32);
    let steps = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    // The smallest numbers have no finite reciprocal, and are treated as 0.
    let steps = if steps.is_finite() { steps } else { 0.0 };
    for (number, x) in numbers.iter_mut().zip(block) {
        *number = (x * steps + ROUNDING).to_bits() as i8;
    }
    if largest.is_finite() { largest / 127.0 } else { f32::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantise(rows: &[f32], inputs: usize, operands: Operands) -> Activations {
        let mut activations = Activations::default();
        activations.quantise(&[3.0; 96], 96, Operands::Words); // earlier contents must not show
        activations.quantise(rows, inputs, operands);
        activations
    }

    #[test]
    fn blocks_are_rounded_to_127ths_of_their_largest() {
        let mut row = [0.0; 64];
        (row[0], row[1], row[2], row[40]) = (-2.0, 1.0, 0.0079, 1e-3);
        let quantised = quantise(&row, 64, Operands::Bytes);
        assert_eq!((quantised.tokens(), quantised.scales.as_slice()), (1, &[2.0 / 127.0, 1e-3 / 127.0][..]));
        // 1 is 63.5 steps, which rounds to the even one. 0.0079 is 0.501 steps.
        assert_eq!(quantised.numbers[..3], [-127, 64, 1]);
        assert_eq!(quantised.numbers[40], 127);
    }

    #[test]
    fn four_rows_lie_together_and_the_rest_alone() {
        let rows: Vec<f32> = (0..5 * 64).map(|index| (index * 37 % 255) as f32 - 127.0).collect();
        let activations = quantise(&rows, 64, Operands::Bytes);
        let (tile, last) = (activations.bytes::<TILE>(0), activations.bytes::<1>(4));
        for token in 0..5 {
            let (numbers, scales) = activations.row(token);
            for (step, numbers) in numbers.as_chunks::<STEP>().0.iter().enumerate() {
                let found = if token < TILE { tile.numbers[step * TILE + token] } else { last.numbers[step] };
                assert_eq!(found, *numbers, "token {token}, step {step}");
            }
            for (block, numbers) in numbers.chunks(BLOCK).enumerate() {
                let sum: i32 = numbers.iter().map(|number| i32::from(*number)).sum();
                let found = match token {
                    0..TILE => (tile.scales[block][token], tile.begins[block][token]),
                    _ => (last.scales[block][0], last.begins[block][0]),
                };
                assert_eq!(found, (scales[block], -128 * sum), "token {token}, block {block}");
            }
        }
    }

    #[test]
    fn words_are_the_bytes() {
        let row: Vec<f32> = (0..64).map(|index| (index as f32 - 31.0) * 0.37).collect();
        let (bytes, words) = (quantise(&row, 32, Operands::Bytes), quantise(&row, 32, Operands::Words));
        let (bytes, words) = (bytes.bytes::<1>(1).numbers, words.words::<1>(1).numbers);
        assert_eq!(bytes.as_flattened().iter().map(|byte| i16::from(*byte)).collect::<Vec<_>>(), words.as_flattened());
    }

    #[test]
    fn nothing_and_almost_nothing_are_zeros_and_what_is_not_finite_is_not_hidden() {
        for (x, scale) in [(0.0, 0.0), (1e-45, 1e-45 / 127.0)] {
            let quantised = quantise(&[x; 32], 32, Operands::Bytes);
            assert_eq!((quantised.numbers[0], quantised.scales[0]), (0, scale));
        }
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut row = [1.0; 32];
            row[7] = x;
            assert!(quantise(&row, 32, Operands::Bytes).scales[0].is_nan(), "{x}");
        }
    }
}
