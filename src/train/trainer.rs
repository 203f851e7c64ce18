//! A run: one step after another.

use std::cmp::Reverse;

use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Windows};
use super::dropout::Dropout;
use super::gradients::{Batch, Sum, share_out};
use super::optimizer::{Optimizer, Optimizers, State};
use super::team::{Order, Place};
use super::{Parameters, TrainError};
use crate::kernels::ops::{with_numbers, with_numbers_mut};
use crate::model::{Config, Exchange, Share, TeamError};

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
    /// One for each variable.
    optimizers: Vec<Optimizer>,
    /// The variables that are updated here, in ascending order: all of them, or a member's.
    owned: Vec<usize>,
    /// The means of those.
    mean: Parameters,
    /// What their optimizers remember.
    states: Vec<State>,
    steps: u64,
    threads: usize,
    /// Where this is one of several members.
    place: Option<Place>,
}

/// A step that is under way. Nothing has changed until it is [finished](Trainer::finish).
#[derive(Debug)]
pub struct Step {
    windows: Windows,
    rate: f32,
    sum: Sum,
    /// The order that has the members of a team take it.
    order: Option<u32>,
}

impl Step {
    /// A step on these windows; `rate` multiplies the learning rates.
    pub fn new(windows: Windows, rate: f32) -> Self {
        Step { windows, rate, sum: Sum::default(), order: None }
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
        Trainer::for_share(config, settings, parameters, optimizers, Share::WHOLE)
    }

    /// The same with nothing but what a member of a team needs, which is to [`join`](Self::join) it.
    pub(super) fn for_share(
        config: &Config,
        settings: Settings,
        parameters: Parameters,
        optimizers: Optimizers,
        share: Share,
    ) -> Result<Self, TrainError> {
        let optimizers: Vec<_> =
            parameters.iter().map(|(name, variable)| optimizers.of(name, variable.dims())).collect();
        let owned = Place::owned_by(share, &sizes(&parameters, &optimizers));
        let begin = |index: &usize| optimizers[*index].begin(parameters.variables()[*index].elem_count());
        Ok(Trainer {
            config: config.clone(),
            settings,
            mean: parameters.only(&owned)?.copy()?,
            states: owned.iter().map(begin).collect(),
            owned,
            parameters,
            optimizers,
            steps: 0,
            threads: 1,
            place: None,
        })
    }

    /// Becomes a member of a team, all of whom have the same weights and have taken the same steps: keeps the means of its own
    /// variables, and forgets those of the others'.
    pub(super) fn join(&mut self, share: Share, exchange: Box<dyn Exchange>) -> Result<(), TrainError> {
        let place = Place::new(share, exchange, &sizes(&self.parameters, &self.optimizers));
        let stays: Vec<bool> = self.owned.iter().map(|index| place.owned().binary_search(index).is_ok()).collect();
        let kept: Vec<usize> = (0..stays.len()).filter(|index| stays[*index]).collect();
        self.mean = self.mean.only(&kept)?;
        let mut stays = stays.into_iter();
        self.states.retain(|_| stays.next() == Some(true));
        self.owned = place.owned().to_vec();
        self.place = Some(place);
        Ok(())
    }

    /// Its place in a team, if it is in one.
    pub(super) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Uses so many threads from now on; the bytes are the same for any number.
    pub fn set_threads(&mut self, threads: usize) {
        self.threads = threads.max(1);
    }

    /// The weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Their mean over the last steps, which is better than they are: what is evaluated and exported. Of the members of a
    /// team only the one that leads gets it whole.
    pub fn mean(&self) -> Result<Parameters, TrainError> {
        if let Some(place) = &self.place {
            place.announce(Order::Mean)?;
        }
        self.gathered_mean(false)
    }

    /// The same where the members of a team are told; also for those that do not lead, if `for_all`.
    pub(super) fn gathered_mean(&self, for_all: bool) -> Result<Parameters, TrainError> {
        let Some(place) = &self.place else { return Ok(self.mean.clone()) };
        let mean = match for_all || place.member() == 0 {
            true => self.parameters.completed(&self.mean)?,
            false => self.mean.clone(),
        };
        place.spread(self.mean.variables(), mean.variables(), for_all)?;
        Ok(mean)
    }

    /// Whether every weight and every mean is a number.
    pub fn is_finite(&self) -> Result<bool, TrainError> {
        let mut is_finite = true;
        let owned = self.owned.iter().map(|index| &self.parameters.variables()[*index]);
        if let Some(place) = &self.place {
            place.announce(Order::Finite)?;
        }
        for variable in owned.chain(self.mean.variables()) {
            is_finite &= with_numbers(variable, |numbers: &[f32]| numbers.iter().all(|number| number.is_finite()))?;
        }
        match &self.place {
            Some(place) => {
                let all = place.gather(&[f64::from(u8::from(is_finite))], |_| 1)?;
                Ok(all.iter().flatten().all(|number| *number == 1.0))
            }
            None => Ok(is_finite),
        }
    }

    /// The share by which the mean follows the weights after a step: more at first, so that the first weights are soon forgotten.
    fn follow(&self) -> f32 {
        1.0 - self.settings.ema.min(self.steps as f32 / (self.steps as f32 + 10.0))
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Goes on behind so many steps; weights, means and [what is remembered](Self::put_back) are put back by the caller.
    pub fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// Hands out the mean weights, a variable after another, and then what the optimizers remember. Of the members of a team
    /// only the one that leads takes it.
    pub fn remembered(&self, mut take: impl FnMut(&[f32]) -> Result<(), TrainError>) -> Result<(), TrainError> {
        if let Some(place) = &self.place {
            place.announce(Order::Remembered)?;
        }
        let mut hand_over = |variable: usize, own: &[f32]| match &self.place {
            Some(place) => {
                place.hand_over(variable, self.parameters.variables()[variable].elem_count(), own, &mut take)
            }
            None => take(own),
        };
        let own = |variable: usize| self.owned.binary_search(&variable).ok();
        for variable in 0..self.optimizers.len() {
            match own(variable) {
                Some(index) => with_numbers(&self.mean.variables()[index], |mean| hand_over(variable, mean))??,
                None => hand_over(variable, &[])?,
            }
        }
        for (variable, optimizer) in self.optimizers.iter().enumerate() {
            for list in 0..optimizer.lists() {
                let numbers = own(variable).and_then(|index| self.states[index].numbers().nth(list));
                hand_over(variable, numbers.unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// Puts back what [`remembered`](Self::remembered) handed over: `give` fills in so many numbers, or passes over them where
    /// another member of the team has them.
    pub(super) fn put_back(
        &mut self,
        mut give: impl FnMut(usize, Option<&mut [f32]>) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let counts: Vec<usize> = self.parameters.variables().iter().map(|variable| variable.elem_count()).collect();
        let own = |variable: usize| self.owned.binary_search(&variable).ok();
        for (variable, count) in counts.iter().enumerate() {
            match own(variable) {
                Some(index) => with_numbers_mut(&self.mean.variables()[index], |mean| give(*count, Some(mean)))??,
                None => give(*count, None)?,
            }
        }
        for (variable, count) in counts.iter().enumerate() {
            match own(variable) {
                Some(index) => self.states[index].numbers_mut().try_for_each(|numbers| give(*count, Some(numbers)))?,
                None => (0..self.optimizers[variable].lists()).try_for_each(|_| give(*count, None))?,
            }
        }
        Ok(())
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

    /// Computes the next part of a step's gradients: a leaf for each thread, or for each member of a team. `false` once that
    /// was the last.
    pub fn go_on(&self, step: &mut Step) -> Result<bool, TrainError> {
        let Settings { leaf, dropout, seed, .. } = self.settings;
        let key = Dropout::key(seed, self.steps);
        let (config, parameters) = (&self.config, &self.parameters);
        let batch = Batch { config, parameters, windows: &step.windows, leaf, dropout: (dropout, key) };
        let Some(place) = &self.place else { return batch.add_leaves(&mut step.sum, self.threads) };
        place.go_on(&mut step.order, Order::Step(self.steps))?;
        batch.add_leaves_of_team(&mut step.sum, place)
    }

    /// Takes a step whose gradients are all computed.
    pub fn finish(&mut self, mut step: Step) -> Result<StepReport, TrainError> {
        if let Some(place) = &self.place {
            place.go_on(&mut step.order, Order::Step(self.steps))?;
        }
        let (rate, clip, leaves, mut losses) =
            (step.rate, self.settings.clip, step.sum.leaves, step.sum.losses.clone());
        let gradients = step.sum.whole()?.tensors;
        let squares = gradients.iter().map(|tensor| with_numbers(tensor, square_sum));
        let mut squares = squares.collect::<Result<Vec<f64>, _>>()?;
        if let Some(place) = &self.place {
            losses = place.gather_by_leaf(&losses, leaves)?;
            squares = place.gather_by_variable(&squares)?;
        }
        let (step, loss, norm) = (self.steps + 1, losses.iter().sum::<f64>(), squares.iter().sum::<f64>().sqrt());
        if !loss.is_finite() {
            return Err(TrainError::Diverged { step, loss });
        }
        let change =
            Change { step, rate, factor: (f64::from(clip) / (norm + 1e-6)).min(1.0) as f32, follow: self.follow() };
        self.update(&gradients, change).map_err(|error| match (error, &self.place) {
            // Weights have changed already.
            (TrainError::Team(TeamError::GivenUp), Some(place)) => place.lost_leader().into(),
            (error, _) => error,
        })?;
        self.steps = step;
        Ok(StepReport { step, loss, norm })
    }

    /// Updates the variables by the gradients of those that are updated here.
    fn update(&mut self, gradients: &[Tensor], change: Change) -> Result<(), TrainError> {
        let weights: Vec<Var> = self.owned.iter().map(|index| self.parameters.variables()[*index].clone()).collect();
        let optimizers = self.owned.iter().map(|index| &self.optimizers[*index]);
        let learners = weights.iter().zip(self.mean.variables()).zip(optimizers).zip(&mut self.states);
        let learners =
            learners.map(|(((weights, mean), optimizer), state)| Learner { weights, mean, optimizer, state });
        let mut learners: Vec<_> = learners.zip(gradients).collect();
        learners.sort_by_key(|(learner, _)| Reverse(learner.weights.elem_count()));
        share_out(learners, self.threads, |(learner, gradient)| learner.update(gradient, change))?;
        match &self.place {
            Some(place) => {
                place.spread(&weights, self.parameters.variables(), true)?;
                Ok(place.meet()?)
            }
            None => Ok(()),
        }
    }
}

/// A variable that learns.
struct Learner<'a> {
    weights: &'a Var,
    mean: &'a Var,
    optimizer: &'a Optimizer,
    state: &'a mut State,
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

impl Learner<'_> {
    fn update(self, gradient: &Tensor, change: Change) -> Result<(), TrainError> {
        let Learner { weights, mean, optimizer, state } = self;
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
/// How many numbers each variable has, and what its update costs.
fn sizes(parameters: &Parameters, optimizers: &[Optimizer]) -> Vec<(usize, u64)> {
    let counts = parameters.variables().iter().map(|variable| variable.elem_count());
    counts.zip(optimizers).map(|(count, optimizer)| (count, optimizer.cost(count))).collect()
}

fn square_sum(numbers: &[f32]) -> f64 {
    let square = |number: &f32| f64::from(*number) * f64::from(*number);
    let (eights, rest) = numbers.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, number)| *sum += square(number));
    }
    sums.iter().sum::<f64>() + rest.iter().map(square).sum::<f64>()
}
