//! Makes random weights for any shape: for benchmarks, and for tests of shapes whose real weights are not available.

use std::ops::Range;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::f16;

use super::precision::Precision;
use super::{CheckpointError, layout};
use crate::kernels::{BLOCK, Q8Matrix, ROW_BLOCK};
use crate::model::{Config, Share, Weight, Weights};
use crate::sampler::random::Pcg32;

/// Standard deviation of every weight, as in GPT-2's initialisation. Norms have mean 1, all other weights mean 0.
const DEVIATION: f32 = 0.02;
/// Standard deviation of [`step`].
const STEPS: f32 = 37.0;

/// Random weights of this shape: matrices in [`Precision::Q8_0`], the rest in `F32`.
///
/// The same seed gives the same bytes on every machine. Blocks are filled in the form in which they are stored: the
/// float32 weights of a model of GPT-2's size would take half a gigabyte.
pub fn weights(config: &Config, seed: u64) -> Result<Weights, CheckpointError> {
    let mut random = Pcg32::new(seed, 54);
    let mut weights = Weights::default();
    for (name, shape) in layout::tensors(config) {
        match (Precision::Q8_0.dtype(&name, &shape), shape.as_slice()) {
            (GgmlDType::Q8_0, &[outputs, inputs]) => {
                let fill = |steps: &mut [u8]| steps.fill_with(|| step(&mut random) as u8);
                weights.put(&name, Weight::Q8(filled(&name, outputs, inputs, fill)?))?;
            }
            (dtype, _) => weights.insert(&name, floats(&name, &shape, dtype, &mut random)?)?,
        }
    }
    Ok(weights)
}

/// Weights of this shape that are all alike: to measure how long a member's share takes, since time does not depend on them.
pub fn uniform(config: &Config, share: Share) -> Result<Weights, CheckpointError> {
    let mut weights = Weights::default();
    for (name, mut shape) in layout::tensors(config) {
        let rows = share.rows(config, &name, shape[0]).iter().map(Range::len).sum();
        shape[0] = rows;
        match (Precision::Q8_0.dtype(&name, &shape), shape.as_slice()) {
            (GgmlDType::Q8_0, &[outputs, inputs]) => {
                weights.put(&name, Weight::Q8(filled(&name, outputs, inputs, |steps| steps.fill(1))?))?;
            }
            (dtype, _) => {
                let numbers = Tensor::full(DEVIATION, shape, &Device::Cpu);
                let tensor = numbers.and_then(|numbers| QTensor::quantize(&numbers, dtype));
                weights.insert(&name, tensor.map_err(|source| CheckpointError::tensor(&name, source))?)?;
            }
        }
    }
    Ok(weights)
}

/// An integer from −127 to 127 with an almost normal distribution around 0: the sum of four random bytes.
fn step(random: &mut Pcg32) -> i8 {
    let sum: i32 = random.next_u32().to_le_bytes().map(i32::from).iter().sum();
    ((sum - 510) / 4) as i8
}

/// A matrix whose blocks `fill` fills.
fn filled(
    name: &str,
    outputs: usize,
    inputs: usize,
    mut fill: impl FnMut(&mut [u8]),
) -> Result<Q8Matrix, CheckpointError> {
    let scale = f16::from_f32(DEVIATION / STEPS).to_le_bytes();
    let bytes = outputs as u64 * inputs as u64;
    let memory = || CheckpointError::Memory { name: name.to_string(), bytes };
    let mut matrix = Q8Matrix::zeros(outputs, inputs).ok_or_else(memory)?;
    let mut rows = vec![0; ROW_BLOCK * matrix.stored_length()];
    for first_row in (0..outputs).step_by(ROW_BLOCK) {
        rows.truncate((outputs - first_row) * matrix.stored_length());
        for block in rows.chunks_exact_mut(scale.len() + BLOCK) {
            let (head, steps) = block.split_at_mut(scale.len());
            head.copy_from_slice(&scale);
            fill(steps);
        }
        matrix.put_rows(first_row, &rows);
    }
    Ok(matrix)
}

fn floats(name: &str, shape: &[usize], dtype: GgmlDType, random: &mut Pcg32) -> Result<QTensor, CheckpointError> {
    let mean = if name.ends_with("_norm.weight") { 1.0 } else { 0.0 };
    let count = shape.iter().product();
    let numbers: Vec<f32> = (0..count).map(|_| mean + DEVIATION / STEPS * f32::from(step(random))).collect();
    let tensor = Tensor::from_vec(numbers, shape, &Device::Cpu).and_then(|tensor| QTensor::quantize(&tensor, dtype));
    tensor.map_err(|source| CheckpointError::tensor(name, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::testing::small;
    use crate::model::Gpt;

    fn numbers(weights: &Weights, name: &str) -> Vec<f32> {
        let tensor = weights.get(name).unwrap().dequantize(&Device::Cpu).unwrap();
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn weights_are_spread_as_gpt2s_are_before_training() {
        let weights = weights(&small(), 1).unwrap();
        for (name, mean) in [("token_embd.weight", 0.0), ("blk.1.ffn_up.weight", 0.0), ("blk.0.attn_norm.weight", 1.0)]
        {
            let numbers = numbers(&weights, name);
            let count = numbers.len() as f32;
            let found = numbers.iter().sum::<f32>() / count;
            let deviation = (numbers.iter().map(|number| (number - mean).powi(2)).sum::<f32>() / count).sqrt();
            // Six standard errors of the mean, and of the deviation.
            assert!((found - mean).abs() < 6.0 * DEVIATION / count.sqrt(), "{name}: {found}");
            assert!((deviation - DEVIATION).abs() < 6.0 * DEVIATION / (2.0 * count).sqrt(), "{name}: {deviation}");
        }
    }

    #[test]
    fn the_seed_decides() {
        let first = |seed| numbers(&weights(&small(), seed).unwrap(), "blk.0.attn_qkv.weight");
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }

    #[test]
    fn a_model_takes_them_all() {
        let mut weights = weights(&small(), 1).unwrap();
        Gpt::load(&small(), &mut weights).unwrap();
        assert_eq!(weights.iter().count(), 0);
    }
}
