//! The way back: operations are noted down while they are computed, and their gradients follow in the reverse order.
//!
//! candle's own way back knows every operation of candle's for every type of number, which makes a program of four megabytes
//! where a model needs seven operations. While nothing is noted down, candle tracks the operations as ever; both ways give the
//! same bits.

use std::cell::RefCell;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Tensor, TensorId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{expect, numbers, result};

/// Operations in the order in which they were computed.
#[derive(Default)]
pub struct Tape {
    nodes: Vec<Node>,
    /// Tensors that a gradient flows to: the variables, and what was computed of them.
    tracked: FxHashSet<TensorId>,
}

/// What an operation does with the gradient of its result: gradients of its inputs. It holds what it needs for that.
type Back = Box<dyn Fn(&Tensor) -> Result<Vec<Option<Tensor>>>>;

/// An operation that was computed.
struct Node {
    inputs: Vec<TensorId>,
    out: TensorId,
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
            let Some(gradient) = gradients.remove(&out) else { continue };
            for (input, gradient) in inputs.into_iter().zip(back(&gradient)?) {
                let Some(gradient) = gradient.filter(|_| self.tracked.contains(&input)) else { continue };
                let sum = match gradients.remove(&input) {
                    // A new tensor: both may be the gradients of other tensors, too.
                    Some(other) => other.contiguous()?.apply_op2_no_bwd(&gradient.contiguous()?, &Add)?,
                    None => gradient,
                };
                gradients.insert(input, sum);
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
        let inputs = inputs.iter().map(|input| input.id()).collect();
        tape.nodes.push(Node { inputs, out: out.id(), back });
    });
}

/// Computes an operation with one input, through which gradients flow. Its result is kept for them.
pub fn apply1(x: &Tensor, op: impl CustomOp1 + Send + Sync + 'static) -> Result<Tensor> {
    if !records() {
        return x.apply_op1(op);
    }
    let out = x.apply_op1_no_bwd(&op)?;
    let (kept, result) = (x.clone(), out.clone());
    note(&[x], &out, Box::new(move |gradient| Ok(vec![op.bwd(&kept, &result, gradient)?])));
    Ok(out)
}

/// The same with two inputs. The result is not kept: the operation gets its gradient in its place.
pub(super) fn apply2(x: &Tensor, y: &Tensor, op: impl CustomOp2 + Send + Sync + 'static) -> Result<Tensor> {
    if !records() {
        return x.apply_op2(y, op);
    }
    let out = x.apply_op2_no_bwd(y, &op)?;
    let kept = [x.clone(), y.clone()];
    let back = move |gradient: &Tensor| {
        let [x, y] = &kept;
        let (of_x, of_y) = op.bwd(x, y, gradient, gradient)?;
        Ok(vec![of_x, of_y])
    };
    note(&[x, y], &out, Box::new(back));
    Ok(out)
}

/// The same with three inputs.
pub(super) fn apply3(x: &Tensor, y: &Tensor, z: &Tensor, op: impl CustomOp3 + Send + Sync + 'static) -> Result<Tensor> {
    if !records() {
        return x.apply_op3(y, z, op);
    }
    let out = x.apply_op3_no_bwd(y, z, &op)?;
    let kept = [x.clone(), y.clone(), z.clone()];
    let back = move |gradient: &Tensor| {
        let [x, y, z] = &kept;
        let (of_x, of_y, of_z) = op.bwd(x, y, z, gradient, gradient)?;
        Ok(vec![of_x, of_y, of_z])
    };
    note(&[x, y, z], &out, Box::new(back));
    Ok(out)
}

/// `x + y`, of the same shape. Its gradients need neither.
pub fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    if !records() {
        return x.apply_op2(y, Add);
    }
    let out = x.apply_op2_no_bwd(y, &Add)?;
    note(&[x, y], &out, Box::new(|gradient| Ok(vec![Some(gradient.clone()); 2])));
    Ok(out)
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
