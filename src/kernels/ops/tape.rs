//! The way back: operations are noted down while they are computed, and their gradients follow in the reverse order.
//!
//! candle's own way back knows every operation of candle's for every type of number, which makes a program of four megabytes
//! where a model needs seven operations. While nothing is noted down, candle tracks the operations as ever; both ways give the
//! same bits.

use std::cell::RefCell;

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Error, Layout, Result, Shape, Tensor, TensorId,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{expect, numbers, result};

/// Operations in the order in which they were computed.
#[derive(Default)]
pub struct Tape {
    nodes: Vec<Node>,
    /// Tensors that a gradient flows to: the variables, and what was computed of them.
    tracked: FxHashSet<TensorId>,
}

/// What an operation does with the gradient of its result: gradients of its inputs.
type Back = Box<dyn Fn(&[Tensor], &Tensor, &Tensor) -> Result<Vec<Option<Tensor>>>>;

/// An operation that was computed.
struct Node {
    inputs: Vec<Tensor>,
    out: Tensor,
    back: Back,
}

thread_local! {
    /// The tape on which this thread notes down.
    static TAPE: RefCell<Option<Tape>> = const { RefCell::new(None) };
}

impl Tape {
    /// Notes down what `compute` computes of these variables on this thread.
    pub fn record<R>(variables: impl Iterator<Item = TensorId>, compute: impl FnOnce() -> R) -> (R, Tape) {
        TAPE.set(Some(Tape { nodes: Vec::new(), tracked: variables.collect() }));
        let result = compute();
        (result, TAPE.take().unwrap_or_default())
    }

    /// The gradients of a number that was computed, by the ids of all tensors that it flows to and that nothing was computed
    /// of: the variables.
    pub fn gradients(self, of: &Tensor) -> Result<FxHashMap<TensorId, Tensor>> {
        let one = Tensor::from_vec(vec![1.0f32], of.shape(), &Device::Cpu)?;
        let mut gradients = FxHashMap::from_iter([(of.id(), one)]);
        // What a node holds is free once its gradients are there.
        for Node { inputs, out, back } in self.nodes.into_iter().rev() {
            let Some(gradient) = gradients.remove(&out.id()) else { continue };
            for (input, gradient) in inputs.iter().zip(back(&inputs, &out, &gradient)?) {
                let Some(gradient) = gradient.filter(|_| self.tracked.contains(&input.id())) else { continue };
                let sum = match gradients.remove(&input.id()) {
                    // A new tensor: both may be the gradients of other tensors, too.
                    Some(other) => other.contiguous()?.apply_op2_no_bwd(&gradient.contiguous()?, &Add)?,
                    None => gradient,
                };
                gradients.insert(input.id(), sum);
            }
        }
        Ok(gradients)
    }
}

/// Whether a gradient flows to a tensor.
pub(super) fn tracks(tensor: &Tensor) -> bool {
    let is_noted = TAPE.with_borrow(|tape| tape.as_ref().is_some_and(|tape| tape.tracked.contains(&tensor.id())));
    is_noted || tensor.track_op()
}

/// Whether this thread notes down.
fn records() -> bool {
    TAPE.with_borrow(Option::is_some)
}

/// Notes down an operation, if a gradient flows to one of its inputs.
fn note(inputs: &[&Tensor], out: &Tensor, back: Back) {
    TAPE.with_borrow_mut(|tape| {
        let Some(tape) = tape.as_mut().filter(|tape| inputs.iter().any(|input| tape.tracked.contains(&input.id())))
        else {
            return;
        };
        tape.tracked.insert(out.id());
        let inputs = inputs.iter().copied().cloned().collect();
        tape.nodes.push(Node { inputs, out: out.clone(), back });
    });
}

/// Computes an operation with one input, through which gradients flow.
pub fn apply1(x: &Tensor, op: impl CustomOp1 + Send + Sync + 'static) -> Result<Tensor> {
    if !records() {
        return x.apply_op1(op);
    }
    let out = x.apply_op1_no_bwd(&op)?;
    note(
        &[x],
        &out,
        Box::new(move |inputs, out, gradient| match inputs {
            [x] => Ok(vec![op.bwd(x, out, gradient)?]),
            _ => Err(wrong()),
        }),
    );
    Ok(out)
}

/// The same with two inputs.
pub(super) fn apply2(x: &Tensor, y: &Tensor, op: impl CustomOp2 + Send + Sync + 'static) -> Result<Tensor> {
    if !records() {
        return x.apply_op2(y, op);
    }
    let out = x.apply_op2_no_bwd(y, &op)?;
    note(
        &[x, y],
        &out,
        Box::new(move |inputs, out, gradient| match inputs {
            [x, y] => op.bwd(x, y, out, gradient).map(|(of_x, of_y)| vec![of_x, of_y]),
            _ => Err(wrong()),
        }),
    );
    Ok(out)
}

/// The same with three inputs.
pub(super) fn apply3(x: &Tensor, y: &Tensor, z: &Tensor, op: impl CustomOp3 + Send + Sync + 'static) -> Result<Tensor> {
    if !records() {
        return x.apply_op3(y, z, op);
    }
    let out = x.apply_op3_no_bwd(y, z, &op)?;
    note(
        &[x, y, z],
        &out,
        Box::new(move |inputs, out, gradient| match inputs {
            [x, y, z] => op.bwd(x, y, z, out, gradient).map(|(of_x, of_y, of_z)| vec![of_x, of_y, of_z]),
            _ => Err(wrong()),
        }),
    );
    Ok(out)
}

/// `x + y`, of the same shape.
pub fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    apply2(x, y, Add)
}

struct Add;

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout, y: &CpuStorage, other: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, y): (&[f32], &[f32]) = (numbers(x, layout)?, numbers(y, other)?);
        expect(self.name(), "numbers", y.len(), x.len())?;
        result(x.iter().zip(y).map(|(x, y)| x + y).collect(), layout.shape())
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(gradient.clone()), Some(gradient.clone())))
    }
}

fn wrong() -> Error {
    Error::Msg("an operation was noted down with other inputs".into())
}
