//! How variables follow their gradients. Every variable is updated by itself, so that threads can share them out.

mod adamw;
mod muon;

pub use adamw::AdamW;
pub use muon::Muon;
use serde::{Deserialize, Serialize};

/// What one variable's optimizer remembers between two steps.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// For AdamW: running means of the gradient and of its square.
    AdamW {
        /// Of the gradient.
        mean: Vec<f32>,
        /// Of its square.
        square: Vec<f32>,
    },
    /// For Muon: a running mean of the gradient.
    Muon {
        /// The mean.
        momentum: Vec<f32>,
    },
}

/// How the variables of a model are updated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optimizers {
    /// For all but the blocks' matrices, or for those too. Only matrices decay.
    pub adamw: AdamW,
    /// For the blocks' matrices.
    pub muon: Option<Muon>,
}

impl Optimizers {
    /// The optimizer of the variable with this name and shape.
    pub fn of(&self, name: &str, shape: &[usize]) -> Optimizer {
        match (self.muon, shape) {
            (Some(muon), &[rows, _]) if name.starts_with("blk.") => Optimizer::Muon(muon, rows),
            (_, &[_, _]) => Optimizer::AdamW(self.adamw),
            _ => Optimizer::AdamW(AdamW { weight_decay: 0.0, ..self.adamw }),
        }
    }
}

/// How one variable is updated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Element by element.
    AdamW(AdamW),
    /// As a matrix with so many rows.
    Muon(Muon, usize),
}

impl State {
    /// The numbers that are remembered.
    pub fn numbers(&self) -> impl Iterator<Item = &[f32]> {
        match self {
            State::AdamW { mean, square } => [Some(mean), Some(square)],
            State::Muon { momentum } => [Some(momentum), None],
        }
        .into_iter()
        .flatten()
        .map(Vec::as_slice)
    }

    /// The same, to be changed.
    pub fn numbers_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        match self {
            State::AdamW { mean, square } => [Some(mean), Some(square)],
            State::Muon { momentum } => [Some(momentum), None],
        }
        .into_iter()
        .flatten()
        .map(Vec::as_mut_slice)
    }
}

impl Optimizer {
    /// What an update of a variable with so many numbers costs, compared with others.
    pub fn cost(&self, count: usize) -> u64 {
        match self {
            Optimizer::AdamW(_) => count as u64,
            // Products of a matrix and a square one, whose side is its smaller one.
            Optimizer::Muon(_, rows) => count as u64 * (*rows).min(count / (*rows).max(1)) as u64,
        }
    }

    /// How many lists of numbers are remembered, each as long as the variable.
    pub fn lists(&self) -> usize {
        match self {
            Optimizer::AdamW(_) => 2,
            Optimizer::Muon(..) => 1,
        }
    }

    /// What is remembered before the first step of a variable with so many numbers.
    pub fn begin(&self, count: usize) -> State {
        match self {
            Optimizer::AdamW(_) => State::AdamW { mean: vec![0.0; count], square: vec![0.0; count] },
            Optimizer::Muon(..) => State::Muon { momentum: vec![0.0; count] },
        }
    }

    /// Updates a variable by its gradient. `step` counts from 1, `rate` multiplies the learning rate.
    pub fn update(&self, weights: &mut [f32], gradient: &[f32], state: &mut State, step: u64, rate: f32) {
        match (self, state) {
            (Optimizer::AdamW(adamw), State::AdamW { mean, square }) => {
                adamw.update(weights, gradient, (mean, square), step, rate);
            }
            (Optimizer::Muon(muon, rows), State::Muon { momentum }) => {
                muon.update(weights, gradient, momentum, *rows, rate);
            }
            // A state is made by its optimizer's `begin`.
            _ => unreachable!("a state of another optimizer"),
        }
    }
}
