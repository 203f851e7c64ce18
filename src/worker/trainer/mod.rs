//! The trainer's program: has models learn a text. The page starts it where its view is opened.
//!
//! `serve` is its loop; `text` is what is learned, `measure` says how long it takes, `learning` is a run that takes its steps,
//! and `run_store` keeps it in the browser's storage.

mod learning;
mod measure;
mod run_store;
mod serve;
mod text;

/// Serves as long as the worker lives.
pub fn start() {
    super::start(serve::serve());
}
