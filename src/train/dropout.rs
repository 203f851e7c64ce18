//! Dropout (Srivastava et al. 2014), as an observer of the forward pass that replaces what it sees.

use candle_core::{CpuStorage, CustomOp1, Device, Error, Layout, Result, Shape, Tensor};

use super::random::hash;
use crate::kernels::ops::{apply1, with_numbers};
use crate::model::{Hook, Observer};

/// Drops elements of what attention and MLP add to the residual stream, and half as many of the embeddings and of the MLP's
/// hidden layer. Which ones depends on the seed, the step, the place in the model and in the batch alone.
#[derive(Debug)]
pub(super) struct Dropout {
    /// The share of what is added that becomes 0; the rest is divided by what is left.
    pub share: f32,
    /// Of the seed and the step.
    pub key: u32,
    /// The number of the leaf's first window in its batch.
    pub window: usize,
    /// The first failure.
    pub failed: Option<Error>,
}

impl Dropout {
    /// The key of a step.
    pub fn key(seed: u64, step: u64) -> u32 {
        [seed as u32, (seed >> 32) as u32, step as u32].into_iter().fold(0, hash)
    }
}

impl Observer for Dropout {
    fn wants(&self, hook: Hook) -> bool {
        matches!(hook, Hook::Embedding | Hook::AttentionOutput(_) | Hook::MlpHidden(_) | Hook::MlpOutput(_))
    }

    fn see(&mut self, hook: Hook, value: &Tensor) -> Option<Tensor> {
        let (place, share) = match hook {
            Hook::AttentionOutput(block) => (3 * block + 1, self.share),
            Hook::MlpHidden(block) => (3 * block + 2, self.share / 2.0),
            Hook::MlpOutput(block) => (3 * block + 3, self.share),
            _ => (0, self.share / 2.0),
        };
        let first = self.window * value.dims().iter().skip(1).product::<usize>();
        let dropped = apply1(value, DropOp { share, key: hash(self.key, place as u32), first: first as u32 });
        dropped.map_err(|error| self.failed.get_or_insert(error)).ok()
    }
}

struct DropOp {
    share: f32,
    key: u32,
    /// The index of the first element in its batch.
    first: u32,
}

impl DropOp {
    fn apply(&self, numbers: &mut [f32]) {
        let (bound, factor) = ((f64::from(self.share) * 4_294_967_296.0) as u32, 1.0 / (1.0 - self.share));
        for (number, index) in numbers.iter_mut().zip(self.first..) {
            *number *= if hash(self.key, index) < bound { 0.0 } else { factor };
        }
    }
}

impl CustomOp1 for DropOp {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (start, end) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op: "dropout" })?;
        let mut out = x.as_slice::<f32>()?[start..end].to_vec();
        self.apply(&mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let mut out = with_numbers(&gradient.contiguous()?, <[f32]>::to_vec)?;
        self.apply(&mut out);
        Ok(Some(Tensor::from_vec(out, x.shape(), &Device::Cpu)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_dropped_wherever_a_leaf_begins() {
        let numbers = |first, count| {
            let mut numbers = vec![1.0; count];
            DropOp { share: 0.2, key: 7, first }.apply(&mut numbers);
            numbers
        };
        let all = numbers(0, 100_000);
        let dropped = all.iter().filter(|number| **number == 0.0).count();
        assert!((19_500..20_500).contains(&dropped), "{dropped}");
        assert!(all.iter().all(|number| *number == 0.0 || *number == 1.25));
        assert_eq!(all[1000..2000], numbers(1000, 1000));
        assert_ne!(Dropout::key(1, 1), Dropout::key(1, 2));
    }
}
