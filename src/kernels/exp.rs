//! The exponential function. It uses additions, multiplications and a shift in one fixed order, so that every machine
//! gives the same bits.
//!
//! After Cephes' `expf` (Moshier 1992): x = n · ln 2 + r, a polynomial for e^r, and n added to the exponent. `libm`'s
//! `exp` also gives the same bits in every build, but takes one number at a time; a token of GPT-2's needs 37,000.

use super::lanes::{Lanes, ROUNDING};

/// With a smaller or larger exponent the result would not be a normal number.
pub const LEAST: f32 = -87.0;
/// See [`LEAST`].
pub const MOST: f32 = 88.0;
/// ln 2 as the sum of two numbers. The first has so few bits that its multiples are exact.
pub const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// Coefficients of P, highest power first, in e^r = 1 + r + r² · P(r).
pub const POLYNOMIAL: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];

/// e^x of four numbers. Each x is first limited to the range from [`LEAST`] to [`MOST`].
#[inline(always)]
pub fn exp(x: Lanes) -> Lanes {
    let x = x.at_least(Lanes::splat(LEAST)).at_most(Lanes::splat(MOST));
    let shifted = x.mul(Lanes::splat(std::f32::consts::LOG2_E)).add(Lanes::splat(ROUNDING));
    let n = shifted.sub(Lanes::splat(ROUNDING));
    let r = x.sub(n.mul(Lanes::splat(LN_2[0]))).sub(n.mul(Lanes::splat(LN_2[1])));
    let mut y = Lanes::splat(POLYNOMIAL[0]);
    for coefficient in &POLYNOMIAL[1..] {
        y = y.mul(r).add(Lanes::splat(*coefficient));
    }
    y.mul(r.mul(r)).add(r).add(Lanes::splat(1.0)).scale(shifted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_within_two_units_of_the_exact_one() {
        let mut most = 0.0f64;
        for step in -870_000..880_000 {
            let x = step as f32 * 1e-4;
            let [found, ..] = exp(Lanes::splat(x)).numbers();
            let exact = libm::exp(f64::from(x));
            most = most.max((f64::from(found) - exact).abs() / exact);
        }
        assert!(most < 2.0 * f64::from(f32::EPSILON), "{most}");
        assert!(most > 0.0, "it is rounded");
    }

    #[test]
    fn beyond_its_range_it_stays_at_the_end_and_nan_stays_nan() {
        let [below, least, above, most] = exp(Lanes::from([-1e30, LEAST, f32::INFINITY, MOST])).numbers();
        assert_eq!((below, above), (least, most));
        assert!(least > 0.0 && most < f32::INFINITY);
        assert!(exp(Lanes::splat(f32::NAN)).numbers()[0].is_nan());
        assert_eq!(exp(Lanes::splat(0.0)).numbers()[0], 1.0);
    }
}
