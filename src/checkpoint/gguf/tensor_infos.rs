//! The tensors that a GGUF file lists, compared with those that its configuration asks for.

use std::ops::Range;

use super::super::tensor_info::{TensorInfo, check_spans};
use super::super::{CheckpointError, layout};
use crate::model::Config;

/// Every tensor of a file, sorted by name. Each lies within the data, no two overlap, and no name occurs twice.
#[derive(Debug)]
pub(in super::super) struct TensorInfos(Vec<TensorInfo>);

impl TensorInfos {
    /// Checks everything that needs no configuration. `data` is the range in which tensors may lie.
    pub fn new(mut infos: Vec<TensorInfo>, data: Range<u64>) -> Result<Self, CheckpointError> {
        check_spans(&mut infos.iter().collect::<Vec<_>>(), data)?;
        infos.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        match infos.windows(2).find(|pair| pair[0].name == pair[1].name) {
            Some(pair) => Err(CheckpointError::Duplicate { name: pair[0].name.clone() }),
            None => Ok(TensorInfos(infos)),
        }
    }

    /// Removes the tensors with these names.
    pub fn leave_out(&mut self, is_left_out: impl Fn(&str) -> bool) {
        self.0.retain(|info| !is_left_out(&info.name));
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The tensors that `config` asks for, each with its shape, in the order of a file. Fails where one is missing, and
    /// where there is another one.
    pub fn into_shaped(self, config: &Config) -> Result<Vec<(TensorInfo, Vec<usize>)>, CheckpointError> {
        self.check(config)?;
        let shapes = layout::tensors(config).filter_map(|(name, shape)| Some((self.find(&name)?, shape)));
        let shapes: Vec<(usize, Vec<usize>)> = shapes.collect();
        let mut infos: Vec<Option<TensorInfo>> = self.0.into_iter().map(Some).collect();
        let shaped = shapes.into_iter().filter_map(|(index, shape)| Some((infos[index].take()?, shape)));
        Ok(shaped.collect())
    }

    /// Fails unless each tensor that is asked for is there in its shape, and no other is there.
    fn check(&self, config: &Config) -> Result<(), CheckpointError> {
        let mut asked = vec![false; self.0.len()];
        for (name, shape) in layout::tensors(config) {
            let index = self.find(&name).ok_or(CheckpointError::Missing { name })?;
            self.0[index].check_shape(&shape)?;
            asked[index] = true;
        }
        match self.0.iter().zip(asked).find(|(_, asked)| !asked) {
            None => Ok(()),
            Some((info, _)) => {
                let (expected, found) = ("a tensor of the model that the configuration describes", "one more");
                Err(CheckpointError::field(&info.name, info.at, expected, found))
            }
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|info| info.name.as_str().cmp(name)).ok()
    }
}
