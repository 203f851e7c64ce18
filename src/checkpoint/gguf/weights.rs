//! Reads a tensor's bytes from a GGUF file into the form that the model computes with, without a second copy.

use std::io::{Read, Seek};

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
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

/// Reads a tensor of this shape. `F32`, `F16` and a matrix that the model keeps in `Q8_0` stay as they are; all else
/// becomes `F32`.
pub(super) fn read<R: Read + Seek>(
    info: &TensorInfo,
    shape: &[usize],
    source: &mut Source<R>,
) -> Result<Weight, CheckpointError> {
    source.seek(info.span.start)?;
    let is_kept = Precision::Q8_0.dtype(&info.name, shape) == GgmlDType::Q8_0;
    if let (GgmlDType::Q8_0, &[outputs, inputs], true) = (info.dtype, shape, is_kept) {
        return Ok(Weight::Q8(read_q8(info, source, outputs, inputs)?));
    }
    let storage = match info.dtype {
        GgmlDType::F32 => read_plain::<f32, R>(info, source)?,
        GgmlDType::F16 => read_plain::<f16, R>(info, source)?,
        _ => QStorage::Cpu(Box::new(read_f32(info, source)?)),
    };
    let tensor = QTensor::new(storage, shape);
    tensor.map(Weight::Other).map_err(|source| CheckpointError::tensor(&info.name, source))
}

/// Reads a matrix, some rows at a time, into the order of our kernels.
fn read_q8<R: Read + Seek>(
    info: &TensorInfo,
    source: &mut Source<R>,
    outputs: usize,
    inputs: usize,
) -> Result<Q8Matrix, CheckpointError> {
    let bytes = (outputs as u64).saturating_mul(inputs as u64);
    let memory = || CheckpointError::Memory { name: info.name.clone(), bytes };
    let mut matrix = Q8Matrix::zeros(outputs, inputs).ok_or_else(memory)?;
    let length = matrix.stored_length();
    let step = (ROWS / (ROW_BLOCK * length)).max(1) * ROW_BLOCK;
    let mut buffer: Vec<u8> = room(&info.name, (step.min(outputs) * length) as u64)?;
    for first_row in (0..outputs).step_by(step) {
        let rows = step.min(outputs - first_row);
        buffer.resize(rows * length, 0);
        source.fill(&info.name, &mut buffer)?;
        if !matrix.put_rows(first_row, &buffer) {
            check_finite(&info.name, info.dtype, &buffer, info.span.start + (first_row * length) as u64)?;
        }
    }
    Ok(matrix)
}

/// Reads the elements as the file has them.
fn read_plain<T: Plain, R: Read + Seek>(
    info: &TensorInfo,
    source: &mut Source<R>,
) -> Result<QStorage, CheckpointError> {
    let count = (info.span.end - info.span.start) / size_of::<T>() as u64;
    let mut elements = room(&info.name, count)?;
    elements.resize(count as usize, T::zeros());
    let bytes = bytes_of(&mut elements);
    source.fill(&info.name, bytes)?;
    check_finite(&info.name, info.dtype, bytes, info.span.start)?;
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
