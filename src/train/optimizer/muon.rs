//! Muon (Jordan et al. 2024): momentum, brought near to a matrix whose rows are orthogonal to each other.

use serde::{Deserialize, Serialize};

use crate::kernels::product::{Operand, Size, add_product};

/// Its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Muon {
    /// The learning rate, for a square matrix.
    pub learning_rate: f32,
    /// How slowly the momentum follows the gradient.
    pub momentum: f32,
    /// The share of a weight that is taken away in each step, times the learning rate.
    pub weight_decay: f32,
}

/// Steps of the Newton–Schulz iteration.
const STEPS: usize = 5;
/// The iteration's polynomial a x + b x³ + c x⁵ brings singular values from 0 to 1 into the neighbourhood of 1.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];

impl Muon {
    /// Updates a matrix of so many rows by its gradient.
    pub(super) fn update(&self, weights: &mut [f32], gradient: &[f32], momentum: &mut [f32], rows: usize, rate: f32) {
        let mut ahead = vec![0.0; gradient.len()];
        for ((ahead, gradient), momentum) in ahead.iter_mut().zip(gradient).zip(momentum) {
            *momentum += (1.0 - self.momentum) * (gradient - *momentum);
            *ahead = gradient + self.momentum * (*momentum - gradient);
        }
        let columns = gradient.len() / rows;
        let learning_rate = self.learning_rate * rate;
        let (kept, factor) = (1.0 - learning_rate * self.weight_decay, (rows as f32 / columns as f32).max(1.0).sqrt());
        let is_tall = rows > columns;
        let direction = match is_tall {
            true => transposed(&orthogonal(transposed(&ahead, columns), columns), rows),
            false => orthogonal(ahead, rows),
        };
        for (weight, direction) in weights.iter_mut().zip(&direction) {
            *weight = *weight * kept - learning_rate * factor * direction;
        }
    }
}

/// Brings the singular values of a matrix near to 1; it has no more rows than columns.
fn orthogonal(mut x: Vec<f32>, rows: usize) -> Vec<f32> {
    let columns = x.len() / rows;
    let norm = x.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt() as f32;
    x.iter_mut().for_each(|x| *x /= norm + 1e-7);
    let [a, b, c] = COEFFICIENTS;
    let square = Size { rows, columns: rows, depth: rows };
    for _ in 0..STEPS {
        let mut gram = vec![0.0; rows * rows];
        let wide = Operand::rows(&x, columns);
        add_product(&mut gram, rows, wide, wide.transposed(), Size { depth: columns, ..square });
        let mut polynomial = vec![0.0; rows * rows];
        add_product(&mut polynomial, rows, Operand::rows(&gram, rows), Operand::rows(&gram, rows), square);
        polynomial.iter_mut().zip(&gram).for_each(|(square, gram)| *square = b * gram + c * *square);
        let mut next: Vec<f32> = x.iter().map(|x| a * x).collect();
        add_product(&mut next, columns, Operand::rows(&polynomial, rows), wide, Size { columns, ..square });
        x = next;
    }
    x
}

/// A matrix with rows and columns exchanged; it gets so many rows.
fn transposed(matrix: &[f32], rows: usize) -> Vec<f32> {
    let columns = matrix.len() / rows;
    (0..rows).flat_map(|row| (0..columns).map(move |column| matrix[column * rows + row])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::testing::numbers;

    #[test]
    fn a_tall_and_a_wide_gradient_are_brought_near_to_orthogonal() {
        let mut number = numbers(3);
        let gradient: Vec<f32> = (0..12 * 30).map(|_| number()).collect();
        let muon = Muon { learning_rate: 1.0, momentum: 0.0, weight_decay: 0.0 };
        for (rows, columns, factor) in [(12, 30, 1.0), (30, 12, (30.0f32 / 12.0).sqrt())] {
            let mut weights = vec![0.0; gradient.len()];
            muon.update(&mut weights, &gradient, &mut vec![0.0; gradient.len()], rows, 1.0);
            // The mean of the squared singular values is that of the Gram matrix's diagonal.
            let mean = weights.iter().map(|x| (x / factor).powi(2)).sum::<f32>() / rows.min(columns) as f32;
            assert!((0.5..1.3).contains(&mean), "{rows}: {mean}");
        }
    }
}
