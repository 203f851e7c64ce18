//! How a model rates a token, before any setting.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::kernels::softmax_sums;

/// How a model rates a token: by the softmax of its logits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Its probability, 0 to 1.
    pub probability: f64,
    /// How many tokens are likelier, and 1; of equally likely ones the lower id comes first.
    pub rank: u32,
    /// How unsure the model is of what stands here: the entropy of all probabilities, in bits.
    pub entropy_bits: f64,
}

impl Prediction {
    /// How these logits, `[vocabulary]`, rate a token; its probability is NaN if it has no logit.
    pub fn of(logits: &[f32], id: u32) -> Self {
        let (most, weights, entropy) = measures(logits);
        let own = logits.get(id as usize).copied().unwrap_or(f32::NAN);
        let (before, after) = logits.split_at((id as usize).min(logits.len()));
        let likelier =
            before.iter().filter(|logit| **logit >= own).count() + after.iter().filter(|logit| **logit > own).count();
        Prediction {
            probability: libm::exp(f64::from(own) - most) / weights,
            rank: likelier as u32 + 1,
            entropy_bits: entropy / std::f64::consts::LN_2,
        }
    }

    /// How surprising it is: −log2 of its probability.
    pub fn bits(&self) -> f64 {
        -libm::log2(self.probability)
    }
}

/// The likeliest tokens by these logits, `[vocabulary]`, with their probabilities; of equally likely ones the lower id comes
/// first.
pub fn likeliest(logits: &[f32], count: usize) -> Vec<(u32, f64)> {
    let (most, weights, _) = measures(logits);
    let mut found: Vec<(u32, f32)> = Vec::with_capacity(count + 1);
    for (id, logit) in (0..).zip(logits.iter().copied()) {
        if found.len() < count || found.last().is_some_and(|last| logit > last.1) {
            let place = found.partition_point(|other| other.1.total_cmp(&logit) != Ordering::Less);
            found.insert(place, (id, logit));
            found.truncate(count);
        }
    }
    found.into_iter().map(|(id, logit)| (id, libm::exp(f64::from(logit) - most) / weights)).collect()
}

/// The greatest logit, the sum of the weights relative to it, and the entropy in nats.
fn measures(logits: &[f32]) -> (f64, f64, f64) {
    let sums = softmax_sums(logits);
    // −Σ p ln p, of p = e^(x − most) / weights; rounding may leave it below 0.
    let entropy = (libm::log(sums.weights) - sums.weighted / sums.weights).max(0.0);
    (f64::from(sums.most), sums.weights, entropy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_is_that_of_the_softmax() {
        let logits = [0.0, 1.0, -1.0, 1.0, 0.5].map(|logit: f32| logit * 2.0);
        let weights = logits.map(|logit| libm::exp(f64::from(logit)));
        let total: f64 = weights.iter().sum();
        let entropy: f64 = -weights.iter().map(|weight| weight / total * (weight / total).log2()).sum::<f64>();
        for (id, rank) in [(0, 4), (1, 1), (2, 5), (3, 2), (4, 3)] {
            let found = Prediction::of(&logits, id);
            assert!((found.probability - weights[id as usize] / total).abs() < 1e-6, "{id}: {found:?}");
            assert!((found.entropy_bits - entropy).abs() < 1e-6, "{found:?} instead of {entropy}");
            assert_eq!(found.rank, rank, "{id}");
            assert!((found.bits() + (weights[id as usize] / total).log2()).abs() < 1e-6);
        }
        let ids: Vec<u32> = likeliest(&logits, 3).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids, [1, 3, 4]);
        assert_eq!(likeliest(&logits, 10).len(), 5);
        let sure = Prediction::of(&[0.0, 500.0], 1);
        assert_eq!((sure.probability, sure.rank), (1.0, 1));
        assert!(sure.entropy_bits < 1e-30);
    }
}
