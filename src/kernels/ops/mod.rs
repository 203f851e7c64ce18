//! The kernels as candle's operations, each of which returns a new tensor. Float32 weights are arguments, so that
//! gradients flow to them; `Q8_0` weights are fields of the operation.

mod attention;
mod causal_attention;
mod cross_entropy;
mod embedding;
mod layer_norm;
mod learned_linear;
mod linear;
mod tape;

use std::cell::RefCell;

use candle_core::{CpuStorage, Error, InplaceOp1, Layout, Result, Shape, Storage, Tensor, WithDType};

pub use attention::{Attended, append, attend, attention_weights, mix_values};
pub use cross_entropy::{cross_entropy, nats};
pub use embedding::embedding;
pub use layer_norm::layer_norm;
pub use linear::{Matrix, linear};
pub use tape::{Tape, add, apply1};

use super::{Activations, Scores};

/// Memory that the operations of a thread share.
#[derive(Debug, Default)]
struct Scratch {
    activations: Activations,
    scores: Scores,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Bytes that this thread holds for the activations of its next operation.
pub fn held_bytes() -> usize {
    SCRATCH.with_borrow(|scratch| scratch.activations.held_bytes())
}

/// Calls `look` with the numbers of a contiguous tensor.
pub fn with_numbers<T: WithDType, R>(tensor: &Tensor, look: impl FnOnce(&[T]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { return Err(Error::Msg("expected a tensor in memory".into())) };
    Ok(look(numbers(storage, layout)?))
}

/// Calls `change` with the numbers of a contiguous tensor, which it may change. Whoever shares the tensor sees that.
pub fn with_numbers_mut<R>(tensor: &Tensor, change: impl FnOnce(&mut [f32]) -> R) -> Result<R> {
    let change = Change { change: RefCell::new(Some(change)), result: RefCell::new(None) };
    tensor.inplace_op1(&change)?;
    change.result.into_inner().ok_or_else(|| Error::Msg("expected a tensor in memory".into()))
}

/// A function as an operation of candle's, which is called once.
struct Change<F, R> {
    change: RefCell<Option<F>>,
    result: RefCell<Option<R>>,
}

impl<F: FnOnce(&mut [f32]) -> R, R> InplaceOp1 for Change<F, R> {
    fn name(&self) -> &'static str {
        "change"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let (start, end) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op: "change" })?;
        let CpuStorage::F32(numbers) = storage else { return Err(Error::Msg("expected float32 numbers".into())) };
        if let Some(change) = self.change.take() {
            self.result.replace(Some(change(&mut numbers[start..end])));
        }
        Ok(())
    }
}

/// The numbers of a contiguous tensor.
fn numbers<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let (start, end) = layout.contiguous_offsets().ok_or(Error::RequiresContiguous { op: "kernel" })?;
    Ok(&storage.as_slice::<T>()?[start..end])
}

/// The result of an operation.
fn result(numbers: Vec<f32>, shape: impl Into<Shape>) -> Result<(CpuStorage, Shape)> {
    Ok((CpuStorage::F32(numbers), shape.into()))
}

/// The shape, with another last size.
fn with_last(layout: &Layout, last: usize) -> Vec<usize> {
    let mut dims = layout.dims().to_vec();
    if let Some(size) = dims.last_mut() {
        *size = last;
    }
    dims
}

fn expect(op: &str, what: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::Msg(format!("{op}: expected {expected} {what}, found {found}"))) }
}
