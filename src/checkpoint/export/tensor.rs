//! A tensor in memory → the bytes that a file has of it, some rows at a time.

use std::ops::Range;

use candle_core::quantized::{GgmlDType, QTensor};

use super::super::CheckpointError;
use super::super::tensor::{Kind, decode, encode, first_not_finite};
use crate::kernels::Q8Matrix;
use crate::kernels::ops::with_numbers;
use crate::model::WeightRef;

/// Numbers of a matrix that is turned which are encoded at once.
const ELEMENTS: usize = 16 << 10;

/// A tensor as a model or a checkpoint holds it.
#[derive(Clone, Copy, Debug)]
pub enum Tensor<'a> {
    /// A matrix in 8 bits.
    Q8(&'a Q8Matrix),
    /// Anything in float32.
    F32(&'a candle_core::Tensor),
    /// Anything as candle has it.
    Stored(&'a QTensor),
}

impl<'a> From<WeightRef<'a>> for Tensor<'a> {
    fn from(weight: WeightRef<'a>) -> Self {
        match weight {
            WeightRef::Q8(matrix) => Tensor::Q8(matrix),
            WeightRef::F32(tensor) => Tensor::F32(tensor),
        }
    }
}

/// What a tensor is to be written as.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// GGUF's name.
    pub name: String,
    /// Rows; 1 where there is no matrix.
    pub rows: usize,
    /// Numbers in a row.
    pub columns: usize,
    /// How they are to be kept: F32, F16 or Q8_0.
    pub dtype: GgmlDType,
}

impl Form {
    /// Bytes of a row.
    pub fn row(&self) -> usize {
        self.columns / self.dtype.block_size() * self.dtype.type_size()
    }

    /// Bytes of the tensor.
    pub fn length(&self) -> u64 {
        self.rows as u64 * self.row() as u64
    }
}

impl Tensor<'_> {
    /// How its elements lie in memory.
    fn dtype(&self) -> GgmlDType {
        match self {
            Tensor::Q8(_) => GgmlDType::Q8_0,
            Tensor::F32(_) => GgmlDType::F32,
            Tensor::Stored(tensor) => tensor.dtype(),
        }
    }

    /// The bytes that a file has of some rows; an error where a number is too large for 16 bits.
    pub(super) fn rows(&self, form: &Form, rows: Range<usize>) -> Result<Vec<u8>, CheckpointError> {
        match self {
            Tensor::Q8(matrix) if form.dtype == GgmlDType::Q8_0 => Ok(stored_rows(matrix, rows)),
            Tensor::Stored(tensor) if tensor.dtype() == form.dtype => {
                let bytes = tensor.data().map_err(|source| CheckpointError::tensor(&form.name, source))?;
                Ok(bytes[rows.start * form.row()..rows.end * form.row()].to_vec())
            }
            _ => encoded(form, &self.numbers(form, rows)?),
        }
    }

    /// A matrix `[in, out]`, as a `Conv1D` has it, in F16 or F32.
    pub(super) fn turned(&self, form: &Form) -> Result<Vec<u8>, CheckpointError> {
        let Form { rows, columns, .. } = *form;
        let mut turned = vec![0.0; rows * columns];
        for row in 0..rows {
            let numbers = self.numbers(form, row..row + 1)?;
            numbers.iter().enumerate().for_each(|(column, number)| turned[column * rows + row] = *number);
        }
        let mut bytes = Vec::with_capacity(form.length() as usize);
        for numbers in turned.chunks(ELEMENTS) {
            bytes.extend(encoded(form, numbers)?);
        }
        Ok(bytes)
    }

    fn numbers(&self, form: &Form, rows: Range<usize>) -> Result<Vec<f32>, CheckpointError> {
        let Form { name, columns, .. } = form;
        Ok(match self {
            Tensor::Q8(matrix) => rows.flat_map(|row| matrix.row(row)).collect(),
            Tensor::F32(tensor) => {
                let some = |numbers: &[f32]| numbers[rows.start * columns..rows.end * columns].to_vec();
                with_numbers(tensor, some).map_err(|source| CheckpointError::tensor(name, source))?
            }
            Tensor::Stored(tensor) => {
                let kind = Kind::Coarse(self.dtype());
                let (elements, bytes) = kind.block();
                let row = columns / elements as usize * bytes as usize;
                let stored = tensor.data().map_err(|source| CheckpointError::tensor(name, source))?;
                let mut numbers = vec![0.0; rows.len() * columns];
                decode(kind, &stored[rows.start * row..rows.end * row], &mut numbers);
                numbers
            }
        })
    }
}

fn stored_rows(matrix: &Q8Matrix, rows: Range<usize>) -> Vec<u8> {
    let mut stored = vec![0; rows.len() * matrix.stored_length()];
    for (row, stored) in rows.zip(stored.chunks_exact_mut(matrix.stored_length())) {
        matrix.stored_row(row, stored);
    }
    stored
}

fn encoded(form: &Form, numbers: &[f32]) -> Result<Vec<u8>, CheckpointError> {
    let bytes = encode(form.dtype, numbers);
    let (kind, bits) = match form.dtype {
        GgmlDType::F16 => (Kind::F16, "16 bits"),
        GgmlDType::Q8_0 => (Kind::Q8_0, "8 bits and a scale of 16"),
        _ => return Ok(bytes),
    };
    match first_not_finite(kind, &bytes) {
        None => Ok(bytes),
        Some(_) => Err(CheckpointError::too_large(&form.name, bits)),
    }
}
