//! The sums that a softmax over many numbers takes.

use super::exp::{LEAST, exp};
use super::lanes::{LANES, Lanes, padded};

/// Numbers that are added up in float32 before they go into a sum in f64.
const GROUP: usize = 64 * LANES;

/// The sums of a softmax over `x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftmaxSums {
    /// The greatest x.
    pub most: f32,
    /// Σ e^(x − most).
    pub weights: f64,
    /// Σ (x − most) · e^(x − most).
    pub weighted: f64,
}

/// The sums over these numbers; those so small that they add nothing count as e^−87.
pub fn softmax_sums(x: &[f32]) -> SoftmaxSums {
    let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut weights, mut weighted) = (0.0, 0.0);
    let add = |sums: (Lanes, Lanes), x: Lanes| {
        let x = x.sub(Lanes::splat(most)).at_least(Lanes::splat(LEAST));
        let weight = exp(x);
        (sums.0.add(weight), sums.1.add(x.mul(weight)))
    };
    for group in x.chunks(GROUP) {
        let (fours, rest) = group.as_chunks::<LANES>();
        let mut sums = (Lanes::splat(0.0), Lanes::splat(0.0));
        for four in fours {
            sums = add(sums, Lanes::from(*four));
        }
        weights += f64::from(sums.0.sum());
        weighted += f64::from(sums.1.sum());
        if !rest.is_empty() {
            let zero = Lanes::splat(0.0);
            let (last, last_weighted) = add((zero, zero), padded(rest));
            let whole = |lanes: Lanes| lanes.numbers()[..rest.len()].iter().map(|x| f64::from(*x)).sum::<f64>();
            weights += whole(last);
            weighted += whole(last_weighted);
        }
    }
    SoftmaxSums { most, weights, weighted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_the_exact_ones_to_a_millionth() {
        for count in [1, 3, 4, 5, 255, 256, 257, 1000, 50_257] {
            let x: Vec<f32> = (0..count).map(|index| ((index * 7919) % 1009) as f32 * 0.02 - 10.0).collect();
            let found = softmax_sums(&x);
            let most = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exact = |x: &f32| {
                let x = f64::from(x - most);
                (libm::exp(x), x * libm::exp(x))
            };
            let (weights, weighted) = x.iter().map(exact).fold((0.0, 0.0), |sum, x| (sum.0 + x.0, sum.1 + x.1));
            assert_eq!(found.most, most);
            assert!((found.weights / weights - 1.0).abs() < 1e-6, "{count}: {found:?}, {weights}");
            assert!((found.weighted - weighted).abs() <= 1e-6 * weighted.abs(), "{count}: {found:?}, {weighted}");
        }
    }
}
