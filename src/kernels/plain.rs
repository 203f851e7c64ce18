//! Products with a float32 matrix, for rows that are no multiple of `Q8_0`'s blocks, and for models that are not
//! quantised.

use super::lanes::{LANES, Lanes, padded};
use super::{scalar, selected};

/// `[tokens, inputs]` · `weights`ᵀ → `[tokens, outputs]`; `weights` are `[outputs, inputs]`.
pub fn multiply_f32(weights: &[f32], inputs: usize, x: &[f32], out: &mut [f32]) {
    if selected().is_scalar {
        return scalar::multiply_f32(weights, inputs, x, out);
    }
    let outputs = weights.len() / inputs;
    for (column, weights) in weights.chunks_exact(inputs).enumerate() {
        for (x, out) in x.chunks_exact(inputs).zip(out.chunks_exact_mut(outputs)) {
            out[column] = dot(weights, x);
        }
    }
}

fn dot(weights: &[f32], x: &[f32]) -> f32 {
    let (weights, weights_rest) = weights.as_chunks::<LANES>();
    let (x, x_rest) = x.as_chunks::<LANES>();
    let mut sum = Lanes::splat(0.0);
    for (weights, x) in weights.iter().zip(x) {
        sum = sum.add(Lanes::from(*weights).mul(Lanes::from(*x)));
    }
    sum.add(padded(weights_rest).mul(padded(x_rest))).sum()
}
