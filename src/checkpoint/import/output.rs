//! Writes a file in steps. The whole file is planned first, so that its length is known. Tensors are then written some
//! rows at a time, so that each step is short and no tensor is held in memory.

use std::io::{Read, Seek, Write};
use std::ops::Range;

use candle_core::quantized::GgmlDType;

use super::values::{RowReader, spans};
use super::{CheckpointInfo, ImportError, ModelTensor, Named};
use crate::checkpoint::elements::encode;
use crate::checkpoint::gguf::{self, TensorSpec};
use crate::checkpoint::precision::Precision;
use crate::checkpoint::{CheckpointError, layout};

/// Bytes that one step writes; at least one row. A transposed matrix is written in one step.
const PIECE: usize = 256 << 10;
/// Numbers of a transposed matrix that are encoded at once.
const ELEMENTS: usize = 16 << 10;

/// A file that is being written. After an error it is of no use.
#[derive(Debug)]
pub struct OutputFile {
    name: String,
    length: u64,
    pieces: Vec<OutputPiece>,
    /// The number of the next piece.
    piece: usize,
    /// Rows of that piece that have been written.
    row: usize,
    reader: RowReader,
}

/// A part of a file.
#[derive(Debug)]
pub(in crate::checkpoint) enum OutputPiece {
    Bytes(Vec<u8>),
    Zeros(u64),
    /// A tensor as GGUF has it.
    Rows(TensorPiece),
    /// A matrix that is written transposed, as `[in, out]`.
    Turned(TensorPiece),
}

/// A tensor to write.
#[derive(Debug)]
pub(in crate::checkpoint) struct TensorPiece {
    /// Its number among the model's tensors.
    tensor: usize,
    /// Rows; a tensor that is no matrix has 1.
    rows: usize,
    /// Numbers in a row.
    columns: usize,
    /// F32, F16 or Q8_0.
    dtype: GgmlDType,
}

impl TensorPiece {
    /// Bytes of a row.
    fn row(&self) -> usize {
        self.columns / self.dtype.block_size() * self.dtype.type_size()
    }
}

impl OutputPiece {
    /// Its bytes.
    pub fn length(&self) -> u64 {
        match self {
            OutputPiece::Bytes(bytes) => bytes.len() as u64,
            OutputPiece::Zeros(count) => *count,
            OutputPiece::Rows(tensor) | OutputPiece::Turned(tensor) => tensor.rows as u64 * tensor.row() as u64,
        }
    }

    /// Rows that can be written in separate steps.
    fn rows(&self) -> usize {
        if let OutputPiece::Rows(tensor) = self { tensor.rows } else { 1 }
    }

    /// The rows that the next step writes, beginning at `row`.
    fn next(&self, row: usize) -> Range<usize> {
        let bytes = (self.length() / self.rows() as u64).max(1) as usize;
        row..self.rows().min(row + (PIECE / bytes).max(1))
    }
}

/// The GGUF of a model, in this precision, or in that of its files. `name` becomes its `general.name`.
///
/// The same model, name and precision give the same bytes, whatever files the model came in.
pub fn to_gguf(info: &CheckpointInfo, name: &str, precision: Option<Precision>) -> Result<OutputFile, CheckpointError> {
    let specs = specs(info, precision);
    let numbers = numbers(info, &specs)?;
    let gguf::FileLayout { header, .. } = gguf::lay_out(&info.config, &info.tokenizer, name, &specs)?;
    let mut pieces = vec![OutputPiece::Bytes(header)];
    for (spec, number) in specs.iter().zip(numbers) {
        let bytes = spec.bytes();
        pieces.push(piece(spec, number));
        pieces.push(OutputPiece::Zeros(bytes.next_multiple_of(gguf::ALIGNMENT) - bytes));
    }
    Ok(OutputFile::new(format!("{name}.gguf"), pieces))
}

/// Describes a tensor that [`to_gguf`] writes.
#[derive(Clone, Debug)]
pub struct TensorOutline {
    /// GGUF's name.
    pub name: String,
    /// The dtype of its elements.
    pub dtype: GgmlDType,
    /// Its bytes.
    pub bytes: u64,
    /// Its shape, rows first.
    pub shape: Vec<usize>,
}

impl CheckpointInfo {
    /// The tensors that [`to_gguf`] writes in this precision.
    pub fn outline(&self, precision: Option<Precision>) -> impl Iterator<Item = TensorOutline> {
        specs(self, precision).into_iter().map(|spec| {
            let bytes = spec.bytes();
            let TensorSpec { name, shape, dtype } = spec;
            TensorOutline { name, dtype, bytes, shape }
        })
    }
}

/// The tensors to write, in the order of a file, which is also the model's. A model without a bias of queries, keys and
/// values gets zeros for it.
pub(in crate::checkpoint) fn specs(info: &CheckpointInfo, precision: Option<Precision>) -> Vec<TensorSpec> {
    let mut tensors = info.tensors.iter().peekable();
    let spec = |(name, shape): (String, Vec<usize>)| {
        let dtype = tensors.next_if(|tensor| tensor.name == name).map(|tensor| info.dtype(tensor, precision));
        TensorSpec { name, shape, dtype: dtype.unwrap_or(GgmlDType::F32) }
    };
    layout::written(&info.config).map(spec).collect()
}

/// A tensor as GGUF stores it: the model's tensor of this number, or zeros.
pub(in crate::checkpoint) fn piece(spec: &TensorSpec, tensor: Option<usize>) -> OutputPiece {
    let Some(tensor) = tensor else { return OutputPiece::Zeros(spec.bytes()) };
    let (rows, columns) = match *spec.shape.as_slice() {
        [rows, columns] => (rows, columns),
        _ => (1, spec.shape.iter().product()),
    };
    OutputPiece::Rows(TensorPiece { tensor, rows, columns, dtype: spec.dtype })
}

/// For each tensor to write, its number among the model's tensors; `None` for zeros.
pub(in crate::checkpoint) fn numbers(
    info: &CheckpointInfo,
    specs: &[TensorSpec],
) -> Result<Vec<Option<usize>>, CheckpointError> {
    let mut next = 0;
    let number = |spec: &TensorSpec| match info.tensors.get(next) {
        Some(tensor) if tensor.name == spec.name => {
            next += 1;
            Ok(Some(next - 1))
        }
        _ if spec.name.ends_with(gguf::QKV_BIAS) && !info.config.qkv_bias => Ok(None),
        _ => Err(CheckpointError::Missing { name: spec.name.clone() }),
    };
    specs.iter().map(number).collect()
}

impl OutputFile {
    /// A file of these pieces.
    pub(in crate::checkpoint) fn new(name: String, pieces: Vec<OutputPiece>) -> Self {
        let length = pieces.iter().map(OutputPiece::length).sum();
        OutputFile { name, length, pieces, piece: 0, row: 0, reader: RowReader::default() }
    }

    /// Its name, without folders.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of all of it.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// What each step reads of the files: the number of the file, and a range of it. For a caller that can read ahead.
    pub fn reads(&self, info: &CheckpointInfo) -> Vec<Vec<(usize, Range<u64>)>> {
        let read = |piece: &OutputPiece, rows: Range<usize>| match piece {
            OutputPiece::Bytes(_) | OutputPiece::Zeros(_) => Vec::new(),
            OutputPiece::Rows(piece) => spans(&info.tensors[piece.tensor], rows).collect(),
            OutputPiece::Turned(piece) => {
                let tensor = &info.tensors[piece.tensor];
                spans(tensor, 0..tensor.shape[0]).collect()
            }
        };
        let mut steps = Vec::new();
        for piece in &self.pieces {
            let mut row = 0;
            while row < piece.rows() {
                let rows = piece.next(row);
                row = rows.end;
                steps.push(read(piece, rows));
            }
        }
        steps
    }

    /// Writes the next piece. `info` and `files` must be those that the file was planned for. `false` after the last
    /// piece.
    pub fn step<R: Read + Seek>(
        &mut self,
        info: &CheckpointInfo,
        files: &mut [Named<R>],
        writer: &mut impl Write,
    ) -> Result<bool, ImportError> {
        let Some(piece) = self.pieces.get(self.piece) else { return Ok(false) };
        let rows = piece.next(self.row);
        let is_done = rows.end == piece.rows();
        let mut write = |bytes: &[u8]| writer.write_all(bytes).map_err(CheckpointError::from);
        match piece {
            OutputPiece::Bytes(bytes) => write(bytes)?,
            OutputPiece::Zeros(count) => write(&vec![0; *count as usize])?,
            OutputPiece::Rows(TensorPiece { tensor, dtype, .. }) => {
                let tensor = &info.tensors[*tensor];
                write(&self.reader.rows(tensor, files, *dtype, rows.clone())?)?;
            }
            OutputPiece::Turned(TensorPiece { tensor, dtype, .. }) => {
                let tensor = &info.tensors[*tensor];
                let values = turned(tensor, &mut self.reader, files)?;
                values.chunks(ELEMENTS).try_for_each(|values| write(&encode(&tensor.name, *dtype, values)?))?;
            }
        }
        (self.piece, self.row) = if is_done { (self.piece + 1, 0) } else { (self.piece, rows.end) };
        Ok(self.piece < self.pieces.len())
    }

    /// Writes all remaining pieces.
    pub fn write<R: Read + Seek>(
        mut self,
        info: &CheckpointInfo,
        files: &mut [Named<R>],
        writer: &mut impl Write,
    ) -> Result<(), ImportError> {
        while self.step(info, files, writer)? {}
        Ok(writer.flush().map_err(CheckpointError::from)?)
    }
}

/// A matrix transposed to `[in, out]`, as `Conv1D` stores it.
fn turned<R: Read + Seek>(
    tensor: &ModelTensor,
    reader: &mut RowReader,
    files: &mut [Named<R>],
) -> Result<Vec<f32>, ImportError> {
    let (rows, columns) = (tensor.shape[0], tensor.columns());
    let mut turned = crate::checkpoint::source::room(&tensor.name, rows as u64 * columns as u64)?;
    turned.resize(rows * columns, 0.0);
    let step = (ELEMENTS / columns).max(1);
    for first in (0..rows).step_by(step) {
        let values = reader.values(tensor, files, first..rows.min(first + step))?;
        for (row, values) in values.chunks(columns).enumerate() {
            values.iter().enumerate().for_each(|(column, value)| turned[column * rows + first + row] = *value);
        }
    }
    Ok(turned)
}
