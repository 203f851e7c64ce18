//! Cross-entropy: how far the logits are from what followed.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};

use super::tape::apply1;
use super::{expect, numbers, result, with_numbers};
use crate::kernels::gradients::cross_entropy_gradient;

/// `logits`, `[…, vocabulary]`, and the id that followed each row → the sum of −ln softmax(logits)[id] divided by `count`, a
/// number without dimensions. With the rows of a batch as `count`, the losses of its parts add up to its mean.
pub fn cross_entropy(logits: &Tensor, targets: &[u32], count: usize) -> Result<Tensor> {
    apply1(logits, CrossEntropy { targets: targets.to_vec(), count })
}

/// −ln softmax(logits)\[id\], in f64.
pub fn nats(logits: &[f32], id: u32) -> f64 {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| libm::exp(f64::from(logit - most))).sum();
    let logit = logits.get(id as usize).copied().unwrap_or(f32::NAN);
    libm::log(sum) - f64::from(logit - most)
}

struct CrossEntropy {
    targets: Vec<u32>,
    count: usize,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let vocabulary = layout.dims().last().copied().unwrap_or(0);
        let logits = numbers::<f32>(logits, layout)?;
        expect(self.name(), "rows", logits.len() / vocabulary.max(1), self.targets.len())?;
        let rows = logits.chunks_exact(vocabulary).zip(&self.targets);
        let sum: f64 = rows.map(|(row, id)| nats(row, *id)).sum();
        result(vec![(sum / self.count as f64) as f32], ())
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let vocabulary = logits.dims().last().copied().unwrap_or(0);
        let scale = gradient.to_scalar::<f32>()? / self.count as f32;
        let mut out = with_numbers(logits, <[f32]>::to_vec)?;
        for (row, id) in out.chunks_exact_mut(vocabulary).zip(&self.targets) {
            cross_entropy_gradient(row, *id, scale);
        }
        Ok(Some(Tensor::from_vec(out, logits.shape(), &Device::Cpu)?))
    }
}
