//! The sampler's random numbers: PCG32 (XSH-RR, 64 bits of state).
//!
//! Follows `pcg32_random_r` and `pcg32_srandom_r` of pcg-random.org's `pcg_basic.c` (M. E. O'Neill, "PCG: A Family of
//! Simple Fast Space-Efficient Statistically Good Algorithms for Random Number Generation", 2014). Integers only, so
//! the numbers are the same on every machine.

const MULTIPLIER: u64 = 6364136223846793005;

/// One sequence of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Pcg32 {
    state: u64,
    /// An odd number that selects the sequence.
    increment: u64,
}

impl Pcg32 {
    /// The sequence `stream`, started with `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Pcg32 { state: 0, increment: (stream << 1) | 1 };
        random.next_u32();
        random.state = random.state.wrapping_add(seed);
        random.next_u32();
        random
    }

    /// The state of the sequence.
    pub(crate) fn state(&self) -> u64 {
        self.state
    }

    /// Continues from an earlier state of the same sequence.
    pub(crate) fn set_state(&mut self, state: u64) {
        self.state = state;
    }

    /// The next number; all 2³² are equally likely.
    pub(crate) fn next_u32(&mut self) -> u32 {
        let state = self.state;
        self.state = state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
        let shifted = (((state >> 18) ^ state) >> 27) as u32;
        shifted.rotate_right((state >> 59) as u32)
    }

    /// The next number as a fraction, from 0 to below 1.
    pub(crate) fn next_fraction(&mut self) -> f64 {
        f64::from(self.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
impl Pcg32 {
    /// A number below `bound`, for tests: the bias of the remainder does not matter there.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        self.next_u32() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_published_ones() {
        // `pcg32-demo.c`, round 1: seeded with 42 and 54.
        let published = [0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e];
        let mut random = Pcg32::new(42, 54);
        assert_eq!(published.map(|_| random.next_u32()), published);
    }

    #[test]
    fn neighbouring_seeds_begin_apart() {
        // The first fractions of the seeds 0, 1, 2, …: they must be spread evenly, and not correlate with the one
        // before.
        let first: Vec<f64> = (0..10_000).map(|seed| Pcg32::new(seed, 54).next_fraction() - 0.5).collect();
        let mean = first.iter().sum::<f64>() / 10_000.0;
        let correlation = first.windows(2).map(|pair| pair[0] * pair[1] * 12.0).sum::<f64>() / 9_999.0;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!(correlation.abs() < 0.04, "{correlation}");
    }
}
