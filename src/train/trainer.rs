//! A run: one step after another.

use std::cmp::Reverse;

use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Windows};
use super::dropout::Dropout;
use super::gradients::{Batch, Sum, share_out};
use super::optimizer::{Optimizer, Optimizers, State};
use super::{Parameters, TrainError};
use crate::kernels::ops::{with_numbers, with_numbers_mut};
use crate::model::Config;

/// How a model learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Windows in a batch.
    pub batch: usize,
    /// Windows in a leaf of a batch.
    pub leaf: usize,
    /// The share that dropout sets to 0 of what attention and MLP add; of embeddings and hidden layers half as much.
    pub dropout: f32,
    /// The largest norm of all gradients together; longer ones are scaled down.
    pub clip: f32,
    /// How slowly the mean of the weights follows them, from 0 to below 1.
    pub ema: f32,
    /// Decides the first weights, those of new characters, the order of the windows and what is dropped.
    pub seed: u64,
}

/// A model that learns.
#[derive(Debug)]
pub struct Trainer {
    config: Config,
    settings: Settings,
    parameters: Parameters,
    mean: Parameters,
    /// One for each variable.
    learners: Vec<Learner>,
    steps: u64,
    threads: usize,
}

/// A step that is under way. Nothing has changed until it is [finished](Trainer::finish).
#[derive(Debug)]
pub struct Step {
    windows: Windows,
    rate: f32,
    sum: Sum,
}

impl Step {
    /// A step on these windows; `rate` multiplies the learning rates.
    pub fn new(windows: Windows, rate: f32) -> Self {
        Step { windows, rate, sum: Sum::default() }
    }
}

/// What a step found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Its number, from 1.
    pub step: u64,
    /// The mean loss of the batch before the step, in nats per token.
    pub loss: f64,
    /// The norm of all gradients together.
    pub norm: f64,
}

impl Trainer {
    /// Begins with these weights.
    pub fn new(
        config: &Config,
        settings: Settings,
        parameters: Parameters,
        optimizers: Optimizers,
    ) -> Result<Self, TrainError> {
        let learner = |(name, variable): (&str, &Var)| {
            let optimizer = optimizers.of(name, variable.dims());
            Learner { optimizer, state: optimizer.begin(variable.elem_count()) }
        };
        let (learners, mean) = (parameters.iter().map(learner).collect(), parameters.copy()?);
        Ok(Trainer { config: config.clone(), settings, parameters, mean, learners, steps: 0, threads: 1 })
    }

    /// Uses so many threads from now on; the bytes are the same for any number.
    pub fn set_threads(&mut self, threads: usize) {
        self.threads = threads.max(1);
    }

    /// The weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Their mean over the last steps, which is better than they are: what is evaluated and exported.
    pub fn mean(&self) -> &Parameters {
        &self.mean
    }

    /// The share by which the mean follows the weights after a step: more at first, so that the first weights are soon forgotten.
    fn follow(&self) -> f32 {
        1.0 - self.settings.ema.min(self.steps as f32 / (self.steps as f32 + 10.0))
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Goes on behind so many steps; weights and [`remembered`](Self::remembered) are put back by the caller.
    pub fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// What the optimizers remember, a variable after another.
    pub fn remembered(&self) -> impl Iterator<Item = &[f32]> {
        self.learners.iter().flat_map(|learner| learner.state.numbers())
    }

    /// The same, to be changed.
    pub fn remembered_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.learners.iter_mut().flat_map(|learner| learner.state.numbers_mut())
    }

    /// Threads that compute.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The windows of the next step.
    pub fn next_windows(&self, dataset: &Dataset) -> Windows {
        let batch = self.settings.batch as u64;
        dataset.batch(self.steps * batch..(self.steps + 1) * batch)
    }

    /// Takes a step on these windows. `rate` multiplies the learning rates.
    pub fn step(&mut self, windows: &Windows, rate: f32) -> Result<StepReport, TrainError> {
        let mut step = Step::new(windows.clone(), rate);
        while self.go_on(&mut step)? {}
        self.finish(step)
    }

    /// Computes the next part of a step's gradients: a leaf for each thread. `false` once that was the last.
    pub fn go_on(&self, step: &mut Step) -> Result<bool, TrainError> {
        let Settings { leaf, dropout, seed, .. } = self.settings;
        let key = Dropout::key(seed, self.steps);
        let (config, parameters) = (&self.config, &self.parameters);
        let batch = Batch { config, parameters, windows: &step.windows, leaf, dropout: (dropout, key) };
        batch.add_leaves(&mut step.sum, self.threads)
    }

    /// Takes a step whose gradients are all computed.
    pub fn finish(&mut self, step: Step) -> Result<StepReport, TrainError> {
        let (rate, clip, gradients) = (step.rate, self.settings.clip, step.sum.whole()?);
        let step = self.steps + 1;
        if !gradients.loss.is_finite() {
            return Err(TrainError::Diverged { step, loss: gradients.loss });
        }
        let squares = gradients.tensors.iter().map(|tensor| with_numbers(tensor, square_sum));
        let norm = squares.sum::<Result<f64, _>>()?.sqrt();
        let change =
            Change { step, rate, factor: (f64::from(clip) / (norm + 1e-6)).min(1.0) as f32, follow: self.follow() };
        let variables = self.parameters.iter().zip(self.mean.iter()).zip(gradients.tensors).zip(&mut self.learners);
        let mut variables: Vec<_> = variables
            .map(|((((_, weights), (_, mean)), gradient), learner)| (weights, mean, gradient, learner))
            .collect();
        variables.sort_by_key(|(weights, ..)| Reverse(weights.elem_count()));
        share_out(variables, self.threads, |(weights, mean, gradient, learner)| {
            learner.update(weights, mean, &gradient, change)
        })?;
        self.steps = step;
        Ok(StepReport { step, loss: gradients.loss, norm })
    }
}

/// How a variable learns.
#[derive(Debug)]
struct Learner {
    optimizer: Optimizer,
    state: State,
}

/// What all variables have in common in a step.
#[derive(Clone, Copy)]
struct Change {
    step: u64,
    rate: f32,
    /// Multiplies the gradients.
    factor: f32,
    /// The share by which the mean of the weights follows them.
    follow: f32,
}

impl Learner {
    fn update(&mut self, weights: &Var, mean: &Var, gradient: &Tensor, change: Change) -> Result<(), TrainError> {
        let Learner { optimizer, state } = self;
        with_numbers_mut(gradient, |gradient| {
            gradient.iter_mut().for_each(|gradient| *gradient *= change.factor);
            with_numbers_mut(weights, |weights| {
                optimizer.update(weights, gradient, state, change.step, change.rate);
                with_numbers_mut(mean, |mean| {
                    mean.iter_mut().zip(weights).for_each(|(mean, weight)| *mean += change.follow * (*weight - *mean));
                })
            })
        })???;
        Ok(())
    }
}

/// The sum of the squares, in eight chains.
fn square_sum(numbers: &[f32]) -> f64 {
    let square = |number: &f32| f64::from(*number) * f64::from(*number);
    let (eights, rest) = numbers.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, number)| *sum += square(number));
    }
    sums.iter().sum::<f64>() + rest.iter().map(square).sum::<f64>()
}
