//! Rows of float32 → rows of 8-bit numbers with a scale for each block.

use super::BLOCK;

/// What goes into a matrix: `[tokens, inputs]`, in 8 bits, kept as 16 since the products are made of those.
#[derive(Clone, Debug, Default)]
pub struct Activations {
    /// −127 to 127.
    pub(super) numbers: Vec<i16>,
    /// What 1 stands for in each block.
    pub(super) scales: Vec<f32>,
    pub(super) inputs: usize,
}

impl Activations {
    /// Rounds rows of `inputs` numbers, a multiple of [`BLOCK`], to the nearest of 255 steps between minus and plus the
    /// largest of each block; ties go to the even step. What is not finite makes its block's scale NaN.
    pub fn quantise(rows: &[f32], inputs: usize) -> Self {
        let mut activations = Activations { numbers: vec![0; rows.len()], scales: Vec::new(), inputs };
        activations.scales.reserve_exact(rows.len() / BLOCK);
        for (block, numbers) in rows.chunks_exact(BLOCK).zip(activations.numbers.chunks_exact_mut(BLOCK)) {
            activations.scales.push(quantise_block(block, numbers));
        }
        activations
    }

    /// Rows there are.
    pub fn tokens(&self) -> usize {
        self.numbers.len().checked_div(self.inputs).unwrap_or(0)
    }

    /// The numbers of one row.
    pub(super) fn row(&self, token: usize) -> &[i16] {
        &self.numbers[token * self.inputs..][..self.inputs]
    }

    /// The scales of one row.
    pub(super) fn row_scales(&self, token: usize) -> &[f32] {
        let blocks = self.inputs / BLOCK;
        &self.scales[token * blocks..][..blocks]
    }
}

/// Writes the numbers and returns their scale.
fn quantise_block(block: &[f32], numbers: &mut [i16]) -> f32 {
    // `max` passes over NaN; the sum does not.
    let largest = block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    if !block.iter().sum::<f32>().is_finite() && !block.iter().all(|x| x.is_finite()) {
        return f32::NAN;
    }
    let steps = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    // The smallest of numbers have no reciprocal that is finite; they are as good as 0.
    let steps = if steps.is_finite() { steps } else { 0.0 };
    for (number, x) in numbers.iter_mut().zip(block) {
        *number = (x * steps).round_ties_even() as i16;
    }
    largest / 127.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_rounded_to_127ths_of_their_largest() {
        let mut row = [0.0; 64];
        (row[0], row[1], row[2], row[40]) = (-2.0, 1.0, 0.0079, 1e-3);
        let quantised = Activations::quantise(&row, 64);
        assert_eq!((quantised.tokens(), quantised.scales.as_slice()), (1, &[2.0 / 127.0, 1e-3 / 127.0][..]));
        // 1 is 63.5 steps, and goes to the even one; 0.0079 is 0.501 of a step.
        assert_eq!(quantised.numbers[..3], [-127, 64, 1]);
        assert_eq!(quantised.numbers[40], 127);
    }

    #[test]
    fn nothing_and_almost_nothing_are_zeros_and_what_is_not_finite_is_not_hidden() {
        for (x, scale) in [(0.0, 0.0), (1e-45, 1e-45 / 127.0)] {
            let quantised = Activations::quantise(&[x; 32], 32);
            assert_eq!((quantised.numbers[0], quantised.scales[0]), (0, scale));
        }
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut row = [1.0; 32];
            row[7] = x;
            assert!(Activations::quantise(&row, 32).scales[0].is_nan(), "{x}");
        }
    }
}
