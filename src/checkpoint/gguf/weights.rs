//! Reads a tensor's bytes from a GGUF file into the form that the model computes with, without a second copy.

use std::io::{Read, Seek};
use std::ops::Range;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Tensor};
use half::f16;

use super::super::CheckpointError;
use super::super::elements::{Plain, bytes_of, check_finite, decode};
use super::super::precision::Precision;
use super::super::source::{Source, room};
use super::super::tensor_info::TensorInfo;
use crate::kernels::{Q8Matrix, ROW_BLOCK};
use crate::model::Weight;

/// Bytes of a matrix that are read at once; at least eight rows.
const ROWS: usize = 256 << 10;

/// Reads these rows of a tensor of this shape. `F32`, `F16` and a matrix that the model keeps in `Q8_0` stay as they are;
/// all else becomes `F32`.
pub(super) fn read<R: Read + Seek>(
    info: &TensorInfo,
    shape: &[usize],
    rows: &[Range<usize>],
    source: &mut Source<R>,
) -> Result<Weight, CheckpointError> {
    let is_kept = Precision::Q8_0.dtype(&info.name, shape) == GgmlDType::Q8_0;
    let count: usize = rows.iter().map(Range::len).sum();
    if let (GgmlDType::Q8_0, &[_, inputs], true) = (info.dtype, shape, is_kept) {
        return Ok(Weight::Q8(read_q8(info, source, || Rows::new(info, shape, rows), (count, inputs))?));
    }
    let own: Vec<usize> = std::iter::once(count).chain(shape[1..].iter().copied()).collect();
    if count == 0 {
        let none = Tensor::zeros(own, DType::F32, &Device::Cpu);
        return none.map(Weight::F32).map_err(|source| CheckpointError::tensor(&info.name, source));
    }
    let storage = match info.dtype {
        GgmlDType::F32 => read_plain::<f32, R>(info, source, Rows::new(info, shape, rows))?,
        GgmlDType::F16 => read_plain::<f16, R>(info, source, Rows::new(info, shape, rows))?,
        _ => {
            source.seek(info.span.start)?;
            let (all, length) = (read_f32(info, source)?, shape[1..].iter().product::<usize>());
            let rows = rows.iter().flat_map(|rows| &all[rows.start * length..rows.end * length]);
            QStorage::Cpu(Box::new(rows.copied().collect::<Vec<f32>>()))
        }
    };
    let tensor = QTensor::new(storage, own);
    tensor.map(Weight::Other).map_err(|source| CheckpointError::tensor(&info.name, source))
}

/// The bytes of some rows of a tensor, one range after the other.
struct Rows<'a> {
    info: &'a TensorInfo,
    /// Where they are in the file.
    left: Vec<Range<u64>>,
}

impl<'a> Rows<'a> {
    fn new(info: &'a TensorInfo, shape: &[usize], rows: &[Range<usize>]) -> Self {
        let length = (info.span.end - info.span.start) / shape[0].max(1) as u64;
        let place = |row: usize| info.span.start + row as u64 * length;
        let mut left: Vec<_> = rows.iter().map(|rows| place(rows.start)..place(rows.end)).collect();
        left.reverse();
        Rows { info, left }
    }

    /// Bytes of all rows that are left.
    fn bytes(&self) -> u64 {
        self.left.iter().map(|range| range.end - range.start).sum()
    }

    /// Fills `bytes` with those of the next rows; fails at numbers that are not finite where `checks` is set.
    fn fill<R: Read + Seek>(
        &mut self,
        source: &mut Source<R>,
        mut bytes: &mut [u8],
        checks: bool,
    ) -> Result<(), CheckpointError> {
        while let Some(range) = self.left.last_mut().filter(|_| !bytes.is_empty()) {
            let count = (range.end - range.start).min(bytes.len() as u64) as usize;
            let (piece, rest) = bytes.split_at_mut(count);
            if source.offset() != range.start {
                source.seek(range.start)?;
            }
            source.fill(&self.info.name, piece)?;
            if checks {
                check_finite(&self.info.name, self.info.dtype, piece, range.start)?;
            }
            range.start += count as u64;
            if range.start == range.end {
                self.left.pop();
            }
            bytes = rest;
        }
        Ok(())
    }
}

/// Reads a matrix, some rows at a time, into the order of our kernels.
fn read_q8<'a, R: Read + Seek>(
    info: &TensorInfo,
    source: &mut Source<R>,
    rows: impl Fn() -> Rows<'a>,
    (outputs, inputs): (usize, usize),
) -> Result<Q8Matrix, CheckpointError> {
    let bytes = (outputs as u64).saturating_mul(inputs as u64);
    let memory = || CheckpointError::Memory { name: info.name.clone(), bytes };
    let mut matrix = Q8Matrix::zeros(outputs, inputs).ok_or_else(memory)?;
    let length = matrix.stored_length();
    let step = (ROWS / (ROW_BLOCK * length)).max(1) * ROW_BLOCK;
    let mut buffer: Vec<u8> = room(&info.name, (step.min(outputs) * length) as u64)?;
    let (mut left, mut is_finite) = (rows(), true);
    for first_row in (0..outputs).step_by(step) {
        buffer.resize(step.min(outputs - first_row) * length, 0);
        left.fill(source, &mut buffer, false)?;
        is_finite &= matrix.put_rows(first_row, &buffer);
    }
    if !is_finite {
        // Read again, to name the place.
        let mut left = rows();
        while left.bytes() > 0 {
            buffer.resize(left.bytes().min(ROWS.max(length) as u64) as usize / length * length, 0);
            left.fill(source, &mut buffer, true)?;
        }
    }
    Ok(matrix)
}

/// Reads the elements as the file has them.
fn read_plain<T: Plain, R: Read + Seek>(
    info: &TensorInfo,
    source: &mut Source<R>,
    mut rows: Rows<'_>,
) -> Result<QStorage, CheckpointError> {
    let count = rows.bytes() / size_of::<T>() as u64;
    let mut elements = room(&info.name, count)?;
    elements.resize(count as usize, T::zeros());
    rows.fill(source, bytes_of(&mut elements), true)?;
    Ok(QStorage::Cpu(Box::new(elements)))
}

/// Decodes the elements to f32, through a buffer of a few KiB.
fn read_f32<R: Read + Seek>(info: &TensorInfo, source: &mut Source<R>) -> Result<Vec<f32>, CheckpointError> {
    let (block, size) = (info.dtype.block_size(), info.dtype.type_size());
    let blocks = (info.span.end - info.span.start) / size as u64;
    let mut elements: Vec<f32> = room(&info.name, blocks * block as u64)?;
    elements.resize(blocks as usize * block, 0.0);
    let (mut buffer, mut offset) = ([0; 4096], info.span.start);
    for values in elements.chunks_mut(buffer.len() / size * block) {
        let bytes = &mut buffer[..values.len() / block * size];
        source.fill(&info.name, bytes)?;
        check_finite(&info.name, info.dtype, bytes, offset)?;
        decode(info.dtype, bytes, values);
        offset += bytes.len() as u64;
    }
    Ok(elements)
}
