//! Weights by name, from which a model takes its own.

use std::collections::BTreeMap;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Error, Shape, Tensor};

use crate::kernels::Q8Matrix;

/// The weights are not those that the configuration asks for.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// A weight is missing.
    #[error("the file has no tensor `{name}`")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// Two weights have the same name.
    #[error("the file has two tensors `{name}`")]
    Duplicate {
        /// The tensor.
        name: String,
    },
    /// A weight has another shape than the configuration asks for.
    #[error("tensor `{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// The shape that the configuration asks for.
        expected: Vec<usize>,
        /// The shape of the tensor.
        found: Vec<usize>,
    },
    /// candle cannot take or convert a weight.
    #[error("tensor `{name}`: {source}")]
    Tensor {
        /// The tensor.
        name: String,
        /// Why. Boxed, since it is much larger than the other fields.
        source: Box<Error>,
    },
}

impl WeightsError {
    /// The error for a weight that candle cannot take or convert.
    pub(crate) fn tensor(name: &str, source: Error) -> Self {
        WeightsError::Tensor { name: name.to_string(), source: Box::new(source) }
    }
}

/// A tensor in the form that the model computes with.
#[derive(Debug)]
pub enum Weight {
    /// A matrix in `Q8_0`, in the order of our own kernels.
    Q8(Q8Matrix),
    /// Numbers in float32, with which the model computes as with those of a file.
    F32(Tensor),
    /// A float32 variable that is learned: gradients flow to it, and products with it are
    /// [those for learning](crate::kernels::product).
    Learned(Tensor),
    /// Anything else, as candle's tensor. From a file these are `F32` or `F16`.
    Other(QTensor),
}

impl Weight {
    /// Its shape, rows first.
    pub fn shape(&self) -> Shape {
        match self {
            Weight::Q8(matrix) => (matrix.outputs(), matrix.inputs()).into(),
            Weight::F32(tensor) | Weight::Learned(tensor) => tensor.shape().clone(),
            Weight::Other(tensor) => tensor.shape().clone(),
        }
    }

    /// The dtype of its elements in a file.
    pub fn dtype(&self) -> GgmlDType {
        match self {
            Weight::Q8(_) => GgmlDType::Q8_0,
            Weight::F32(_) | Weight::Learned(_) => GgmlDType::F32,
            Weight::Other(tensor) => tensor.dtype(),
        }
    }

    /// Bytes that it takes in a file.
    pub fn stored_length(&self) -> usize {
        match self {
            Weight::Q8(matrix) => matrix.outputs() * matrix.stored_length(),
            Weight::F32(tensor) | Weight::Learned(tensor) => tensor.elem_count() * 4,
            Weight::Other(tensor) => tensor.storage_size_in_bytes(),
        }
    }

    /// Its bytes in a file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        match self {
            Weight::Q8(matrix) => {
                let mut bytes = vec![0; self.stored_length()];
                let rows = bytes.chunks_exact_mut(matrix.stored_length().max(1));
                rows.enumerate().for_each(|(row, bytes)| matrix.stored_row(row, bytes));
                Ok(bytes)
            }
            Weight::F32(tensor) | Weight::Learned(tensor) => {
                let numbers: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
                Ok(numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
            }
            Weight::Other(tensor) => Ok(tensor.data()?.into_owned()),
        }
    }

    /// Its numbers in float32.
    pub fn dequantize(&self, device: &Device) -> Result<Tensor, Error> {
        match self {
            Weight::Q8(matrix) => {
                let numbers: Vec<f32> = (0..matrix.outputs()).flat_map(|row| matrix.row(row)).collect();
                Tensor::from_vec(numbers, self.shape(), device)
            }
            Weight::F32(tensor) | Weight::Learned(tensor) => tensor.to_device(device),
            Weight::Other(tensor) => tensor.dequantize(device),
        }
    }
}

/// A file's weights under GGUF's names (`blk.0.attn_qkv.weight`); matrices are `[out, in]`.
#[derive(Debug, Default)]
pub struct Weights(BTreeMap<String, Weight>);

impl Weights {
    /// Adds a tensor of candle's; a matrix in `Q8_0` is brought into the order of our own kernels. Fails if the name is
    /// taken.
    pub fn insert(&mut self, name: &str, tensor: QTensor) -> Result<(), WeightsError> {
        let matrix = Q8Matrix::new(&tensor).map_err(|source| WeightsError::tensor(name, source))?;
        self.put(name, matrix.map_or(Weight::Other(tensor), Weight::Q8))
    }

    /// Adds a weight. Fails if the name is taken.
    pub fn put(&mut self, name: &str, weight: Weight) -> Result<(), WeightsError> {
        match self.0.insert(name.to_string(), weight) {
            None => Ok(()),
            Some(_) => Err(WeightsError::Duplicate { name: name.to_string() }),
        }
    }

    /// Removes the tensor with this name, and returns it. It must have this shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Weight, WeightsError> {
        let tensor = self.0.remove(name).ok_or_else(|| WeightsError::Missing { name: name.to_string() })?;
        let found = tensor.shape().into_dims();
        if found != shape {
            return Err(WeightsError::Shape { name: name.to_string(), expected: shape.to_vec(), found });
        }
        Ok(tensor)
    }

    /// The tensor with this name.
    pub fn get(&self, name: &str) -> Option<&Weight> {
        self.0.get(name)
    }

    /// The remaining tensors, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Weight)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

impl IntoIterator for Weights {
    type Item = (String, Weight);
    type IntoIter = std::collections::btree_map::IntoIter<String, Weight>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
