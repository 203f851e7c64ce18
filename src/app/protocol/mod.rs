//! The messages between the page and its workers.
//!
//! There are two workers, see [`Program`]. Each sends [`Event::Ready`] first; messages posted to it before that are
//! lost. A message is an array of two: a request or an event, and the files that belong to it.
//!
//! A worker answers requests in order. Any request ends the run before it, except those that are answered in the
//! background, see [`Request::is_background`]. The page numbers its requests (`run`, `number`), and ignores events with
//! an older number than its newest.

mod own;
mod report;

use serde::{Deserialize, Serialize};

use crate::app::catalog::Entry;
use crate::evaluate::verify::Verification;
use crate::generation::{Settings, StopReason};
use crate::tokenizer::TokenSpan;

pub use own::{Answers, Asked, Description, Export, FileLocation, Finding, GgufFile, ModelFile, Question};
pub use report::{BenchReport, ModelSummary, Stats, Stored, StoredModel};

/// A worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Opens GGUF files and generates text with them; fetches those of this site.
    Engine,
    /// Converts files of the reader's and of Hugging Face to GGUF files, and these to other formats. The page starts it
    /// on demand, and ends it when nothing is left to do.
    Converter,
}

/// Page → worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Fetch, verify and open a model. The model that is open is closed first.
    Load {
        /// The model.
        entry: Entry,
        /// Absolute URL of the catalog, which the parts' URLs are relative to.
        catalog_url: String,
        /// How its parts are fetched.
        policy: TransferPolicy,
        /// Whether the reader has agreed to fetch it from another origin. If it is not here yet, the answer is
        /// [`Event::ToFetch`], or [`Event::Asking`] without that consent.
        consent: bool,
    },
    /// Open a GGUF that the converter has made, or found to run unchanged. The file comes with the message unless it is
    /// in storage. The model that is open is closed first.
    Open {
        /// The page's number of the import that ends with this; `None` after [`Request::Fetch`].
        run: Option<u32>,
        /// The file.
        file: GgufFile,
    },
    /// Fetch a model from Hugging Face, and convert it while it arrives. Ends in [`Event::Fetched`].
    Fetch {
        /// The model.
        entry: Entry,
        /// Absolute URL of the catalog, which the parts' URLs are relative to.
        catalog_url: String,
        /// How it is fetched.
        policy: TransferPolicy,
    },
    /// Interrupt the download; [`Request::Load`] resumes it.
    Pause,
    /// End an interrupted download, and remove what is stored of the model with this id. If that fails,
    /// [`Event::Failed`] says so, and nothing changes.
    Cancel {
        /// The catalog's id.
        id: String,
    },
    /// Remove what is stored of the model with this id, unless a tab is using it.
    Discard {
        /// The catalog's id.
        id: String,
    },
    /// Ask for [`Event::Stored`].
    ListStored,
    /// Identify the files that come with this; in the background.
    Inspect {
        /// The page's number of this question.
        run: u32,
        /// The reader's answers about them.
        answers: Answers,
    },
    /// Convert the files that come with this to a GGUF. Ends in [`Event::Converted`].
    Import {
        /// The page's number of this run.
        run: u32,
        /// The reader's answers about them.
        answers: Answers,
    },
    /// Store a model of the reader's own. Its file comes with this unless it is in storage. The page sends this without
    /// the file, and the bridge adds it.
    Keep {
        /// The model's title.
        title: String,
        /// The file.
        model: Option<ModelFile>,
    },
    /// Rename a stored model of the reader's own.
    Rename {
        /// SHA-256 of its file, in hex.
        id: String,
        /// The new name.
        title: String,
    },
    /// Write a text from its beginning. `settings.seed` must be set.
    Generate {
        /// The page's number of this run.
        run: u32,
        /// The settings of the run.
        settings: Settings,
    },
    /// Continue from the end of the last run, with the same settings.
    Continue {
        /// The page's number of this run.
        run: u32,
        /// Words to add.
        words: u32,
    },
    /// End the run. It ends after at most one decode step, or one prefill tile.
    Stop,
    /// Measure prefill and decoding; see [`BenchReport`].
    Bench {
        /// The page's number of this run.
        run: u32,
        /// Length of the prompt, in tokens.
        prompt_tokens: u32,
        /// Tokens to decode after it.
        tokens: u32,
    },
    /// Compare the model with figures published for GPT-2.
    Verify {
        /// The page's number of this run.
        run: u32,
    },
    /// Export a model as a file for other programs. The page sends this without the model's file, and the bridge adds
    /// it.
    Export {
        /// The page's number of this run.
        run: u32,
        /// The format of the file.
        format: Export,
        /// The model's file.
        model: Option<ModelFile>,
    },
    /// End [`Request::Import`] or [`Request::Export`].
    StopConverting,
    /// Count the tokens of a text, in the background. Answered only while a model is open; if several of these wait,
    /// only the newest is answered.
    Tokenize {
        /// The page's number of this question.
        number: u32,
        /// The text.
        text: String,
    },
}

impl Request {
    /// The worker that answers. [`Request::Pause`] and [`Request::Cancel`] go to the worker that is fetching.
    pub fn program(&self) -> Program {
        match self {
            Request::Fetch { .. }
            | Request::Inspect { .. }
            | Request::Import { .. }
            | Request::Keep { .. }
            | Request::Export { .. }
            | Request::StopConverting => Program::Converter,
            _ => Program::Engine,
        }
    }

    /// Whether this is answered in the background, and ends no run.
    pub fn is_background(&self) -> bool {
        matches!(
            self,
            Request::Tokenize { .. }
                | Request::Inspect { .. }
                | Request::Keep { .. }
                | Request::ListStored
                | Request::Discard { .. }
                | Request::Rename { .. }
        )
    }
}

/// Worker → page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The worker is ready for requests.
    Ready {
        /// What computes, for people: `WebAssembly SIMD, 1 thread`; `None` for a worker that does not compute.
        backend: Option<String>,
    },
    /// The weights are on another origin, and the reader has not agreed to fetch them from there.
    Asking {
        /// The host that they would come from.
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
    /// A request interrupted the download. What has arrived is kept for [`Request::Load`].
    Paused {
        /// Bytes that have arrived.
        received: u64,
        /// Bytes there are in all.
        total: u64,
    },
    /// A download was ended, and its files removed.
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
    /// The model is ready.
    Loaded(ModelSummary),
    /// [`Request::Load`] asked for a model of the reader's own that is not stored here.
    NotHere,
    /// The result of [`Request::Inspect`].
    Inspected {
        /// The number of the question.
        run: u32,
        /// What the files are.
        finding: Finding,
    },
    /// The progress of [`Request::Import`]; at most once per frame.
    Importing {
        /// The run.
        run: u32,
        /// Bytes written or hashed.
        done: u64,
        /// Bytes in all.
        all: u64,
    },
    /// The GGUF of [`Request::Import`]. The file comes with this unless it is in storage.
    Converted {
        /// The run.
        run: u32,
        /// The file.
        file: GgufFile,
    },
    /// The GGUF of [`Request::Fetch`]. The file comes with this unless it is in storage.
    Fetched {
        /// The file.
        file: GgufFile,
    },
    /// [`Request::Keep`] has ended. If it failed, [`Event::Failed`] came before.
    Kept {
        /// The file as it is stored now; `None` if it is not.
        file: Option<GgufFile>,
    },
    /// The model of [`Request::Import`] is ready.
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
    /// New text since the last event of this run; at most once per frame.
    Text {
        /// The run.
        run: u32,
        /// The new text; empty during prefill.
        delta: String,
        /// The numbers so far.
        stats: Stats,
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
    /// The result of [`Request::Bench`].
    Benched {
        /// The run.
        run: u32,
        /// The numbers.
        report: BenchReport,
    },
    /// The progress of [`Request::Verify`]; at most once per frame.
    Verifying {
        /// The run.
        run: u32,
        /// Steps done.
        done: u32,
        /// Steps there are.
        all: u32,
    },
    /// The result of [`Request::Verify`].
    Verified {
        /// The run.
        run: u32,
        /// How the figures compare.
        verification: Verification,
    },
    /// The progress of [`Request::Export`]; at most once per frame.
    Exporting {
        /// The run.
        run: u32,
        /// Bytes written.
        done: u64,
        /// Bytes in all.
        all: u64,
    },
    /// The file of [`Request::Export`], which comes with this.
    Exported {
        /// The run.
        run: u32,
        /// A URL within this browser, filled in by the page. It is valid for a minute.
        url: String,
        /// The file's name.
        name: String,
    },
    /// A request ended [`Request::Bench`], [`Request::Verify`], [`Request::Import`] or [`Request::Export`] before it
    /// had a result.
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
        /// The first [`SHOWN_TOKENS`] of them.
        tokens: Vec<TokenSpan>,
    },
    /// A request failed. The worker goes on listening, and text sent so far stays valid.
    Failed {
        /// The task that failed.
        task: Task,
        /// What happened and what to do, as a sentence.
        message: String,
    },
    /// The worker cannot go on and must be replaced.
    Panicked {
        /// The panic's message and place.
        message: String,
    },
}

/// The task that a failure ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// [`Request::Load`].
    Load,
    /// [`Request::Cancel`], [`Request::Discard`], [`Request::Keep`], [`Request::Rename`] or [`Request::ListStored`].
    Storage,
    /// The request of this number: [`Request::Generate`], [`Request::Continue`], [`Request::Bench`],
    /// [`Request::Verify`], [`Request::Import`] or [`Request::Export`].
    Run(u32),
}

/// How weights are fetched. After a temporary failure the fetch is repeated: after `delay_ms`, then after twice that,
/// and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TransferPolicy {
    /// Tries in a row without a new byte, at least 1.
    pub tries: u32,
    /// Milliseconds before the second try.
    pub delay_ms: u32,
    /// Milliseconds without a byte after which a transfer counts as stalled.
    pub stall_ms: u32,
    /// Bytes of a stream after which its state is stored. An interruption costs at most as many.
    pub checkpoint_bytes: u64,
}

impl Default for TransferPolicy {
    fn default() -> Self {
        TransferPolicy { tries: 4, delay_ms: 1000, stall_ms: 20_000, checkpoint_bytes: 8 << 20 }
    }
}
