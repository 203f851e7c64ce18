//! The kernels as candle's ops, which write into tensors that are there: a token that is decoded allocates nothing.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, DType, Error, InplaceOp1, InplaceOp2, Layout, Result, Storage, Tensor, WithDType};
use half::bf16;

use super::elementwise::{add, finish};
use super::{Activations, Element, Finish, Heads, Keys, OCTET, PlainMatrix, Q8Matrix, Scores, attend, keep};
use super::{layer_norm, selected};

/// A matrix, `[outputs, inputs]`.
#[derive(Clone, Debug)]
pub enum Matrix {
    /// In 8 bits.
    Q8(Arc<Q8Matrix>),
    /// In float32.
    Plain(Arc<PlainMatrix>),
}

impl Matrix {
    /// Rows.
    pub fn outputs(&self) -> usize {
        match self {
            Matrix::Q8(matrix) => matrix.outputs(),
            Matrix::Plain(matrix) => matrix.outputs(),
        }
    }

    /// Columns.
    pub fn inputs(&self) -> usize {
        match self {
            Matrix::Q8(matrix) => matrix.inputs(),
            Matrix::Plain(matrix) => matrix.inputs(),
        }
    }

    /// Adds one row to `out`.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        match self {
            Matrix::Q8(matrix) => out.iter_mut().zip(matrix.row(row)).for_each(|(out, x)| *out += x),
            Matrix::Plain(matrix) => out.iter_mut().zip(matrix.row(row)).for_each(|(out, x)| *out += x),
        }
    }

    /// `[tokens, inputs]` → `[tokens, outputs]`.
    fn multiply(&self, x: &[f32], memory: &mut Activations, out: &mut [f32]) {
        self.quantise(x, memory);
        self.multiply_octets(0..self.outputs().div_ceil(OCTET), x, memory, out);
    }

    /// Prepares activations for [`multiply_octets`](Self::multiply_octets).
    fn quantise(&self, x: &[f32], memory: &mut Activations) {
        if let Matrix::Q8(matrix) = self {
            memory.quantise(x, matrix.inputs(), selected().operands);
        }
    }

    /// The outputs of some octets of rows.
    fn multiply_octets(&self, octets: Range<usize>, x: &[f32], memory: &Activations, out: &mut [f32]) {
        match self {
            Matrix::Q8(matrix) => (selected().multiply)(matrix, octets, memory, out),
            Matrix::Plain(matrix) => {
                matrix.multiply(octets.start * OCTET..matrix.outputs().min(octets.end * OCTET), x, out);
            }
        }
    }

    /// The products of one row, `[inputs]`, with some rows of the matrix after the other, `most` at a time: those from
    /// the first on, while they are still in the processor's cache.
    pub fn multiply_in_parts(
        &self,
        x: &Tensor,
        most: usize,
        scratch: &RefCell<Scratch>,
        mut take: impl FnMut(&mut [f32]),
    ) -> Result<()> {
        let Scratch { activations, sums, .. } = &mut *scratch.borrow_mut();
        let (storage, layout) = x.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { return Err(Error::Msg("expected a tensor in memory".into())) };
        let x = numbers::<f32>(storage, layout)?;
        expect(x.len(), self.inputs())?;
        self.quantise(x, activations);
        let octets = self.outputs().div_ceil(OCTET);
        for start in (0..octets).step_by(most / OCTET) {
            let end = octets.min(start + most / OCTET);
            sums.resize(self.outputs().min(end * OCTET) - start * OCTET, 0.0);
            self.multiply_octets(start..end, x, activations, sums);
            take(sums);
        }
        Ok(())
    }
}

/// Memory that the ops use and that is kept from one to the next.
#[derive(Debug, Default)]
pub struct Scratch {
    activations: Activations,
    sums: Vec<f32>,
    scores: Scores,
}

/// Each row of a tensor ← what the function makes of it, given its number.
pub struct FillRows<F>(pub F);

impl<F: Fn(usize, &mut [f32])> InplaceOp1 for FillRows<F> {
    fn name(&self) -> &'static str {
        "fill-rows"
    }

    fn cpu_fwd(&self, out: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (_, columns) = layout.shape().dims2()?;
        numbers_mut(out, layout)?.chunks_exact_mut(columns).enumerate().for_each(|(row, out)| (self.0)(row, out));
        Ok(())
    }
}

/// out ← `(x − mean) / √(variance + epsilon) · weight + bias`, `[rows, width]` both.
pub struct LayerNorm<'a> {
    /// `[width]`.
    pub weight: &'a [f32],
    /// `[width]`.
    pub bias: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
}

impl InplaceOp2 for LayerNorm<'_> {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(&self, out: &mut CpuStorage, out_layout: &Layout, x: &CpuStorage, layout: &Layout) -> Result<()> {
        let (x, out) = (numbers::<f32>(x, layout)?, numbers_mut(out, out_layout)?);
        expect(out.len(), x.len())?;
        layer_norm(x, self.weight, self.bias, self.epsilon, out);
        Ok(())
    }
}

/// out ← `x · matrixᵀ + bias`, finished; `[rows, inputs]` → `[rows, outputs]`.
pub struct Product<'a> {
    /// `[outputs, inputs]`.
    pub matrix: &'a Matrix,
    /// `[outputs]`, where there is one.
    pub bias: Option<&'a [f32]>,
    /// What becomes of it.
    pub finish: Finish,
    /// Memory to use.
    pub scratch: &'a RefCell<Scratch>,
}

impl InplaceOp2 for Product<'_> {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, out: &mut CpuStorage, out_layout: &Layout, x: &CpuStorage, layout: &Layout) -> Result<()> {
        let (x, out) = (numbers::<f32>(x, layout)?, numbers_mut(out, out_layout)?);
        let outputs = self.matrix.outputs();
        expect(x.len() * outputs, out.len() * self.matrix.inputs())?;
        self.matrix.multiply(x, &mut self.scratch.borrow_mut().activations, out);
        finish(out, self.bias, outputs, self.finish);
        Ok(())
    }
}

/// stream ← stream + `x · matrixᵀ + bias`; `[rows, outputs]` and `[rows, inputs]`.
pub struct AddProduct<'a> {
    /// `[outputs, inputs]`.
    pub matrix: &'a Matrix,
    /// `[outputs]`, where there is one.
    pub bias: Option<&'a [f32]>,
    /// Memory to use.
    pub scratch: &'a RefCell<Scratch>,
}

impl InplaceOp2 for AddProduct<'_> {
    fn name(&self) -> &'static str {
        "add-product"
    }

    fn cpu_fwd(&self, stream: &mut CpuStorage, out_layout: &Layout, x: &CpuStorage, layout: &Layout) -> Result<()> {
        let (x, stream) = (numbers::<f32>(x, layout)?, numbers_mut(stream, out_layout)?);
        let outputs = self.matrix.outputs();
        expect(x.len() * outputs, stream.len() * self.matrix.inputs())?;
        let Scratch { activations, sums, .. } = &mut *self.scratch.borrow_mut();
        sums.resize(stream.len(), 0.0);
        self.matrix.multiply(x, activations, sums);
        add(stream, sums, self.bias, outputs);
        Ok(())
    }
}

/// values ← values of new rows, and their keys beside them; `[heads, context, row]` and qkv, `[rows, 3 · width]`.
pub struct Keep<'a> {
    /// The shape.
    pub heads: Heads,
    /// The cache's keys.
    pub keys: &'a RefCell<Keys>,
    /// The position of the first row.
    pub position: usize,
}

impl InplaceOp2 for Keep<'_> {
    fn name(&self) -> &'static str {
        "keep"
    }

    fn cpu_fwd(&self, values: &mut CpuStorage, _: &Layout, qkv: &CpuStorage, layout: &Layout) -> Result<()> {
        let qkv = numbers::<f32>(qkv, layout)?;
        match values {
            CpuStorage::F32(values) => self.keep(qkv, values),
            CpuStorage::BF16(values) => self.keep(qkv, values),
            other => Err(Error::Msg(format!("expected a cache of F32 or BF16, found {:?}", other.dtype()))),
        }
    }
}

impl Keep<'_> {
    fn keep<E: Element>(&self, qkv: &[f32], values: &mut [E]) -> Result<()> {
        let Heads { count, width, context } = self.heads;
        let width = count * width;
        expect(values.len(), count * context * self.heads.row())?;
        let mut keys = self.keys.borrow_mut();
        for (position, qkv) in (self.position..context).zip(qkv.chunks_exact(3 * width)) {
            keys.keep(&self.heads, &qkv[width..2 * width], position);
            keep(&self.heads, &qkv[2 * width..], position, values);
        }
        Ok(())
    }
}

/// out ← what each row of qkv sees: the positions before and its own; `[rows, width]` and `[rows, 3 · width]`.
pub struct Attend<'a> {
    /// The shape.
    pub heads: Heads,
    /// The cache's keys.
    pub keys: &'a RefCell<Keys>,
    /// `[heads, context, row]`.
    pub values: &'a Tensor,
    /// The position of the first row.
    pub position: usize,
    /// Memory to use.
    pub scratch: &'a RefCell<Scratch>,
}

impl InplaceOp2 for Attend<'_> {
    fn name(&self) -> &'static str {
        "attend"
    }

    fn cpu_fwd(&self, out: &mut CpuStorage, out_layout: &Layout, qkv: &CpuStorage, layout: &Layout) -> Result<()> {
        let (qkv, out) = (numbers::<f32>(qkv, layout)?, numbers_mut(out, out_layout)?);
        expect(3 * out.len(), qkv.len())?;
        match self.values.dtype() {
            DType::BF16 => self.attend::<bf16>(qkv, out),
            _ => self.attend::<f32>(qkv, out),
        }
    }
}

impl Attend<'_> {
    fn attend<E: Element + WithDType>(&self, qkv: &[f32], out: &mut [f32]) -> Result<()> {
        let (values, layout) = self.values.storage_and_layout();
        let Storage::Cpu(values) = &*values else { return Err(Error::Msg("expected a tensor in memory".into())) };
        let cache = (&*self.keys.borrow(), numbers::<E>(values, layout)?);
        attend(&self.heads, cache, self.position, qkv, &mut self.scratch.borrow_mut().scores, out);
        Ok(())
    }
}

/// The numbers of a contiguous tensor.
fn numbers<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let (start, end) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op: "kernel" })?;
    Ok(&storage.as_slice::<T>()?[start..end])
}

/// The same, to be written.
fn numbers_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let (start, end) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op: "kernel" })?;
    match storage {
        CpuStorage::F32(numbers) => Ok(&mut numbers[start..end]),
        other => Err(Error::Msg(format!("expected numbers in F32, found {:?}", other.dtype()))),
    }
}

fn expect(found: usize, expected: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::Msg(format!("expected {expected} numbers, found {found}"))) }
}
