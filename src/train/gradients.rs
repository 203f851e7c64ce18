//! The gradients of a batch: leaf by leaf, shared out among threads, and added up in the leaves' order.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread;

use candle_core::{Device, Tensor};

use super::dataset::Windows;
use super::dropout::Dropout;
use super::team::Place;
use super::{Parameters, TrainError};
use crate::kernels::ops::{Tape, cross_entropy, with_numbers, with_numbers_mut};
use crate::model::{Config, Gpt};

/// How a batch's gradients are computed.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The model's shape.
    pub config: &'a Config,
    /// The weights.
    pub parameters: &'a Parameters,
    /// What is read, and what follows.
    pub windows: &'a Windows,
    /// Windows in a leaf.
    pub leaf: usize,
    /// The share that is dropped, and the step's key.
    pub dropout: (f32, u32),
}

/// The mean loss of a batch in nats per token, and its gradient for each variable, in the order of their names.
#[derive(Debug)]
pub struct Gradients {
    /// Nats per token.
    pub loss: f64,
    /// One for each variable.
    pub tensors: Vec<Tensor>,
}

/// The gradients of a batch's first leaves, as far as they are added up.
#[derive(Debug, Default)]
pub struct Sum {
    /// Leaves that are in it.
    pub(super) leaves: usize,
    /// The losses of those that were computed here.
    pub(super) losses: Vec<f64>,
    /// One for each variable; in a team for those of this member.
    tensors: Option<Vec<Tensor>>,
}

impl Sum {
    /// The gradients of the batch, once all leaves are in.
    pub fn whole(self) -> Result<Gradients, TrainError> {
        let tensors = self.tensors.ok_or(TrainError::NoWindows)?;
        Ok(Gradients { loss: self.losses.iter().sum(), tensors })
    }
}

impl Batch<'_> {
    /// Computes the gradients with so many threads; the bytes are the same for any number.
    pub fn gradients(&self, threads: usize) -> Result<Gradients, TrainError> {
        let mut sum = Sum::default();
        while self.add_leaves(&mut sum, threads)? {}
        sum.whole()
    }

    /// Adds the next leaves, one for each thread. `false` once all are in.
    pub fn add_leaves(&self, sum: &mut Sum, threads: usize) -> Result<bool, TrainError> {
        let leaves: Vec<Range<usize>> = self.leaves().skip(sum.leaves).take(threads).collect();
        sum.leaves += leaves.len();
        let computed = in_parallel(leaves, |leaf| self.leaf(leaf));
        let computed = computed.into_iter().collect::<Result<Vec<_>, _>>()?;
        sum.losses.extend(computed.iter().map(|leaf| leaf.loss));
        let mut tensors = computed.into_iter().map(|leaf| leaf.tensors);
        if let Some(first) = sum.tensors.take().or_else(|| tensors.next()) {
            add_all(&first, &tensors.collect::<Vec<_>>(), threads)?;
            sum.tensors = Some(first);
        }
        Ok(sum.leaves < self.leaves().len())
    }

    /// Adds the next leaves, of which each member of a team computes one. `false` once all are in.
    pub(super) fn add_leaves_of_team(&self, sum: &mut Sum, place: &Place) -> Result<bool, TrainError> {
        let leaves: Vec<Range<usize>> = self.leaves().skip(sum.leaves).take(place.members()).collect();
        let own = leaves.get(place.member()).map(|leaf| self.leaf(leaf.clone())).transpose()?;
        sum.losses.extend(own.as_ref().map(|own| own.loss));
        place.add(own.as_ref().map(|own| own.tensors.as_slice()), leaves.len(), &mut sum.tensors)?;
        sum.leaves += leaves.len();
        Ok(sum.leaves < self.leaves().len())
    }

    /// The windows of each leaf.
    pub(super) fn leaves(&self) -> impl ExactSizeIterator<Item = Range<usize>> {
        let (windows, leaf) = (self.windows.ids.len() / self.config.context, self.leaf);
        (0..windows.div_ceil(leaf)).map(move |index| index * leaf..windows.min((index + 1) * leaf))
    }

    /// The gradients of a leaf: its windows' part of the batch's mean.
    fn leaf(&self, leaf: Range<usize>) -> Result<Gradients, TrainError> {
        let Batch { config, parameters, windows, dropout: (share, key), .. } = *self;
        let gpt = Gpt::load(config, &mut parameters.weights()?)?;
        let place = leaf.start * config.context..leaf.end * config.context;
        let ids = Tensor::from_slice(&windows.ids[place.clone()], (leaf.len(), config.context), &Device::Cpu)?;
        let mut dropout = Dropout { share, key, window: leaf.start, failed: None };
        let forward = || {
            let logits = match share > 0.0 {
                true => gpt.forward_observed(&ids, None, &mut dropout)?,
                false => gpt.forward(&ids, None)?,
            };
            Ok::<_, TrainError>(cross_entropy(&logits, &windows.targets[place], windows.targets.len())?)
        };
        let (loss, tape) = Tape::record(parameters.iter().map(|(_, variable)| variable.id()), forward);
        let loss = loss?;
        if let Some(error) = dropout.failed {
            return Err(error.into());
        }
        let mut gradients = tape.gradients(&loss)?;
        let gradient = |(name, variable): (&str, &candle_core::Var)| {
            gradients.remove(&variable.id()).ok_or_else(|| TrainError::NoGradient(name.to_string()))
        };
        let tensors = parameters.iter().map(gradient).collect::<Result<_, _>>()?;
        Ok(Gradients { loss: f64::from(loss.to_scalar::<f32>()?), tensors })
    }
}

/// Adds leaves to a sum, in order.
fn add_all(sum: &[Tensor], leaves: &[Vec<Tensor>], threads: usize) -> Result<(), TrainError> {
    share_out(sum.iter().enumerate().collect(), threads, |(index, sum)| {
        for leaf in leaves {
            with_numbers_mut(sum, |sum: &mut [f32]| {
                with_numbers(&leaf[index], |leaf: &[f32]| {
                    sum.iter_mut().zip(leaf).for_each(|(sum, leaf)| *sum += leaf);
                })
            })??;
        }
        Ok(())
    })
}

/// Does this with all parts on so many threads; each takes the next part as soon as it is done with one.
pub(super) fn share_out<T: Send>(
    parts: Vec<T>,
    threads: usize,
    each: impl Fn(T) -> Result<(), TrainError> + Sync,
) -> Result<(), TrainError> {
    let parts = Mutex::new(parts.into_iter());
    let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let all = |()| std::iter::from_fn(next).try_for_each(&each);
    in_parallel(vec![(); threads], all).into_iter().collect()
}

/// Does this with each of the parts, one thread each; the calling thread takes the first.
pub(super) fn in_parallel<T: Send, R: Send>(parts: Vec<T>, each: impl Fn(T) -> R + Sync) -> Vec<R> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Vec::new() };
    let each = &each;
    thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(move || each(part))).collect();
        let first = each(first);
        let joined = others.into_iter().map(|other| match other.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(first).chain(joined).collect()
    })
}
