//! The messages between the page and its workers.
//!
//! There are three workers, see [`Program`]. Each sends [`Event::Ready`] first; messages posted to it before that are
//! lost. A message is an array of two: a request or an event, and the files that belong to it. The trainer's requests are
//! [`TrainRequest`]s.
//!
//! A worker answers requests in order. Any request ends the run before it, except those that are answered in the
//! background, see [`Request::is_background`]. The page numbers its requests (`run`, `number`), and ignores events with
//! an older number than its newest.

mod event;
mod inside;
mod own;
mod publication;
mod report;
mod request;
#[cfg(test)]
mod tests;
mod training;
mod transfer_policy;

pub use event::{Event, Task};
pub use inside::{At, LEVELS, Mark, Place, View, add_mark, level};
pub use own::{Answers, Asked, Description, Export, FileLocation, Finding, GgufFile, ModelFile, Question};
pub use publication::Publication;
pub use report::{BenchReport, ModelSummary, Stats, Stored, StoredModel};
pub use request::Request;
pub use training::{
    Curve, Ended, Estimate, RunFacts, Sample, StoredRun, TextFacts, TrainEvent, TrainProgress, TrainRequest,
};
pub use transfer_policy::TransferPolicy;

/// A worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Opens GGUF files and generates text with them; fetches those of this site.
    Engine,
    /// Converts files of the reader's and of Hugging Face to GGUF files, and these to other formats. The page starts it
    /// on demand, and ends it when nothing is left to do.
    Converter,
    /// Has models learn a text.
    Trainer,
}
