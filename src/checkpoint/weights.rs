//! The weights of a file, by name, until a model takes them.

use std::collections::BTreeMap;

use candle_core::quantized::QTensor;

use super::CheckpointError;

/// A file's weights under GGUF's names (`blk.0.attn_qkv.weight`); matrices are `[out, in]`.
#[derive(Debug, Default)]
pub struct Weights(BTreeMap<String, QTensor>);

impl Weights {
    /// Adds a tensor; one of the same name is an error.
    pub fn insert(&mut self, name: &str, tensor: QTensor) -> Result<(), CheckpointError> {
        match self.0.insert(name.to_string(), tensor) {
            None => Ok(()),
            Some(_) => Err(CheckpointError::Duplicate { name: name.to_string() }),
        }
    }

    /// Hands over the tensor of this name, which must have this shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<QTensor, CheckpointError> {
        let tensor = self.0.remove(name).ok_or_else(|| CheckpointError::Missing { name: name.to_string() })?;
        if tensor.shape().dims() != shape {
            let (expected, found) = (shape.to_vec(), tensor.shape().dims().to_vec());
            return Err(CheckpointError::Shape { name: name.to_string(), expected, found });
        }
        Ok(tensor)
    }

    /// The tensor of this name, which stays.
    pub fn get(&self, name: &str) -> Option<&QTensor> {
        self.0.get(name)
    }

    /// The tensors that are left, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &QTensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

impl IntoIterator for Weights {
    type Item = (String, QTensor);
    type IntoIter = std::collections::btree_map::IntoIter<String, QTensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
