//! The gradients of what the kernels compute beside matrix products, for learning.

use super::activation::{Activation, CUBE, TWICE_ROOT, gelu_slope};
use super::exp::exp;
use super::lanes::{LANES, Lanes, padded};
use super::layer_norm::moments;

/// Adds rows to a row, in order.
pub fn add_rows(rows: &[f32], sum: &mut [f32]) {
    for row in rows.chunks_exact(sum.len()) {
        add(row, sum);
    }
}

#[inline(never)]
fn add(row: &[f32], sum: &mut [f32]) {
    sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
}

/// Multiplies gradients of an activation function's results by its slopes at `x`, which gives those of `x`.
pub fn multiply_slopes(gradient: &mut [f32], x: &[f32], activation: Activation) {
    match activation {
        Activation::GeluNew => each(gradient, x, gelu_new_slope),
        Activation::Gelu => each(gradient, x, |x| Lanes::from(x.numbers().map(gelu_slope))),
        Activation::Relu => {
            each(gradient, x, |x| Lanes::from(x.numbers().map(|x| if x > 0.0 { 1.0 } else { 0.0 })));
        }
    }
}

/// With z = √(2/π) (x + [`CUBE`] x³) and s = 1 / (1 + e^(−2z)), the activation is x s, and its slope s + x s (1 − s) 2z′.
#[inline(always)]
fn gelu_new_slope(x: Lanes) -> Lanes {
    let (one, square) = (Lanes::splat(1.0), x.mul(x));
    let twice = x.add(square.mul(x).mul(Lanes::splat(CUBE))).mul(Lanes::splat(-TWICE_ROOT));
    let share = one.div(exp(twice).add(one));
    let slope = one.add(square.mul(Lanes::splat(3.0 * CUBE))).mul(Lanes::splat(TWICE_ROOT));
    share.add(x.mul(share).mul(one.sub(share)).mul(slope))
}

#[inline(always)]
fn each(gradient: &mut [f32], x: &[f32], slope: impl Fn(Lanes) -> Lanes) {
    let (fours, rest) = gradient.as_chunks_mut::<LANES>();
    let (x, x_rest) = x.as_chunks::<LANES>();
    for (gradient, x) in fours.iter_mut().zip(x) {
        *gradient = Lanes::from(*gradient).mul(slope(Lanes::from(*x))).numbers();
    }
    let last = padded(rest).mul(slope(padded(x_rest))).numbers();
    rest.copy_from_slice(&last[..rest.len()]);
}

/// Adds the gradients of a layer norm's weight and bias, and writes those of its rows.
pub fn layer_norm_gradient(
    rows: &[f32],
    weight: &[f32],
    epsilon: f32,
    gradient: &[f32],
    of_rows: &mut [f32],
    (of_weight, of_bias): (&mut [f32], &mut [f32]),
) {
    let n_embd = weight.len();
    let rows = rows.chunks_exact(n_embd).zip(gradient.chunks_exact(n_embd)).zip(of_rows.chunks_exact_mut(n_embd));
    for ((row, gradient), of_row) in rows {
        let moments = moments(row, epsilon);
        add(gradient, of_bias);
        norm_gradient(row, moments, weight, gradient, of_row, of_weight);
    }
}

/// The same for one row without the bias: with normed = (x − mean) · factor and g = gradient · weight, the row's gradient is
/// factor · (g − mean(g) − normed · mean(g · normed)).
#[inline(never)]
fn norm_gradient(
    row: &[f32],
    (mean, factor): (f32, f32),
    weight: &[f32],
    gradient: &[f32],
    of_row: &mut [f32],
    of_weight: &mut [f32],
) {
    let (mut sum, mut product) = (Lanes::splat(0.0), Lanes::splat(0.0));
    let (means, factors) = (Lanes::splat(mean), Lanes::splat(factor));
    let normed = |x: Lanes| x.sub(means).mul(factors);
    let (fours, rest) = row.as_chunks::<LANES>();
    let (weights, weights_rest) = weight.as_chunks::<LANES>();
    let (gradients, gradients_rest) = gradient.as_chunks::<LANES>();
    let (of_weights, of_weights_rest) = of_weight.as_chunks_mut::<LANES>();
    for (((x, weight), gradient), of_weight) in fours.iter().zip(weights).zip(gradients).zip(of_weights) {
        let (normed, gradient) = (normed(Lanes::from(*x)), Lanes::from(*gradient));
        let weighted = gradient.mul(Lanes::from(*weight));
        *of_weight = Lanes::from(*of_weight).add(gradient.mul(normed)).numbers();
        sum = sum.add(weighted);
        product = product.add(weighted.mul(normed));
    }
    let last = (normed(padded(rest)), padded(gradients_rest));
    let weighted = last.1.mul(padded(weights_rest));
    let of_last = last.1.mul(last.0).numbers();
    of_weights_rest.iter_mut().zip(of_last).for_each(|(sum, x)| *sum += x);
    let count = row.len() as f32;
    let of_mean = Lanes::splat(sum.add(weighted).sum() / count);
    let of_factor = Lanes::splat(product.add(weighted.mul(last.0)).sum() / count);
    let slope = |weighted: Lanes, normed: Lanes| weighted.sub(of_mean).sub(normed.mul(of_factor)).mul(factors);
    let (of_fours, of_rest) = of_row.as_chunks_mut::<LANES>();
    for (((of_four, x), weight), gradient) in of_fours.iter_mut().zip(fours).zip(weights).zip(gradients) {
        *of_four = slope(Lanes::from(*gradient).mul(Lanes::from(*weight)), normed(Lanes::from(*x))).numbers();
    }
    let last = slope(weighted, last.0).numbers();
    of_rest.copy_from_slice(&last[..of_rest.len()]);
}

/// Replaces logits by the gradient of −ln softmax(logits)\[id\], times `scale`.
pub fn cross_entropy_gradient(logits: &mut [f32], id: u32, scale: f32) {
    let most = Lanes::splat(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let (fours, rest) = logits.as_chunks_mut::<LANES>();
    let mut sum = Lanes::splat(0.0);
    for four in fours.iter_mut() {
        let weights = exp(Lanes::from(*four).sub(most));
        *four = weights.numbers();
        sum = sum.add(weights);
    }
    let mut last = exp(padded(rest).sub(most)).numbers();
    last[rest.len()..].fill(0.0);
    rest.copy_from_slice(&last[..rest.len()]);
    let factor = scale / sum.add(Lanes::from(last)).sum();
    logits.iter_mut().for_each(|weight| *weight *= factor);
    logits[id as usize] -= scale;
}
