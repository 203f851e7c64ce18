//! The trainer's program: has models learn a text. The page starts it where its view is opened.
//!
//! `serve` is its loop; `text` is what is learned, `measure` says how long it takes, `learning` is a run that takes its steps,
//! `run_store` keeps it in the browser's
//! storage, and `team` has several workers learn together.

mod learning;
mod measure;
mod run_store;
mod serve;
mod team;
mod text;

use super::channel::Channel;
use super::team::{follow, is_member};
use crate::app::protocol::TrainRequest;

/// The bridge to the page, by which it steers the trainer.
type Steering = Channel<TrainRequest>;

/// Serves, or learns with a worker that does, as long as the worker lives.
pub fn start() {
    match is_member() {
        true => follow(team::learn),
        false => super::start(serve::serve()),
    }
}
