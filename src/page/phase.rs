//! How far a run has come, and what the page shows of it.

use crate::generation::StopReason;

/// What has become of the last run.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// There was none.
    None,
    /// It starts when the model is loaded.
    Waiting,
    /// It writes.
    Writing,
    /// It is over.
    Ended(StopReason),
    /// It broke off; the sentence says why.
    Failed(String),
}

/// The state that the page shows, `data-state` of the status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No model is wanted.
    Idle,
    /// The weights are fetched when the reader says so.
    Asking,
    /// The weights arrive.
    Downloading,
    /// The reader has interrupted that.
    Paused,
    /// The weights are being read.
    Loading,
    /// The model waits for a prompt.
    Ready,
    /// It writes.
    Generating,
    /// It has written.
    Done,
    /// It was stopped.
    Stopped,
    /// Something did not work.
    Failed,
}

impl Phase {
    /// The name in `data-state`.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Asking => "asking",
            Phase::Downloading => "downloading",
            Phase::Paused => "paused",
            Phase::Loading => "loading",
            Phase::Ready => "ready",
            Phase::Generating => "generating",
            Phase::Done => "done",
            Phase::Stopped => "stopped",
            Phase::Failed => "failed",
        }
    }
}
