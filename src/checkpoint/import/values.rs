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
const TILE: usize = 64;

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
        for (TensorPart { file, info }, within) in parts(tensor, rows.clone()) {
            in_file(files, *file, |source| self.part_values(info, columns, within, source, &mut values))?;
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

/// What [`RowReader`] reads of the files for these rows, in its order. Of a transposed matrix it reads the whole for the
/// first row, and nothing for the others.
pub(super) fn spans(tensor: &ModelTensor, rows: Range<usize>) -> impl Iterator<Item = (usize, Range<u64>)> {
    let columns = tensor.columns();
    parts(tensor, rows).filter_map(move |(TensorPart { file, info }, within)| match info.transposed {
        true => (within.start == 0).then(|| (*file, info.span.clone())),
        false => Some((*file, span(info, columns, within))),
    })
}

/// The parts that these rows of the tensor are in, and which rows of the part they are.
fn parts(tensor: &ModelTensor, rows: Range<usize>) -> impl Iterator<Item = (&TensorPart, Range<usize>)> {
    let mut end = 0;
    tensor.parts.iter().filter_map(move |part| {
        let begin = end;
        end += part_rows(&part.info, tensor);
        let (first, last) = (rows.start.max(begin), rows.end.min(end));
        (first < last).then(|| (part, first - begin..last - begin))
    })
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
    read(info, span(info, columns, rows), source)
}

/// The range of the file that has these rows of a matrix.
fn span(info: &TensorInfo, columns: usize, rows: Range<usize>) -> Range<u64> {
    let row = (columns / info.dtype.block_size() * info.dtype.type_size()) as u64;
    let start = info.span.start;
    start + rows.start as u64 * row..start + rows.end as u64 * row
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

/// Transposes some rows of a matrix that `bytes` hold as `[in, out]`. A tile is decoded before its rows are written: the
/// rows of a matrix whose width is a power of two compete for the same few lines of the cache.
fn turn(info: &TensorInfo, bytes: &[u8], rows: Range<usize>, values: &mut [f32]) {
    let [inputs, outputs] = [0, 1].map(|axis| info.dims.as_slice().get(axis).map_or(1, |&size| size as usize));
    let size = info.dtype.type_size();
    let mut tile = [[0.0; TILE]; TILE];
    for first_row in (0..rows.len()).step_by(TILE) {
        let count = TILE.min(rows.len() - first_row);
        for first_column in (0..inputs).step_by(TILE) {
            let columns = first_column..inputs.min(first_column + TILE);
            for (column, line) in columns.clone().zip(&mut tile) {
                let at = (column * outputs + rows.start + first_row) * size;
                decode(info.dtype, &bytes[at..at + count * size], &mut line[..count]);
            }
            let targets = values[first_row * inputs..].chunks_mut(inputs).take(count);
            for (row, target) in targets.enumerate() {
                target[columns.clone()].iter_mut().zip(&tile).for_each(|(value, line)| *value = line[row]);
            }
        }
    }
}
