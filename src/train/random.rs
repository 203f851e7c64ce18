//! The random numbers of a run: each is a function of the seed and of what it is for, so that they do not depend on the order
//! in which they are drawn.

use crate::sampler::random::Pcg32;

/// What random numbers are for. Each has a sequence of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The weights before the first step, of the tensor of this number.
    Weights(usize),
    /// The order of an epoch's windows.
    Windows(u64),
    /// Characters that a model learns later, in its tensor of this number.
    Characters(usize),
}

/// The sequence for a purpose.
pub(crate) fn sequence(seed: u64, purpose: Purpose) -> Pcg32 {
    let (kind, number) = match purpose {
        Purpose::Weights(tensor) => (1, tensor as u64),
        Purpose::Windows(epoch) => (2, epoch),
        Purpose::Characters(tensor) => (3, tensor as u64),
    };
    Pcg32::new(seed, kind << 48 | number)
}

/// Pairs of numbers of a normal distribution with mean 0 and deviation 1, by Box and Muller (1958).
pub(crate) fn normals(mut random: Pcg32) -> impl FnMut() -> f32 {
    let mut second = None;
    move || {
        if let Some(number) = second.take() {
            return number;
        }
        // From above 0 to 1, so that its logarithm is finite.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - random.next_fraction()));
        let angle = std::f64::consts::TAU * random.next_fraction();
        second = Some((radius * libm::sin(angle)) as f32);
        (radius * libm::cos(angle)) as f32
    }
}

/// A number that looks random, for the element of this index: a bijection of 32 bits (Wellons' `lowbias32`, 2018).
#[inline(always)]
pub(crate) fn hash(key: u32, index: u32) -> u32 {
    let mut x = key ^ index;
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_mean_0_and_deviation_1() {
        let mut normal = normals(sequence(1, Purpose::Weights(0)));
        let numbers: Vec<f64> = (0..40_000).map(|_| f64::from(normal())).collect();
        let mean = numbers.iter().sum::<f64>() / 40_000.0;
        let moment = |power| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / 40_000.0;
        assert!(mean.abs() < 0.02 && (moment(2) - 1.0).abs() < 0.03 && (moment(4) - 3.0).abs() < 0.2);
    }

    #[test]
    fn purposes_and_seeds_have_numbers_of_their_own() {
        let first = |seed, purpose| sequence(seed, purpose).next_u32();
        let all = [
            first(1, Purpose::Weights(0)),
            first(1, Purpose::Weights(1)),
            first(1, Purpose::Windows(0)),
            first(1, Purpose::Windows(1)),
            first(2, Purpose::Weights(0)),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }
}
