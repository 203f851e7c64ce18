//! What is learned: the weights as variables.

use std::fmt;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarMap;

use super::random::{Purpose, normals, sequence};
use crate::checkpoint::layout;
use crate::model::{Config, Weight, Weights, WeightsError};

/// Standard deviation of the weights before the first step, as GPT-2's.
const DEVIATION: f32 = 0.02;

/// A model's weights in float32, as variables in a `VarMap`, under GGUF's names and in their order.
#[derive(Clone)]
pub struct Parameters {
    map: VarMap,
    names: Vec<String>,
    variables: Vec<Var>,
}

impl Parameters {
    /// Weights as they are before the first step (Radford et al. 2019): normal with deviation 0.02, and with 0.02 / √(2 ·
    /// layers) where a block adds to the residual stream; biases 0, norms 1.
    pub fn random(config: &Config, seed: u64) -> Result<Self> {
        let tensors: Vec<_> = layout::tensors(config).collect();
        let tensor = |(index, (name, shape)): (usize, &(String, Vec<usize>))| {
            let adds = name.ends_with("attn_output.weight") || name.ends_with("ffn_down.weight");
            let deviation = if adds { DEVIATION / ((2 * config.layers) as f32).sqrt() } else { DEVIATION };
            let count = shape.iter().product();
            let numbers = match name {
                _ if shape.len() == 2 => {
                    let mut normal = normals(sequence(seed, Purpose::Weights(index)));
                    (0..count).map(|_| deviation * normal()).collect()
                }
                _ if name.ends_with("_norm.weight") => vec![1.0; count],
                _ => vec![0.0; count],
            };
            Ok((name.clone(), Tensor::from_vec(numbers, shape.as_slice(), &Device::Cpu)?))
        };
        Parameters::new(tensors.iter().enumerate().map(tensor).collect::<Result<_>>()?)
    }

    /// Variables that begin with the numbers of these tensors.
    pub fn new(mut tensors: Vec<(String, Tensor)>) -> Result<Self> {
        tensors.sort_by(|(name, _), (other, _)| name.cmp(other));
        Parameters::of(tensors.into_iter().map(|(name, tensor)| Ok((name, Var::from_tensor(&tensor)?))))
    }

    /// These variables, in the order of their names.
    fn of(named: impl Iterator<Item = Result<(String, Var)>>) -> Result<Self> {
        let map = VarMap::new();
        let (mut names, mut variables) = (Vec::new(), Vec::new());
        for named in named {
            let (name, variable) = named?;
            if let Ok(mut map) = map.data().lock() {
                map.insert(name.clone(), variable.clone());
            }
            names.push(name);
            variables.push(variable);
        }
        Ok(Parameters { map, names, variables })
    }

    /// The variables as candle keeps them.
    pub fn map(&self) -> &VarMap {
        &self.map
    }

    /// Names and variables, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Var)> {
        self.names.iter().map(String::as_str).zip(&self.variables)
    }

    /// The variables, in the order of their names.
    pub fn variables(&self) -> &[Var] {
        &self.variables
    }

    /// Those with these numbers, which are in ascending order.
    pub fn only(&self, numbers: &[usize]) -> Result<Self> {
        Parameters::of(numbers.iter().map(|number| Ok((self.names[*number].clone(), self.variables[*number].clone()))))
    }

    /// Variables of the same names and shapes: those of `some` that it has, and zeros.
    pub fn completed(&self, some: &Parameters) -> Result<Self> {
        let complete = |(name, variable): (&str, &Var)| {
            let there = some.names.binary_search_by(|other| other.as_str().cmp(name));
            let variable = match there {
                Ok(index) => some.variables[index].clone(),
                Err(_) => Var::zeros(variable.dims(), DType::F32, &Device::Cpu)?,
            };
            Ok((name.to_string(), variable))
        };
        Parameters::of(self.iter().map(complete))
    }

    /// The variables as a model's weights, which change with them.
    pub fn weights(&self) -> std::result::Result<Weights, WeightsError> {
        let mut weights = Weights::default();
        for (name, variable) in self.iter() {
            weights.put(name, Weight::Learned(variable.as_tensor().clone()))?;
        }
        Ok(weights)
    }

    /// Variables of their own with the same numbers.
    pub fn copy(&self) -> Result<Self> {
        let tensor = |(name, variable): (&str, &Var)| (name.to_string(), variable.as_detached_tensor());
        Parameters::new(self.iter().map(tensor).collect())
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::testing::small;
    use crate::model::Gpt;

    #[test]
    fn a_model_takes_them_all_and_sees_them_change() {
        let parameters = Parameters::random(&small(), 1).unwrap();
        let mut weights = parameters.weights().unwrap();
        let gpt = Gpt::load(&small(), &mut weights).unwrap();
        assert_eq!(weights.iter().count(), 0);
        let ids = Tensor::from_slice(&[1u32, 2, 3], (1, 3), &Device::Cpu).unwrap();
        let logits = |gpt: &Gpt| gpt.forward(&ids, None).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let before = logits(&gpt);
        let (_, variable) = parameters.iter().find(|(name, _)| *name == "output_norm.weight").unwrap();
        variable.set(&variable.as_tensor().affine(2.0, 0.0).unwrap()).unwrap();
        assert_ne!(logits(&gpt), before);
    }

    #[test]
    fn the_seed_decides() {
        let numbers = |seed| {
            let parameters = Parameters::random(&small(), seed).unwrap();
            let (_, variable) = parameters.iter().find(|(name, _)| *name == "blk.0.attn_qkv.weight").unwrap();
            variable.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
    }
}
