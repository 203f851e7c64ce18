//! A matrix in float32, for rows that `Q8_0`'s blocks do not fit and for files that are not quantised.

use super::lanes::{LANES, Lanes, padded};
use super::{scalar, selected};

/// `[outputs, inputs]` in float32.
#[derive(Debug)]
pub struct PlainMatrix {
    weights: Vec<f32>,
    inputs: usize,
}

impl PlainMatrix {
    /// Rows of `inputs` numbers, one after the other.
    pub fn new(weights: Vec<f32>, inputs: usize) -> Self {
        PlainMatrix { weights, inputs }
    }

    /// Rows.
    pub fn outputs(&self) -> usize {
        self.weights.len().checked_div(self.inputs).unwrap_or(0)
    }

    /// Columns.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.weights[row * self.inputs..][..self.inputs]
    }

    /// `[tokens, inputs]` → `[tokens, outputs of these rows]`.
    pub fn multiply(&self, rows: std::ops::Range<usize>, x: &[f32], out: &mut [f32]) {
        if selected().is_scalar {
            return scalar::multiply_plain(self, rows, x, out);
        }
        let columns = rows.len();
        for (column, row) in rows.enumerate() {
            let weights = self.row(row);
            for (x, out) in x.chunks_exact(self.inputs).zip(out.chunks_exact_mut(columns)) {
                out[column] = dot(weights, x);
            }
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
