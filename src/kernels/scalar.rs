//! What the kernels compute, for people to read.

use super::{Activations, BLOCK, Q8Matrix, QUAD, QUAD_BLOCK, STEP};

/// `[tokens, inputs]` · `matrix`ᵀ → `[tokens, outputs]`.
pub fn multiply(matrix: &Q8Matrix, activations: &Activations, out: &mut [f32]) {
    for (token, out) in out.chunks_exact_mut(matrix.outputs()).enumerate() {
        for (quad, out) in out.chunks_mut(QUAD).enumerate() {
            let (weights, scales) = matrix.quad(quad);
            let sums = dot(weights, scales, activations.row(token), activations.row_scales(token));
            out.copy_from_slice(&sums[..out.len()]);
        }
    }
}

/// The products of four rows with one row of activations.
fn dot(weights: &[i8], scales: &[f32], numbers: &[i16], number_scales: &[f32]) -> [f32; QUAD] {
    let mut sums = [0.0; QUAD];
    for (block, number_scale) in number_scales.iter().enumerate() {
        let weights = &weights[block * QUAD_BLOCK..][..QUAD_BLOCK];
        let numbers = &numbers[block * BLOCK..][..BLOCK];
        for (lane, sum) in sums.iter_mut().enumerate() {
            let mut whole = 0i32;
            for (weights, numbers) in weights.chunks_exact(QUAD * STEP).zip(numbers.chunks_exact(STEP)) {
                let pairs = weights[lane * STEP..].iter().zip(numbers);
                whole += pairs.map(|(weight, number)| i32::from(*weight) * i32::from(*number)).sum::<i32>();
            }
            *sum += whole as f32 * (scales[block * QUAD + lane] * number_scale);
        }
    }
    sums
}
