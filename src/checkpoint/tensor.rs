//! A tensor's bytes in a file → what the model computes with, with no second copy on the way.

use std::io::{Read, Seek};

use candle_core::quantized::k_quants::{
    BlockQ2K, BlockQ3K, BlockQ4_0, BlockQ4_1, BlockQ4K, BlockQ5_0, BlockQ5_1, BlockQ5K, BlockQ6K, BlockQ8_0, BlockQ8_1,
    BlockQ8K, GgmlType,
};
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use half::{bf16, f16};

use super::CheckpointError;
use super::quantize::Precision;
use super::source::{Source, room};
use crate::kernels::{Q8Matrix, ROW_BLOCK};
use crate::model::Weight;

// Elements are copied as they stand in the file, which is little-endian.
const _: () = assert!(cfg!(target_endian = "little"));

/// Bytes of a matrix that are read at once, or eight rows where those are more.
const ROWS: usize = 256 << 10;

/// Elements of the largest block there is.
const MOST_BLOCK: usize = 256;

/// How a file keeps a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 4 bytes each.
    F32,
    /// 2 bytes each.
    F16,
    /// 2 bytes each; safetensors only.
    Bf16,
    /// 34 bytes for 32 of a row: a scale in f16, then 32 signed bytes.
    Q8_0,
    /// Another of llama.cpp's types, which is kept as `Q8_0`; importing only.
    Coarse(GgmlDType),
}

impl Kind {
    /// Elements and bytes of the smallest piece.
    pub fn block(self) -> (u64, u64) {
        match self {
            Kind::F32 => (1, 4),
            Kind::F16 | Kind::Bf16 => (1, 2),
            Kind::Q8_0 => (32, 34),
            Kind::Coarse(dtype) => (dtype.block_size() as u64, dtype.type_size() as u64),
        }
    }
}

/// Up to four sizes, the row's length last, with no allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dims {
    sizes: [u64; 4],
    rank: usize,
}

impl Dims {
    /// The most sizes there may be.
    pub const MOST: usize = 4;

    /// Adds a size behind the others; `false` where there is no room.
    pub fn push(&mut self, size: u64) -> bool {
        let room = self.rank < Self::MOST;
        if room {
            self.sizes[self.rank] = size;
            self.rank += 1;
        }
        room
    }

    /// The other way round, which is GGUF's.
    pub fn reversed(mut self) -> Self {
        self.sizes[..self.rank].reverse();
        self
    }

    /// The sizes.
    pub fn as_slice(&self) -> &[u64] {
        &self.sizes[..self.rank]
    }

    /// Bytes of a tensor of these sizes; `None` where they overflow or a row is no whole number of blocks.
    pub fn bytes(&self, kind: Kind) -> Option<u64> {
        let (elements, bytes) = kind.block();
        let row = self.as_slice().last().copied().unwrap_or(1);
        let count = self.as_slice().iter().try_fold(1u64, |product, &size| product.checked_mul(size))?;
        row.is_multiple_of(elements).then(|| (count / elements).checked_mul(bytes)).flatten()
    }
}

/// A tensor of a file, checked to lie within it: where `read` finds it and what it becomes.
pub(super) struct Place<'a> {
    /// The name for messages.
    pub name: &'a str,
    /// How its elements are kept.
    pub kind: Kind,
    /// Where its bytes begin.
    pub start: u64,
    /// The shape to be given to it, which has the size of the file's.
    pub shape: &'a [usize],
    /// Whether the file keeps a matrix `[in, out]`.
    pub transposed: bool,
}

impl Place<'_> {
    /// Reads the tensor; `Bf16`, transposed matrices, and what a model does not keep in 8 bits, become `F32`; others stay
    /// as they are.
    pub fn read<R: Read + Seek>(&self, source: &mut Source<R>) -> Result<Weight, CheckpointError> {
        source.seek(self.start)?;
        let is_kept = Precision::Q8_0.dtype(self.name, self.shape) == GgmlDType::Q8_0;
        if let (Kind::Q8_0, &[outputs, inputs], true) = (self.kind, self.shape, is_kept) {
            return Ok(Weight::Q8(self.as_q8(source, outputs, inputs)?));
        }
        let storage = match self.kind {
            Kind::F32 if !self.transposed => self.as_kept::<f32, R>(source)?,
            Kind::F16 if !self.transposed => self.as_kept::<f16, R>(source)?,
            _ => QStorage::Cpu(Box::new(self.read_f32(source)?)),
        };
        let tensor = QTensor::new(storage, self.shape);
        tensor.map(Weight::Other).map_err(|source| CheckpointError::tensor(self.name, source))
    }

    /// The matrix in the order of our own kernels, some rows at a time.
    fn as_q8<R: Read + Seek>(
        &self,
        source: &mut Source<R>,
        outputs: usize,
        inputs: usize,
    ) -> Result<Q8Matrix, CheckpointError> {
        let mut matrix = zeros(self.name, outputs, inputs)?;
        let length = matrix.stored_length();
        let step = (ROWS / (ROW_BLOCK * length)).max(1) * ROW_BLOCK;
        let mut buffer: Vec<u8> = room(&self.name, (step.min(outputs) * length) as u64)?;
        for first_row in (0..outputs).step_by(step) {
            let rows = step.min(outputs - first_row);
            buffer.resize(rows * length, 0);
            source.fill(&self.name, &mut buffer)?;
            if !matrix.put_rows(first_row, &buffer) {
                self.check_finite(&buffer, first_row * length + buffer.len())?;
            }
        }
        Ok(matrix)
    }

    /// The elements as they stand in the file.
    fn as_kept<T: Plain, R: Read + Seek>(&self, source: &mut Source<R>) -> Result<QStorage, CheckpointError> {
        let mut blocks = self.zeros::<T>(self.elements() / T::BLCK_SIZE as u64)?;
        let bytes = bytes_of(&mut blocks);
        source.fill(&self.name, bytes)?;
        self.check_finite(bytes, bytes.len())?;
        Ok(QStorage::Cpu(Box::new(blocks)))
    }

    /// The elements in f32, a transposed matrix turned to `[out, in]`, through a buffer of a few KiB.
    pub fn read_f32<R: Read + Seek>(&self, source: &mut Source<R>) -> Result<Vec<f32>, CheckpointError> {
        source.seek(self.start)?;
        let mut elements = self.zeros::<f32>(self.elements())?;
        let (mut buffer, mut values) = ([0; 4096], [0.0; 4096]);
        let (block, size) = self.kind.block();
        let (mut done, mut offset) = (0, self.start);
        while done < elements.len() {
            let most = (buffer.len() / size as usize).min(values.len() / block as usize);
            let blocks = ((elements.len() - done) / block as usize).min(most);
            let (bytes, values) = (&mut buffer[..blocks * size as usize], &mut values[..blocks * block as usize]);
            source.fill(&self.name, bytes)?;
            check_finite(self.name, self.kind, bytes, offset)?;
            decode(self.kind, bytes, values);
            values.iter().zip(done..).for_each(|(value, stored)| elements[self.index(stored)] = *value);
            done += values.len();
            offset += bytes.len() as u64;
        }
        Ok(elements)
    }

    /// Where the file's element number `stored` belongs.
    fn index(&self, stored: usize) -> usize {
        match self.shape {
            // The file has [in, out]: element (column, row).
            &[rows, columns] if self.transposed => (stored % rows) * columns + stored / rows,
            _ => stored,
        }
    }

    /// Numbers there are; a file may be longer than a 32-bit memory.
    fn elements(&self) -> u64 {
        self.shape.iter().map(|&size| size as u64).product()
    }

    /// Room for that many blocks, filled.
    fn zeros<T: Plain>(&self, count: u64) -> Result<Vec<T>, CheckpointError> {
        let mut blocks = room(&self.name, count)?;
        blocks.resize(count as usize, T::zeros());
        Ok(blocks)
    }

    /// An error for the first NaN or infinity: one poisons every logit. `end`: the tensor's bytes up to here.
    fn check_finite(&self, bytes: &[u8], end: usize) -> Result<(), CheckpointError> {
        check_finite(self.name, self.kind, bytes, self.start + (end - bytes.len()) as u64)
    }
}

/// An error for the first NaN or infinity among these elements, which begin at `offset` in the file.
pub(super) fn check_finite(name: &str, kind: Kind, bytes: &[u8], offset: u64) -> Result<(), CheckpointError> {
    let Some(block) = first_not_finite(kind, bytes) else { return Ok(()) };
    let offset = offset + block as u64 * kind.block().1;
    Err(CheckpointError::field(&name, offset, "a finite number", "NaN or infinity"))
}

/// Whole blocks → their elements in f32.
pub(super) fn decode(kind: Kind, bytes: &[u8], values: &mut [f32]) {
    match kind {
        Kind::F32 => each(bytes, values, f32::from_le_bytes),
        Kind::F16 => each(bytes, values, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Kind::Bf16 => each(bytes, values, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Kind::Q8_0 => decode_blocks::<BlockQ8_0>(bytes, values),
        Kind::Coarse(dtype) => decode_coarse(dtype, bytes, values),
    }
}

fn decode_coarse(dtype: GgmlDType, bytes: &[u8], values: &mut [f32]) {
    match dtype {
        GgmlDType::F32 => decode(Kind::F32, bytes, values),
        GgmlDType::F16 => decode(Kind::F16, bytes, values),
        GgmlDType::BF16 => decode(Kind::Bf16, bytes, values),
        GgmlDType::Q4_0 => decode_blocks::<BlockQ4_0>(bytes, values),
        GgmlDType::Q4_1 => decode_blocks::<BlockQ4_1>(bytes, values),
        GgmlDType::Q5_0 => decode_blocks::<BlockQ5_0>(bytes, values),
        GgmlDType::Q5_1 => decode_blocks::<BlockQ5_1>(bytes, values),
        GgmlDType::Q8_0 => decode_blocks::<BlockQ8_0>(bytes, values),
        GgmlDType::Q8_1 => decode_blocks::<BlockQ8_1>(bytes, values),
        GgmlDType::Q2K => decode_blocks::<BlockQ2K>(bytes, values),
        GgmlDType::Q3K => decode_blocks::<BlockQ3K>(bytes, values),
        GgmlDType::Q4K => decode_blocks::<BlockQ4K>(bytes, values),
        GgmlDType::Q5K => decode_blocks::<BlockQ5K>(bytes, values),
        GgmlDType::Q6K => decode_blocks::<BlockQ6K>(bytes, values),
        GgmlDType::Q8K => decode_blocks::<BlockQ8K>(bytes, values),
    }
}

fn each<const N: usize>(bytes: &[u8], values: &mut [f32], convert: impl Fn([u8; N]) -> f32) {
    values.iter_mut().zip(bytes.as_chunks().0).for_each(|(value, bytes)| *value = convert(*bytes));
}

fn decode_blocks<T: Plain>(bytes: &[u8], values: &mut [f32]) {
    let mut block = [T::zeros()];
    for (bytes, values) in bytes.chunks_exact(size_of::<T>()).zip(values.chunks_exact_mut(T::BLCK_SIZE)) {
        bytes_of(&mut block).copy_from_slice(bytes);
        T::to_float(&block, values);
    }
}

/// f32 → whole blocks as a file has them.
pub(super) fn encode(dtype: GgmlDType, values: &[f32]) -> Vec<u8> {
    match dtype {
        GgmlDType::Q8_0 => encode_as::<BlockQ8_0>(values),
        GgmlDType::F16 => encode_as::<f16>(values),
        _ => encode_as::<f32>(values),
    }
}

fn encode_as<T: Plain>(values: &[f32]) -> Vec<u8> {
    let mut blocks = vec![T::zeros(); values.len() / T::BLCK_SIZE];
    T::from_float(values, &mut blocks);
    bytes_of(&mut blocks).to_vec()
}

/// A `Q8_0` matrix of zeros.
pub(super) fn zeros(name: &str, outputs: usize, inputs: usize) -> Result<Q8Matrix, CheckpointError> {
    let bytes = (outputs as u64).saturating_mul(inputs as u64);
    Q8Matrix::zeros(outputs, inputs).ok_or_else(|| CheckpointError::Memory { name: name.to_string(), bytes })
}

/// The first block whose number, or scale, is not finite: its exponent has every bit set.
pub(super) fn first_not_finite(kind: Kind, bytes: &[u8]) -> Option<usize> {
    let half = |bits: [u8; 2], exponent: u16| u16::from_le_bytes(bits) & exponent == exponent;
    match kind {
        Kind::F32 => bytes.as_chunks().0.iter().position(|&bits| !f32::from_le_bytes(bits).is_finite()),
        Kind::F16 => bytes.as_chunks().0.iter().position(|&bits| half(bits, 0x7c00)),
        Kind::Bf16 => bytes.as_chunks().0.iter().position(|&bits| half(bits, 0x7f80)),
        Kind::Q8_0 => bytes.as_chunks::<34>().0.iter().position(|block| half([block[0], block[1]], 0x7c00)),
        Kind::Coarse(dtype) => bytes.chunks_exact(dtype.type_size()).position(|block| {
            let mut values = [0.0; MOST_BLOCK];
            let values = &mut values[..dtype.block_size()];
            decode_coarse(dtype, block, values);
            !values.iter().all(|value| value.is_finite())
        }),
    }
}

/// Blocks that a file's bytes may be copied into.
///
/// # Safety
/// Every bit pattern is a value of the type, and the type has no padding.
pub(super) unsafe trait Plain: GgmlType + 'static {}

// SAFETY: numbers.
unsafe impl Plain for f32 {}
// SAFETY: a transparent u16.
unsafe impl Plain for f16 {}

/// Types of `repr(C)` whose fields are numbers and arrays of them, and add up to their size, which candle asserts.
macro_rules! plain {
    ($($block:ty),*) => {
        $(
            // SAFETY: the numbers' bit patterns are all values, and nothing is left for padding.
            unsafe impl Plain for $block {}
        )*
    };
}

plain!(BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, BlockQ8_1);
plain!(BlockQ2K, BlockQ3K, BlockQ4K, BlockQ5K, BlockQ6K, BlockQ8K);

/// The blocks' memory.
pub(super) fn bytes_of<T: Plain>(blocks: &mut [T]) -> &mut [u8] {
    // SAFETY: the slice is borrowed mutably for as long as the bytes are, bytes have no alignment, and `Plain` says
    // that whatever is written to them leaves values behind.
    unsafe { std::slice::from_raw_parts_mut(blocks.as_mut_ptr().cast(), size_of_val(blocks)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_overflow_or_split_a_block_have_no_bytes() {
        let dims = |sizes: &[u64]| {
            let mut dims = Dims::default();
            assert!(sizes.iter().all(|&size| dims.push(size)));
            dims
        };
        assert_eq!(dims(&[65, 320]).bytes(Kind::Q8_0), Some(65 * 10 * 34));
        assert_eq!(dims(&[320, 65]).bytes(Kind::Q8_0), None);
        assert_eq!(dims(&[1 << 33, 1 << 33]).bytes(Kind::F16), None);
        assert_eq!(dims(&[1 << 63]).bytes(Kind::F32), None);
        assert!(!dims(&[1, 1, 1, 1]).push(1));
    }

    #[test]
    fn numbers_that_are_not_finite_are_found_in_every_kind() {
        let f32s: Vec<u8> = [1.0, f32::MAX, f32::NAN].iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
        assert_eq!(first_not_finite(Kind::F32, &f32s), Some(2));
        let f16s: Vec<u8> = [f16::MAX, f16::NEG_INFINITY].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(first_not_finite(Kind::F16, &f16s), Some(1));
        let bf16s: Vec<u8> = [bf16::MAX, bf16::INFINITY].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(first_not_finite(Kind::Bf16, &bf16s), Some(1));
        let mut blocks = [0xff; 68];
        blocks[..2].copy_from_slice(&f16::ONE.to_le_bytes());
        assert_eq!(first_not_finite(Kind::Q8_0, &blocks), Some(1));
    }
}
