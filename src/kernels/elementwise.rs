//! What follows a product: the bias, and the nonlinearity or the way back into the residual stream.

use super::exp::exp;
use super::lanes::{LANES, Lanes, padded};
use super::{scalar, selected};

/// What becomes of a product and its bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is the result.
    Keep,
    /// GELU by its tanh approximation (Hendrycks and Gimpel 2016).
    Gelu,
    /// GELU itself, by the error function of `libm`: one number after the other.
    ExactGelu,
    /// max(0, x).
    Relu,
}

/// 2 · √(2/π): ½ x (1 + tanh z) is x / (1 + e^(−2z)), with z = √(2/π) (x + [`CUBE`] x³).
pub const TWICE_ROOT: f32 = 1.595_769;
/// See [`TWICE_ROOT`].
pub const CUBE: f32 = 0.044715;

/// Adds `bias`, one for each column, to rows of outputs, and finishes them.
pub fn finish(rows: &mut [f32], bias: Option<&[f32]>, columns: usize, finish: Finish) {
    if selected().is_scalar {
        return scalar::finish(rows, bias, columns, finish);
    }
    if bias.is_none() && finish == Finish::Keep {
        return;
    }
    for row in rows.chunks_exact_mut(columns) {
        match finish {
            Finish::Keep => each(row, bias, |x| x),
            Finish::Gelu => each(row, bias, gelu),
            Finish::ExactGelu => each(row, bias, |x| Lanes::from(x.numbers().map(exact_gelu))),
            Finish::Relu => each(row, bias, |x| x.at_least(Lanes::splat(0.0))),
        }
    }
}

/// Adds rows and their bias to the residual stream.
pub fn add(stream: &mut [f32], rows: &[f32], bias: Option<&[f32]>, columns: usize) {
    if selected().is_scalar {
        return scalar::add(stream, rows, bias, columns);
    }
    for (stream, row) in stream.chunks_exact_mut(columns).zip(rows.chunks_exact(columns)) {
        // One number after the other, which is the same in vectors.
        match bias {
            Some(bias) => stream.iter_mut().zip(row.iter().zip(bias)).for_each(|(x, (y, bias))| *x += y + bias),
            None => stream.iter_mut().zip(row).for_each(|(x, y)| *x += y),
        }
    }
}

#[inline(always)]
fn gelu(x: Lanes) -> Lanes {
    let cubic = x.mul(x).mul(x).mul(Lanes::splat(CUBE));
    let twice = x.add(cubic).mul(Lanes::splat(-TWICE_ROOT));
    x.div(exp(twice).add(Lanes::splat(1.0)))
}

/// ½ x (1 + erf(x / √2)).
pub fn exact_gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// Replaces each number of a row, after its bias has been added.
#[inline(always)]
fn each(row: &mut [f32], bias: Option<&[f32]>, function: impl Fn(Lanes) -> Lanes) {
    let (fours, rest) = row.as_chunks_mut::<LANES>();
    let (bias, bias_rest) = bias.unwrap_or_default().as_chunks::<LANES>();
    let none = [0.0; LANES];
    for (index, four) in fours.iter_mut().enumerate() {
        let bias = Lanes::from(*bias.get(index).unwrap_or(&none));
        *four = function(Lanes::from(*four).add(bias)).numbers();
    }
    let last = function(padded(rest).add(padded(bias_rest))).numbers();
    rest.copy_from_slice(&last[..rest.len()]);
}
