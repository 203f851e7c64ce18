//! A `Q8_0` matrix in the order in which the kernels read it, and its product as candle's op.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{CpuStorage, CustomOp1, Error, Layout, Result, Shape};
use half::f16;

use super::{Activations, BLOCK, QUAD, QUAD_BLOCK, STEP, multiply};

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
        let quads = outputs.div_ceil(QUAD);
        let mut matrix = Q8Matrix {
            weights: vec![0; quads * blocks * QUAD_BLOCK],
            scales: vec![0.0; quads * blocks * QUAD],
            outputs,
            inputs,
        };
        for (index, block) in tensor.data()?.chunks_exact(STORED).enumerate() {
            matrix.put(index / blocks, index % blocks, block);
        }
        Ok(Some(matrix))
    }

    /// Puts a stored block where the kernels expect it.
    fn put(&mut self, row: usize, block: usize, stored: &[u8]) {
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
    pub(super) fn quads(&self) -> usize {
        self.outputs.div_ceil(QUAD)
    }
}

/// `x · matrixᵀ` for rows `x`, `[tokens, inputs]` → `[tokens, outputs]`.
pub struct MatMul<'a>(pub &'a Q8Matrix);

impl CustomOp1 for MatMul<'_> {
    fn name(&self) -> &'static str {
        "q8-matmul"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, inputs) = layout.shape().dims2()?;
        if inputs != self.0.inputs {
            return Err(Error::Msg(format!("expected rows of {}, found {inputs}", self.0.inputs)));
        }
        let (start, end) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op: "q8-matmul" })?;
        let activations = Activations::quantise(&storage.as_slice::<f32>()?[start..end], inputs);
        let mut out = vec![0.0; tokens * self.0.outputs];
        multiply(self.0, &activations, &mut out);
        Ok((CpuStorage::F32(out), (tokens, self.0.outputs).into()))
    }
}
