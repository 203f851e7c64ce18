//! Reads rows of the model's tensors from the files, some at a time, and encodes them in the dtype that is asked for.

use std::io::{Read, Seek};
use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::{ImportError, ModelTensor, Named, TensorPart, in_file};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::elements::{check_finite, decode, encode};
use crate::checkpoint::source::{Source, room};
use crate::checkpoint::tensor_info::TensorInfo;

/// Rows and columns of a transposed matrix that are handled at once: 16 KiB of float32, which fit into the L1 cache.
const TILE: (usize, usize) = (64, 64);

/// Reads rows. Keeps the bytes of a transposed matrix while its rows are asked for one after another.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct RowReader {
    /// Name and bytes.
    held: Option<(String, Vec<u8>)>,
}

impl RowReader {
    /// The bytes of some rows, as a file in this dtype has them. Fails for numbers that the dtype cannot hold. A vector
    /// counts as one row.
    pub fn rows<R: Read + Seek>(
        &mut self,
        tensor: &ModelTensor,
        files: &mut [Named<R>],
        dtype: GgmlDType,
        rows: Range<usize>,
    ) -> Result<Vec<u8>, ImportError> {
        match tensor.parts.as_slice() {
            [TensorPart { file, info }] if info.dtype == dtype && !info.transposed => {
                in_file(files, *file, |source| stored_rows(info, tensor.columns(), rows, source))
            }
            _ => {
                let values = self.values(tensor, files, rows)?;
                Ok(encode(&tensor.name, dtype, &values)?)
            }
        }
    }

    /// The numbers in some rows, as f32.
    pub fn values<R: Read + Seek>(
        &mut self,
        tensor: &ModelTensor,
        files: &mut [Named<R>],
        rows: Range<usize>,
    ) -> Result<Vec<f32>, ImportError> {
        let columns = tensor.columns();
        let mut values = room(&tensor.name, (rows.len() * columns) as u64)?;
        let mut begin = 0;
        for TensorPart { file, info } in &tensor.parts {
            let end = begin + part_rows(info, tensor);
            let (first, last) = (rows.start.max(begin), rows.end.min(end));
            if first < last {
                let within = first - begin..last - begin;
                in_file(files, *file, |source| self.part_values(info, columns, within, source, &mut values))?;
            }
            begin = end;
        }
        // A tensor that no file has is all zeros.
        values.resize(rows.len() * columns, 0.0);
        Ok(values)
    }

    /// Appends rows of one part to `values`.
    fn part_values<R: Read + Seek>(
        &mut self,
        info: &TensorInfo,
        columns: usize,
        rows: Range<usize>,
        source: &mut Source<R>,
        values: &mut Vec<f32>,
    ) -> Result<(), CheckpointError> {
        let start = values.len();
        if info.transposed {
            let bytes = self.hold(info, source)?;
            values.resize(start + rows.len() * columns, 0.0);
            turn(info, bytes, rows, &mut values[start..]);
        } else {
            let bytes = stored_rows(info, columns, rows.clone(), source)?;
            values.resize(start + rows.len() * columns, 0.0);
            decode(info.dtype, &bytes, &mut values[start..]);
        }
        Ok(())
    }

    /// All bytes of a transposed matrix, as the file has them.
    fn hold<R: Read + Seek>(&mut self, info: &TensorInfo, source: &mut Source<R>) -> Result<&[u8], CheckpointError> {
        if self.held.as_ref().is_none_or(|(name, _)| *name != info.name) {
            self.held = None; // freed before the next is read
            self.held = Some((info.name.clone(), read(info, info.span.clone(), source)?));
        }
        Ok(self.held.as_ref().map_or(&[], |(_, bytes)| bytes))
    }
}

/// Rows of a part; a vector counts as one row.
fn part_rows(info: &TensorInfo, tensor: &ModelTensor) -> usize {
    if tensor.shape.len() == 2 { info.shape().as_slice()[0] as usize } else { 1 }
}

/// The bytes of some rows that are contiguous in the file.
fn stored_rows<R: Read + Seek>(
    info: &TensorInfo,
    columns: usize,
    rows: Range<usize>,
    source: &mut Source<R>,
) -> Result<Vec<u8>, CheckpointError> {
    let row = (columns / info.dtype.block_size() * info.dtype.type_size()) as u64;
    let start = info.span.start;
    read(info, start + rows.start as u64 * row..start + rows.end as u64 * row, source)
}

/// The bytes of a range of the file. Fails unless all numbers in them are finite.
fn read<R: Read + Seek>(
    info: &TensorInfo,
    span: Range<u64>,
    source: &mut Source<R>,
) -> Result<Vec<u8>, CheckpointError> {
    let mut bytes = room(&info.name, span.end - span.start)?;
    bytes.resize((span.end - span.start) as usize, 0);
    source.seek(span.start)?;
    source.fill(&info.name, &mut bytes)?;
    check_finite(&info.name, info.dtype, &bytes, span.start)?;
    Ok(bytes)
}

/// Transposes some rows of a matrix that `bytes` hold as `[in, out]`.
fn turn(info: &TensorInfo, bytes: &[u8], rows: Range<usize>, values: &mut [f32]) {
    let [inputs, outputs] = [0, 1].map(|axis| info.dims.as_slice().get(axis).map_or(1, |&size| size as usize));
    let size = info.dtype.type_size();
    let mut line = [0.0; TILE.0];
    for first_row in (0..rows.len()).step_by(TILE.0) {
        let count = TILE.0.min(rows.len() - first_row);
        for first_column in (0..inputs).step_by(TILE.1) {
            for column in first_column..inputs.min(first_column + TILE.1) {
                let at = (column * outputs + rows.start + first_row) * size;
                decode(info.dtype, &bytes[at..at + count * size], &mut line[..count]);
                let targets = values[first_row * inputs..].chunks_mut(inputs);
                targets.zip(&line[..count]).for_each(|(row, value)| row[column] = *value);
            }
        }
    }
}
