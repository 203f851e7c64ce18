//! A `Q8_0` matrix in the order in which the kernels read it.

use std::ops::Range;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Error, Result};
use half::f16;

use super::activations::quantise_block;
use super::memory::filled;
use super::{BLOCK, ROW_BLOCK, STEP};

/// Bytes of a `Q8_0` block in a file: a scale in f16, and 32 signed bytes.
const STORED: usize = 2 + BLOCK;

/// A block of each of the eight rows: four columns of the first row, four of the second, and so on; then the next four
/// columns. Weights are stored without a sign, as 128 more. It is aligned to the 64 bytes that a processor fetches at
/// once.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct BlockWeights(pub [[[u8; STEP]; ROW_BLOCK]; BLOCK / STEP]);

/// The scales of a block of each row of a row block.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Scales(pub [f32; ROW_BLOCK]);

/// The number that is added to a weight.
const OFFSET: u8 = 128;

/// `[outputs, inputs]` in 8 bits, in row blocks of eight rows, block after block. The last row block is padded with
/// rows of zeros.
#[derive(Debug)]
pub struct Q8Matrix {
    weights: Vec<BlockWeights>,
    scales: Vec<Scales>,
    outputs: usize,
    inputs: usize,
}

impl Q8Matrix {
    /// A matrix of zeros, to be filled by [`put_rows`](Self::put_rows). `None` if memory is too small. `inputs` must be
    /// a multiple of [`BLOCK`].
    pub fn zeros(outputs: usize, inputs: usize) -> Option<Self> {
        let places = outputs.div_ceil(ROW_BLOCK).checked_mul(inputs / BLOCK)?;
        let weights = filled(places, BlockWeights([[[OFFSET; STEP]; ROW_BLOCK]; BLOCK / STEP])).ok()?;
        Some(Q8Matrix { weights, scales: filled(places, Scales([0.0; ROW_BLOCK])).ok()?, outputs, inputs })
    }

    /// Converts a matrix of candle's, if it is in `Q8_0`.
    pub fn new(tensor: &QTensor) -> Result<Option<Self>> {
        let &[outputs, inputs] = tensor.shape().dims() else { return Ok(None) };
        if tensor.dtype() != GgmlDType::Q8_0 {
            return Ok(None);
        }
        let full = || Error::Msg(format!("a matrix of {outputs} × {inputs} takes more than there is memory"));
        let mut matrix = Self::zeros(outputs, inputs).ok_or_else(full)?;
        matrix.put_rows(0, &tensor.data()?);
        Ok(Some(matrix))
    }

    /// Writes whole rows in a file's form. The first must begin a row block, and the last must end one, or the matrix.
    /// Returns `false` if a scale is not finite.
    ///
    /// A weight of −128, which no quantiser writes, becomes −127, since relaxed SIMD is not known to be exact beyond
    /// that.
    pub fn put_rows(&mut self, first_row: usize, stored: &[u8]) -> bool {
        let length = ROW_BLOCK * self.stored_length();
        let mut is_finite = true;
        for (index, rows) in stored.chunks(length.max(1)).enumerate() {
            let row_block = self.range(first_row / ROW_BLOCK + index);
            let (weights, scales) = (&mut self.weights[row_block.clone()], &mut self.scales[row_block]);
            is_finite &= match rows.len() == length {
                true => put_row_block(rows, weights, scales),
                false => put_row_block(&[rows, &vec![0; length - rows.len()]].concat(), weights, scales),
            };
        }
        is_finite
    }

    /// Replaces a row by numbers in 8 bits, rounded as [activations](super::Activations::quantise) are, and padded with
    /// zeros.
    pub(super) fn quantise_row(&mut self, row: usize, numbers: &[f32]) {
        let (row_block, lane) = (self.range(row / ROW_BLOCK), row % ROW_BLOCK);
        let blocks = self.weights[row_block.clone()].iter_mut().zip(&mut self.scales[row_block]);
        let mut numbers = numbers.chunks(BLOCK);
        for (weights, scales) in blocks {
            let (mut block, mut rounded) = ([0.0; BLOCK], [0; BLOCK]);
            let numbers = numbers.next().unwrap_or_default();
            block[..numbers.len()].copy_from_slice(numbers);
            scales.0[lane] = quantise_block(&block, &mut rounded);
            for (step, columns) in weights.0.iter_mut().zip(rounded.as_chunks::<STEP>().0) {
                step[lane] = columns.map(|number| number as u8 ^ OFFSET);
            }
        }
    }

    /// Writes a row in a file's form, [`stored_length`](Self::stored_length) bytes, the same as
    /// [`put_rows`](Self::put_rows) reads.
    pub fn stored_row(&self, row: usize, stored: &mut [u8]) {
        let lane = row % ROW_BLOCK;
        let (weights, scales) = self.row_block(row / ROW_BLOCK);
        let blocks = weights.iter().zip(scales);
        for ([low, high, stored @ ..], (weights, scales)) in stored.as_chunks_mut::<STORED>().0.iter_mut().zip(blocks) {
            [*low, *high] = f16::from_f32(scales.0[lane]).to_le_bytes();
            for (columns, step) in stored.as_chunks_mut::<STEP>().0.iter_mut().zip(&weights.0) {
                *columns = step[lane].map(|weight| weight ^ OFFSET);
            }
        }
    }

    /// Bytes of a row in a file.
    pub fn stored_length(&self) -> usize {
        self.inputs / BLOCK * STORED
    }

    /// Rows.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Columns.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The bytes of the weights, in the order in which a token passes them.
    pub fn bytes(&self) -> &[u8] {
        let weights = self.weights.as_slice();
        // SAFETY: the weights are arrays of bytes, without padding between them.
        unsafe { std::slice::from_raw_parts(weights.as_ptr().cast(), size_of_val(weights)) }
    }

    /// One row in float32.
    pub fn row(&self, row: usize) -> impl Iterator<Item = f32> {
        let (lane, (weights, scales)) = (row % ROW_BLOCK, self.row_block(row / ROW_BLOCK));
        weights.iter().zip(scales).flat_map(move |(weights, scales)| {
            let columns = weights.0.iter().flat_map(move |step| step[lane]);
            columns.map(move |weight| f32::from((weight ^ OFFSET) as i8) * scales.0[lane])
        })
    }

    /// The weights and scales of a row block, block after block.
    pub(super) fn row_block(&self, row_block: usize) -> (&[BlockWeights], &[Scales]) {
        (&self.weights[self.range(row_block)], &self.scales[self.range(row_block)])
    }

    /// The range of blocks of a row block.
    fn range(&self, row_block: usize) -> Range<usize> {
        let blocks = self.inputs / BLOCK;
        row_block * blocks..(row_block + 1) * blocks
    }

    /// Number of row blocks.
    pub fn row_blocks(&self) -> usize {
        self.outputs.div_ceil(ROW_BLOCK)
    }

    /// Number of rows in these row blocks.
    pub(super) fn columns(&self, row_blocks: &Range<usize>) -> usize {
        self.outputs.min(row_blocks.end * ROW_BLOCK) - row_blocks.start * ROW_BLOCK
    }
}

/// Writes eight rows. Returns `false` if a scale is not finite.
fn put_row_block(rows: &[u8], weights: &mut [BlockWeights], scales: &mut [Scales]) -> bool {
    let stored = rows.as_chunks::<STORED>().0;
    let rows: [_; ROW_BLOCK] = std::array::from_fn(|lane| &stored[lane * scales.len()..][..scales.len()]);
    let mut is_finite = true;
    for (block, (weights, scales)) in weights.iter_mut().zip(scales).enumerate() {
        for (lane, row) in rows.iter().enumerate() {
            let [low, high, stored @ ..] = &row[block];
            let scale = u16::from_le_bytes([*low, *high]);
            is_finite &= scale & INFINITE != INFINITE;
            scales.0[lane] = to_f32(scale);
            for (step, columns) in weights.0.iter_mut().zip(stored.as_chunks::<STEP>().0) {
                step[lane] = *columns;
            }
        }
        for weight in weights.0.as_flattened_mut().as_flattened_mut() {
            *weight = (*weight ^ OFFSET).max(1);
        }
    }
    is_finite
}

/// The exponent of an f16 that is infinite or NaN.
const INFINITE: u16 = 0x7c00;

/// Converts an f16 to f32 exactly, of whatever kind it is; a NaN becomes some NaN. WebAssembly has no instruction for
/// this, and `half`'s code has branches.
fn to_f32(half: u16) -> f32 {
    let (sign, rest) = (u32::from(half & 0x8000) << 16, u32::from(half & 0x7fff) << 13);
    // The exponent's bias is 15 in f16, and 127 in f32. The product is right for subnormal numbers, too.
    let size = f32::from_bits(rest) * f32::from_bits((127 + 127 - 15) << 23);
    let beyond = if half & INFINITE == INFINITE { 0x7f80_0000 } else { 0 };
    f32::from_bits(size.to_bits() | sign | beyond)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as a file may have them: any weights, and any finite scales.
    fn stored(outputs: usize, inputs: usize) -> Vec<u8> {
        let mut number = crate::checkpoint::testing::numbers(inputs as u64);
        let mut byte = move || (number() * 128.0) as i8 as u8;
        let mut bytes: Vec<u8> = (0..outputs * inputs / BLOCK * STORED).map(|_| byte()).collect();
        for [_, high, rest @ ..] in bytes.as_chunks_mut::<STORED>().0 {
            *high &= 0xbf;
            rest.iter_mut().filter(|byte| **byte == 0x80).for_each(|byte| *byte = 0x81);
        }
        bytes
    }

    fn stored_rows(matrix: &Q8Matrix) -> Vec<u8> {
        let mut rows = vec![0; matrix.outputs() * matrix.stored_length()];
        for (row, stored) in rows.chunks_exact_mut(matrix.stored_length()).enumerate() {
            matrix.stored_row(row, stored);
        }
        rows
    }

    #[test]
    fn rows_come_back_as_they_were_stored_in_whatever_pieces() {
        for (outputs, inputs) in [(1, 32), (3, 64), (4, 96), (5, 32), (66, 320), (9, 3072)] {
            let stored = stored(outputs, inputs);
            for row_blocks in [1, 2, 100] {
                let mut matrix = Q8Matrix::zeros(outputs, inputs).unwrap();
                for (piece, rows) in stored.chunks(row_blocks * ROW_BLOCK * matrix.stored_length()).enumerate() {
                    assert!(matrix.put_rows(piece * row_blocks * ROW_BLOCK, rows));
                }
                assert!(stored_rows(&matrix) == stored, "{outputs} × {inputs}, {row_blocks} row blocks at a time");
            }
        }
    }

    #[test]
    fn columns_lie_eight_rows_together() {
        let mut matrix = Q8Matrix::zeros(10, 32).unwrap();
        let row = |row: u8| [0, 0x3c].into_iter().chain((0..32).map(move |column| row * 16 + column));
        matrix.put_rows(0, &(0..8).flat_map(row).collect::<Vec<_>>());
        let (weights, scales) = matrix.row_block(0);
        assert_eq!(weights[0].0[0][..3], [[128, 129, 130, 131], [144, 145, 146, 147], [160, 161, 162, 163]]);
        assert_eq!(weights[0].0[1][7], [112 + 4 + 128, 245, 246, 247]);
        assert_eq!((weights.len(), scales[0].0), (1, [1.0; 8]));
        assert_eq!(matrix.row_block(1).0[0].0[0][0], [128; 4]);
    }

    #[test]
    fn the_smallest_byte_becomes_the_smallest_that_quantisers_write() {
        let mut matrix = Q8Matrix::zeros(1, 32).unwrap();
        let mut stored = [0x80; STORED];
        stored[..2].copy_from_slice(&[0, 0x3c]);
        assert!(matrix.put_rows(0, &stored));
        assert_eq!(matrix.row(0).collect::<Vec<_>>(), [-127.0; 32]);
    }

    #[test]
    fn a_scale_that_is_not_finite_is_told() {
        let whole = stored(7, 64);
        for (block, scale) in [(0, 0x7c00u16), (13, 0xfc00), (5, 0x7e01)] {
            let mut stored = whole.clone();
            stored[block * STORED..][..2].copy_from_slice(&scale.to_le_bytes());
            assert!(!Q8Matrix::zeros(7, 64).unwrap().put_rows(0, &stored), "block {block}");
        }
    }

    #[test]
    fn a_matrix_beyond_all_memory_is_none() {
        assert!(Q8Matrix::zeros(usize::MAX, 1 << 20).is_none() && Q8Matrix::zeros(usize::MAX / 64, 64).is_none());
    }

    #[test]
    fn every_f16_becomes_the_f32_of_its_value() {
        for bits in 0..=u16::MAX {
            let (expected, found) = (f16::from_bits(bits).to_f32(), to_f32(bits));
            assert!(
                expected.to_bits() == found.to_bits() || expected.is_nan() && found.is_nan(),
                "{bits:#06x}: {found}"
            );
        }
    }
}
