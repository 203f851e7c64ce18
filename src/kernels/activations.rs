//! Rows of float32 → rows of 8-bit numbers with a scale for each block.

use super::BLOCK;
use super::lanes::ROUNDING;

/// The form in which a kernel reads the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operands {
    /// As they are.
    Bytes,
    /// In 16 bits.
    Words,
    /// Plus 128, without a sign.
    Offset,
}

/// What goes into a matrix: `[tokens, inputs]`, in 8 bits.
#[derive(Debug, Default)]
pub struct Activations {
    /// −127 to 127.
    pub(super) numbers: Vec<i8>,
    /// The same in 16 bits, for kernels that read these.
    pub(super) words: Vec<i16>,
    /// The same plus 128, for kernels that read these.
    pub(super) offset: Vec<u8>,
    /// What 1 stands for in each block.
    pub(super) scales: Vec<f32>,
    inputs: usize,
    /// Memory that a kernel may use while it multiplies.
    #[cfg(target_arch = "wasm32")]
    pub(super) spare: std::cell::RefCell<Vec<[i32; super::QUAD]>>,
}

impl Activations {
    /// Replaces what is here by rows of `inputs` numbers, a multiple of [`BLOCK`], rounded to the nearest of 255 steps
    /// between minus and plus the largest of each block; ties go to the even step. What is not finite makes its block's
    /// scale NaN. Memory is taken only for more rows than ever before.
    pub fn quantise(&mut self, rows: &[f32], inputs: usize, operands: Operands) {
        self.inputs = inputs;
        self.numbers.resize(rows.len(), 0);
        self.scales.clear();
        for (block, numbers) in rows.as_chunks::<BLOCK>().0.iter().zip(self.numbers.as_chunks_mut::<BLOCK>().0) {
            self.scales.push(quantise_block(block, numbers));
        }
        self.words.clear();
        self.offset.clear();
        match operands {
            Operands::Bytes => {}
            Operands::Words => self.words.extend(self.numbers.iter().map(|number| i16::from(*number))),
            Operands::Offset => self.offset.extend(self.numbers.iter().map(|number| *number as u8 ^ 128)),
        }
    }

    /// Rows there are.
    pub fn tokens(&self) -> usize {
        self.numbers.len().checked_div(self.inputs).unwrap_or(0)
    }

    /// The part of `all` that belongs to one row.
    pub(super) fn row<'a, T>(&self, all: &'a [T], token: usize) -> &'a [T] {
        &all[token * self.inputs..][..self.inputs]
    }

    /// The scales of one row.
    pub(super) fn row_scales(&self, token: usize) -> &[f32] {
        let blocks = self.inputs / BLOCK;
        &self.scales[token * blocks..][..blocks]
    }
}

/// Writes the numbers and returns their scale.
fn quantise_block(block: &[f32; BLOCK], numbers: &mut [i8; BLOCK]) -> f32 {
    // Without their sign, floats are ordered as their bits are, and behind infinity stands NaN.
    let largest = block.iter().map(|x| (x.to_bits() & 0x7fff_ffff) as i32).fold(0, i32::max);
    let largest = f32::from_bits(largest as u32);
    let steps = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    // The smallest of numbers have no reciprocal that is finite; they are as good as 0.
    let steps = if steps.is_finite() { steps } else { 0.0 };
    for (number, x) in numbers.iter_mut().zip(block) {
        *number = (x * steps + ROUNDING).to_bits() as i8;
    }
    if largest.is_finite() { largest / 127.0 } else { f32::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantise(rows: &[f32], inputs: usize, operands: Operands) -> Activations {
        let mut activations = Activations::default();
        activations.quantise(&[3.0; 96], 96, Operands::Words); // what was there before leaves no trace
        activations.quantise(rows, inputs, operands);
        activations
    }

    #[test]
    fn blocks_are_rounded_to_127ths_of_their_largest() {
        let mut row = [0.0; 64];
        (row[0], row[1], row[2], row[40]) = (-2.0, 1.0, 0.0079, 1e-3);
        let quantised = quantise(&row, 64, Operands::Bytes);
        assert_eq!((quantised.tokens(), quantised.scales.as_slice()), (1, &[2.0 / 127.0, 1e-3 / 127.0][..]));
        // 1 is 63.5 steps, and goes to the even one; 0.0079 is 0.501 of a step.
        assert_eq!(quantised.numbers[..3], [-127, 64, 1]);
        assert_eq!(quantised.numbers[40], 127);
    }

    #[test]
    fn every_form_has_the_same_numbers() {
        let row: Vec<f32> = (0..64).map(|index| (index as f32 - 31.0) * 0.37).collect();
        let bytes = quantise(&row, 32, Operands::Bytes);
        assert!(bytes.words.is_empty() && bytes.offset.is_empty());
        let words = quantise(&row, 32, Operands::Words).words;
        let offset = quantise(&row, 32, Operands::Offset).offset;
        assert!(bytes.numbers.iter().zip(words).all(|(number, word)| i16::from(*number) == word));
        assert!(bytes.numbers.iter().zip(offset).all(|(number, offset)| i16::from(*number) + 128 == i16::from(offset)));
    }

    #[test]
    fn nothing_and_almost_nothing_are_zeros_and_what_is_not_finite_is_not_hidden() {
        for (x, scale) in [(0.0, 0.0), (1e-45, 1e-45 / 127.0)] {
            let quantised = quantise(&[x; 32], 32, Operands::Bytes);
            assert_eq!((quantised.numbers[0], quantised.scales[0]), (0, scale));
        }
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut row = [1.0; 32];
            row[7] = x;
            assert!(quantise(&row, 32, Operands::Bytes).scales[0].is_nan(), "{x}");
        }
    }
}
