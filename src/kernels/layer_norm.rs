//! Layer norm (Ba et al. 2016).

use super::lanes::{LANES, Lanes, padded};
use super::{scalar, selected};

/// Writes `(x − mean) / √(variance + epsilon) · weight + bias` for each row `x`. A row is as long as `weight`.
pub fn layer_norm(rows: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, out: &mut [f32]) {
    if selected().is_scalar {
        return scalar::layer_norm(rows, weight, bias, epsilon, out);
    }
    let n_embd = weight.len();
    for (row, out) in rows.chunks_exact(n_embd).zip(out.chunks_exact_mut(n_embd)) {
        let (mean, factor) = moments(row, epsilon);
        let (mean, factor) = (Lanes::splat(mean), Lanes::splat(factor));
        let normed = |x: Lanes, weight: Lanes, bias: Lanes| x.sub(mean).mul(factor).mul(weight).add(bias);
        let (row, row_rest) = row.as_chunks::<LANES>();
        let (weight, weight_rest) = weight.as_chunks::<LANES>();
        let (bias, bias_rest) = bias.as_chunks::<LANES>();
        let (out, out_rest) = out.as_chunks_mut::<LANES>();
        for (out, (x, (weight, bias))) in out.iter_mut().zip(row.iter().zip(weight.iter().zip(bias))) {
            *out = normed(Lanes::from(*x), Lanes::from(*weight), Lanes::from(*bias)).numbers();
        }
        let last = normed(padded(row_rest), padded(weight_rest), padded(bias_rest)).numbers();
        out_rest.copy_from_slice(&last[..out_rest.len()]);
    }
}

/// A row's mean, and the reciprocal of its standard deviation.
pub(super) fn moments(row: &[f32], epsilon: f32) -> (f32, f32) {
    let (fours, rest) = row.as_chunks::<LANES>();
    let mut sum = Lanes::splat(0.0);
    for four in fours {
        sum = sum.add(Lanes::from(*four));
    }
    let mean = sum.add(padded(rest)).sum() / row.len() as f32;
    let mut squares = Lanes::splat(0.0);
    for four in fours {
        let difference = Lanes::from(*four).sub(Lanes::splat(mean));
        squares = squares.add(difference.mul(difference));
    }
    let mut differences = [0.0; LANES];
    for (difference, x) in differences.iter_mut().zip(rest) {
        *difference = x - mean;
    }
    let difference = Lanes::from(differences);
    let variance = squares.add(difference.mul(difference)).sum() / row.len() as f32;
    (mean, 1.0 / (variance + epsilon).sqrt())
}
