//! A run as a recipe: everything that its weights depend on.

use serde::{Deserialize, Serialize};

use super::Settings;
use super::optimizer::Optimizers;
use crate::checkpoint::precision::Precision;
use crate::kernels::product;

/// The most points of the curve at even distances.
pub const MOST_POINTS: u64 = 40;
/// Windows of what is held out that a point is measured on at most.
const WINDOWS: usize = 64;
/// The share of the learned tokens that points read at most: reading takes a third of what learning takes, so that all
/// points together take 3 % of the time.
const READ: f64 = 0.09;

/// Everything that the weights of a run depend on, beside the model's shape and first weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Of the text's bytes, in hexadecimal digits.
    pub text_sha256: String,
    /// The share of the text that is held out, at its end.
    pub held_out: f64,
    /// Steps from the first to the last.
    pub steps: u64,
    /// How the learning rates change over the steps.
    pub schedule: Schedule,
    /// How gradients are computed.
    pub settings: Settings,
    /// How weights follow them.
    pub optimizers: Optimizers,
    /// Whether a multiply-add rounds once, as it does natively.
    pub is_fused: bool,
    /// The sha256 of the model that is fine-tuned, if it is one.
    pub from_sha256: Option<String>,
    /// How matrices are kept in the model's file.
    pub precision: Precision,
}

impl Recipe {
    /// Whether this machine computes what the recipe says.
    pub fn fits_the_machine(&self) -> bool {
        self.is_fused == (product::selected().is_fused)()
    }

    /// Whether the curve has a point behind this step: at even distances, and behind the first few steps too.
    pub fn has_point(&self, step: u64) -> bool {
        let distance = self.steps.div_ceil(MOST_POINTS).max(1);
        step == self.steps || step.is_multiple_of(distance) || step < distance && step.is_power_of_two()
    }

    /// Windows of what is held out that each point is measured on.
    pub fn windows(&self) -> usize {
        let learned = (self.steps * self.settings.batch as u64) as f64;
        ((READ * learned / self.steps.clamp(1, MOST_POINTS) as f64) as usize).clamp(1, WINDOWS)
    }
}

/// How the learning rates change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Steps in which they rise from 0.
    pub warm_up: u64,
    /// The share of the steps after which they begin to fall, to `last` at the end.
    pub flat: f32,
    /// What is left of them at the end.
    pub last: f32,
}

impl Schedule {
    /// What the learning rates are multiplied with in a step, counted from 0.
    pub fn rate(&self, step: u64, steps: u64) -> f32 {
        let warm = ((step + 1) as f32 / self.warm_up.max(1) as f32).min(1.0);
        let share = step as f32 / steps.max(1) as f32;
        let falls = (1.0 - share) / (1.0 - self.flat).max(f32::EPSILON);
        warm * (self.last + (1.0 - self.last) * falls.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rates_rise_stay_and_fall() {
        let schedule = Schedule { warm_up: 10, flat: 0.35, last: 0.0 };
        let rates: Vec<f32> = (0..100).map(|step| schedule.rate(step, 100)).collect();
        assert_eq!(rates[0], 0.1);
        assert!(rates[9..=35].iter().all(|rate| *rate == 1.0), "{rates:?}");
        assert!(rates[36..].windows(2).all(|pair| pair[1] < pair[0]) && rates[99] < 0.02);
        assert_eq!(Schedule { last: 0.1, ..schedule }.rate(100, 100), 0.1);
    }
}
