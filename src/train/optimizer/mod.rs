//! How variables follow their gradients. Every variable is updated by itself, so that threads can share them out.

mod adamw;
mod muon;

pub use adamw::AdamW;
pub use muon::Muon;

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

/// How one variable is updated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Element by element.
    AdamW(AdamW),
    /// As a matrix with so many rows.
    Muon(Muon, usize),
}

impl Optimizer {
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
            // A state is made by `begin`, or read by its optimizer's name.
            _ => {}
        }
    }
}
