//! A `Q8_0` matrix in the order in which the kernels read it.

use std::ops::Range;

use candle_core::Result;
use candle_core::quantized::{GgmlDType, QTensor};
use half::f16;

use super::{BLOCK, QUAD, QUAD_BLOCK, STEP};

/// Bytes of a `Q8_0` block in a file: a scale in f16, then 32 signed bytes.
const STORED: usize = 2 + BLOCK;

/// `[outputs, inputs]` in 8 bits. Four rows lie together, block by block: four columns of the first row, four of the
/// second, and so on, then the next four columns. Rows of zeros fill the last quad.
#[derive(Debug)]
pub struct Q8Matrix {
    weights: Vec<i8>,
    /// Of each quad's block the scales of its four rows.
    scales: Vec<f32>,
    outputs: usize,
    inputs: usize,
}

impl Q8Matrix {
    /// Takes over a matrix, if it is in `Q8_0`.
    pub fn new(tensor: &QTensor) -> Result<Option<Self>> {
        let &[outputs, inputs] = tensor.shape().dims() else { return Ok(None) };
        if tensor.dtype() != GgmlDType::Q8_0 {
            return Ok(None);
        }
        let blocks = inputs / BLOCK;
        let mut matrix = Q8Matrix::zeros(outputs, inputs);
        for (index, block) in tensor.data()?.chunks_exact(STORED).enumerate() {
            matrix.put(index / blocks, index % blocks, block);
        }
        Ok(Some(matrix))
    }

    /// A matrix of zeros; `inputs` is a multiple of [`BLOCK`].
    pub(super) fn zeros(outputs: usize, inputs: usize) -> Self {
        let blocks = outputs.div_ceil(QUAD) * (inputs / BLOCK);
        let (weights, scales) = (vec![0; blocks * QUAD_BLOCK], vec![0.0; blocks * QUAD]);
        Q8Matrix { weights, scales, outputs, inputs }
    }

    /// Puts a stored block where the kernels expect it.
    pub(super) fn put(&mut self, row: usize, block: usize, stored: &[u8]) {
        let (place, lane) = (row / QUAD * (self.inputs / BLOCK) + block, row % QUAD);
        self.scales[place * QUAD + lane] = f16::from_le_bytes([stored[0], stored[1]]).to_f32();
        let quad = &mut self.weights[place * QUAD_BLOCK..][..QUAD_BLOCK];
        for (columns, step) in stored[2..].chunks_exact(STEP).zip(quad.chunks_exact_mut(QUAD * STEP)) {
            for (weight, byte) in step[lane * STEP..].iter_mut().zip(columns) {
                *weight = *byte as i8;
            }
        }
    }

    /// Rows.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Columns.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The weights' bytes, as each token passes them.
    pub fn bytes(&self) -> &[i8] {
        &self.weights
    }

    /// One row in float32.
    pub fn row(&self, row: usize) -> impl Iterator<Item = f32> {
        let (blocks, lane) = (self.inputs / BLOCK, row % QUAD);
        (0..self.inputs).map(move |column| {
            let place = row / QUAD * blocks + column / BLOCK;
            let (step, rest) = (column % BLOCK / STEP, column % STEP);
            let weight = self.weights[place * QUAD_BLOCK + step * QUAD * STEP + lane * STEP + rest];
            f32::from(weight) * self.scales[place * QUAD + lane]
        })
    }

    /// The weights of a quad's rows, and their scales, block after block.
    pub(super) fn quad(&self, quad: usize) -> (&[i8], &[f32]) {
        let blocks = self.inputs / BLOCK;
        let weights = &self.weights[quad * blocks * QUAD_BLOCK..][..blocks * QUAD_BLOCK];
        (weights, &self.scales[quad * blocks * QUAD..][..blocks * QUAD])
    }

    /// Quads there are.
    pub fn quads(&self) -> usize {
        self.outputs.div_ceil(QUAD)
    }

    /// Rows of some quads.
    pub(super) fn columns(&self, quads: &Range<usize>) -> usize {
        self.outputs.min(quads.end * QUAD) - quads.start * QUAD
    }
}
