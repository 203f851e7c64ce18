//! The steps after a matrix product: the bias and the activation function.

use super::activation::{Activation, CUBE, TWICE_ROOT, gelu};
use super::exp::exp;
use super::lanes::{LANES, Lanes, padded};
use super::{scalar, selected};

/// Adds `bias`, one number for each column, to rows of `columns` numbers, and applies the activation function.
pub fn add_bias(rows: &mut [f32], bias: Option<&[f32]>, columns: usize, activation: Option<Activation>) {
    if selected().is_scalar {
        return scalar::add_bias(rows, bias, columns, activation);
    }
    if bias.is_none() && activation.is_none() {
        return;
    }
    for row in rows.chunks_exact_mut(columns) {
        match activation {
            None => each(row, bias, |x| x),
            Some(Activation::GeluNew) => each(row, bias, gelu_new),
            Some(Activation::Gelu) => each(row, bias, |x| Lanes::from(x.numbers().map(gelu))),
            Some(Activation::Relu) => each(row, bias, |x| x.at_least(Lanes::splat(0.0))),
        }
    }
}

#[inline(always)]
fn gelu_new(x: Lanes) -> Lanes {
    let cubic = x.mul(x).mul(x).mul(Lanes::splat(CUBE));
    let twice = x.add(cubic).mul(Lanes::splat(-TWICE_ROOT));
    x.div(exp(twice).add(Lanes::splat(1.0)))
}

/// Applies a function to each number of a row, after its bias was added.
#[inline(never)]
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
