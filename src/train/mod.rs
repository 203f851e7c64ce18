//! Learning: the same forward pass as in writing, differentiated by candle's autograd, on float32 variables.
//!
//! A run is a recipe: text, shape, settings and seed. The same recipe gives the same weights byte for byte, with any number
//! of threads and wherever it was interrupted:
//!
//! - every random number is a function of the seed and of what it is for ([`random`]);
//! - a batch is cut into leaves of whole windows; a leaf's gradients are one thread's, and are added up in the leaves' order
//!   ([`gradients`]);
//! - members of a team, with memories of their own, do the same, a leaf each, and each adds up what belongs to its variables;
//! - every number of a product is one chain of multiply-adds ([`product`](crate::kernels::product));
//! - variables go in the order of their names ([`Parameters`]).

mod base;
mod characters;
pub mod curve;
pub mod dataset;
mod dropout;
mod error;
mod evaluation;
mod follow;
pub mod gradients;
mod memory;
pub mod optimizer;
mod parameters;
mod plan;
pub mod random;
mod recipe;
mod run;
mod saved;
mod team;
mod trainer;

pub use base::Base;
pub use characters::add_characters;
pub use dataset::{Dataset, DatasetError, Windows};
pub use error::{SavedError, TrainError};
pub use evaluation::Evaluation;
pub use memory::keep_freed_memory;
pub use parameters::Parameters;
pub use plan::{Plan, Size, leaf};
pub use recipe::{MOST_POINTS, Recipe, Schedule};
pub use run::{Point, Run};
pub use trainer::{Settings, Step, StepReport, Trainer};
