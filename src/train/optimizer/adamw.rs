//! AdamW (Loshchilov and Hutter 2019), as PyTorch computes it.

use serde::{Deserialize, Serialize};

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    /// The learning rate.
    pub learning_rate: f32,
    /// How slowly the means follow the gradient and its square.
    pub betas: [f32; 2],
    /// Added to the square's root.
    pub epsilon: f32,
    /// The share of a weight that is taken away in each step, times the learning rate.
    pub weight_decay: f32,
}

impl AdamW {
    /// Updates weights by their gradient; `step` counts from 1.
    pub(super) fn update(
        &self,
        weights: &mut [f32],
        gradient: &[f32],
        (mean, square): (&mut [f32], &mut [f32]),
        step: u64,
        rate: f32,
    ) {
        let [beta, square_beta] = self.betas;
        let learning_rate = self.learning_rate * rate;
        let correction = |beta: f32| 1.0 - libm::pow(f64::from(beta), step as f64);
        let size = (f64::from(learning_rate) / correction(beta)) as f32;
        let root = libm::sqrt(correction(square_beta)) as f32;
        let kept = 1.0 - learning_rate * self.weight_decay;
        let means = mean.iter_mut().zip(square);
        for ((weight, gradient), (mean, square)) in weights.iter_mut().zip(gradient).zip(means) {
            *mean += (1.0 - beta) * (gradient - *mean);
            *square = square_beta * *square + (1.0 - square_beta) * gradient * gradient;
            *weight = *weight * kept - size * *mean / (square.sqrt() / root + self.epsilon);
        }
    }
}
