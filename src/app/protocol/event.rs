//! What the workers tell the page.

use macro_rules_attribute::derive;
use serde::Serialize;

use super::{BenchReport, Finding, GgufFile, Mark, ModelSummary, Place, Stats, Stored, TrainEvent};
use crate::app::threads::Speeds;
use crate::evaluate::verify::Verification;
use crate::explain::Surprise;
use crate::generation::StopReason;
use crate::tokenizer::TokenSpan;
use crate::wire::{Read, Unread};

/// Worker → page.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub enum Event {
    /// The worker is ready for requests.
    Ready {
        /// What computes, for people: `WebAssembly SIMD, 1 thread`; `None` for a worker that does not compute.
        backend: Option<String>,
    },
    /// The weights are not here, and the reader has not agreed to fetch them.
    Asking {
        /// The host that they would come from; empty for this site.
        host: String,
        /// Bytes that are here already.
        received: u64,
        /// Bytes there are in all.
        total: u64,
    },
    /// The weights are on another origin, and the reader has agreed to fetch them from there.
    ToFetch {
        /// The catalog's id.
        id: String,
    },
    /// Another tab uses the same weights, and this one waits for it.
    Waiting,
    /// Weights arrive; at most once per frame.
    Downloading {
        /// Bytes that have arrived, in this visit or an earlier one.
        received: u64,
        /// Bytes there are in all.
        total: u64,
        /// How fast they arrive, once that can be told.
        bytes_per_second: Option<f64>,
    },
    /// A request interrupted the download. What has arrived is kept for [`Request::Load`](super::Request::Load).
    Paused {
        /// Bytes that have arrived.
        received: u64,
        /// Bytes there are in all.
        total: u64,
    },
    /// A download was ended. Its files are removed, unless another tab goes on with them.
    Cancelled,
    /// Something about this download that the reader should know, as a sentence.
    Notice(String),
    /// What is stored, and how much room there is.
    Stored(Stored),
    /// A fetch failed and is tried again.
    Retrying {
        /// What went wrong, as a sentence.
        reason: String,
        /// Milliseconds until the next try.
        delay_ms: u32,
    },
    /// All bytes are here and verified, and the model is being built.
    Opening,
    /// How fast models of a shape are computed here, to be remembered.
    Measured(Speeds),
    /// The model is ready.
    Loaded(ModelSummary),
    /// [`Request::Load`](super::Request::Load) asked for a model of the reader's own that is not stored here.
    NotHere,
    /// The result of [`Request::Inspect`](super::Request::Inspect).
    Inspected {
        /// The number of the question.
        run: u32,
        /// What the files are.
        finding: Finding,
    },
    /// The progress of [`Request::Import`](super::Request::Import); at most once per frame.
    Importing {
        /// The run.
        run: u32,
        /// Bytes written or hashed.
        done: u64,
        /// Bytes in all.
        all: u64,
    },
    /// The file that comes with this is a GGUF that runs unchanged. It can be opened while its hash is still computed,
    /// which [`Event::Converted`] brings.
    Runs {
        /// The run.
        run: u32,
        /// The file, without id, hash and checksums.
        file: GgufFile,
    },
    /// The GGUF of [`Request::Import`](super::Request::Import). The file comes with this unless it is in storage.
    Converted {
        /// The run.
        run: u32,
        /// The file.
        file: GgufFile,
    },
    /// The GGUF of [`Request::Fetch`](super::Request::Fetch). The file comes with this unless it is in storage.
    Fetched {
        /// The file.
        file: GgufFile,
    },
    /// [`Request::Keep`](super::Request::Keep) has ended. If it failed, [`Event::Failed`] came before.
    Kept {
        /// The file as it is stored now; `None` if it is not.
        file: Option<GgufFile>,
    },
    /// The model of [`Request::Import`](super::Request::Import) is ready.
    Imported {
        /// The run.
        run: u32,
        /// The model.
        summary: ModelSummary,
    },
    /// A run has begun.
    Started {
        /// The run.
        run: u32,
        /// Length of the prompt, in tokens.
        prompt_tokens: u32,
        /// How many of them the model reads: the last ones, as many as fit its context.
        read_tokens: u32,
    },
    /// New text since the last event of this run; at most every other frame.
    Text {
        /// The run.
        run: u32,
        /// The new text; empty during prefill.
        delta: String,
        /// The tokens that have been drawn since. [`Request::Resume`](super::Request::Resume) takes them all.
        ids: Vec<u32>,
        /// How surprising they are, where [`Request::Mark`](super::Request::Mark) has asked for it.
        marks: Vec<Mark>,
        /// The numbers so far.
        stats: Stats,
    },
    /// The text of [`Request::Read`](super::Request::Read) can be looked into.
    Read {
        /// The run.
        run: u32,
    },
    /// A text goes on otherwise, behind these tokens, from which on the rest is replaced.
    Forked {
        /// The run.
        run: u32,
        /// Tokens of it that stay.
        kept: u32,
        /// Their text.
        text: String,
        /// Whether the text had ended before, by its settings, and was continued.
        is_continued: bool,
    },
    /// The answer to [`Request::Look`](super::Request::Look).
    Seen {
        /// The run.
        run: u32,
        /// Where the token stands.
        place: Place,
        /// What is seen: an [`Answer`](crate::explain::Answer) as JSON.
        answer: String,
    },
    /// How far the answer to [`Request::Look`](super::Request::Look) or [`Request::Mark`](super::Request::Mark) is; at most
    /// once per frame.
    Looking {
        /// The run.
        run: u32,
        /// What is done.
        done: u32,
        /// Of how much.
        total: u32,
    },
    /// The answer to [`Request::Mark`](super::Request::Mark) for the tokens before it.
    Marked {
        /// The run.
        run: u32,
        /// From the beginning of the text.
        marks: Vec<Mark>,
        /// The whole.
        surprise: Surprise,
        /// The tokens from the second on, each with its text and how surprising it is, in bits. The page has the marks.
        rated: Unread<Vec<(u32, String, f64)>>,
    },
    /// The answer to [`Request::Encode`](super::Request::Encode): the tokens; or what is wrong, as a sentence.
    Encoded {
        /// The run.
        run: u32,
        /// The tokens.
        ids: Result<Vec<u32>, String>,
    },
    /// A run has ended; all its text has been sent.
    Done {
        /// The run.
        run: u32,
        /// Why.
        reason: StopReason,
        /// The numbers.
        stats: Stats,
    },
    /// The result of [`Request::Bench`](super::Request::Bench).
    Benched {
        /// The run.
        run: u32,
        /// The numbers.
        report: BenchReport,
    },
    /// The progress of [`Request::Verify`](super::Request::Verify); at most once per frame.
    Verifying {
        /// The run.
        run: u32,
        /// Steps done.
        done: u32,
        /// Steps there are.
        all: u32,
    },
    /// The result of [`Request::Verify`](super::Request::Verify).
    Verified {
        /// The run.
        run: u32,
        /// How the figures compare.
        verification: Verification,
    },
    /// The progress of [`Request::Export`](super::Request::Export); at most once per frame.
    Exporting {
        /// The run.
        run: u32,
        /// Bytes written.
        done: u64,
        /// Bytes in all.
        all: u64,
    },
    /// The file of [`Request::Export`](super::Request::Export), which comes with this.
    Exported {
        /// The run.
        run: u32,
        /// A URL within this browser, filled in by the page. It is valid for a minute.
        url: String,
        /// The file's name.
        name: String,
    },
    /// A request ended [`Request::Bench`](super::Request::Bench), [`Request::Verify`](super::Request::Verify),
    /// [`Request::Look`](super::Request::Look), [`Request::Mark`](super::Request::Mark),
    /// [`Request::Import`](super::Request::Import) or [`Request::Export`](super::Request::Export) before it had a
    /// result.
    Interrupted {
        /// The run.
        run: u32,
    },
    /// The tokens of a text. Characters that the vocabulary lacks are left out.
    Tokenized {
        /// The number of the question.
        number: u32,
        /// Tokens there are.
        count: u32,
        /// The first [`SHOWN_TOKENS`](crate::tokenizer::SHOWN_TOKENS) of them.
        tokens: Vec<TokenSpan>,
    },
    /// A request failed. The worker goes on listening, and text sent so far stays valid.
    Failed {
        /// The task that failed.
        task: Task,
        /// What happened and what to do, as a sentence.
        message: String,
    },
    /// From the trainer.
    Training(TrainEvent),
    /// The worker cannot go on and must be replaced.
    Panicked {
        /// The panic's message and place.
        message: String,
    },
}

/// The task that a failure ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Read!)]
pub enum Task {
    /// [`Request::Load`](super::Request::Load).
    Load,
    /// [`Request::Cancel`](super::Request::Cancel), [`Request::Discard`](super::Request::Discard),
    /// [`Request::Keep`](super::Request::Keep), [`Request::Rename`](super::Request::Rename) or
    /// [`Request::ListStored`](super::Request::ListStored).
    Storage,
    /// The request of this number: [`Request::Generate`](super::Request::Generate),
    /// [`Request::Continue`](super::Request::Continue), [`Request::Resume`](super::Request::Resume),
    /// [`Request::Fork`](super::Request::Fork), [`Request::Read`](super::Request::Read),
    /// [`Request::Look`](super::Request::Look), [`Request::Mark`](super::Request::Mark),
    /// [`Request::Bench`](super::Request::Bench), [`Request::Verify`](super::Request::Verify),
    /// [`Request::Import`](super::Request::Import) or [`Request::Export`](super::Request::Export).
    Run(u32),
}
