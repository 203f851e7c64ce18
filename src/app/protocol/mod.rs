//! Everything that crosses between the page and its workers, in one place.
//!
//! There are two workers, see [`Program`]. Each sends [`Event::Ready`] first; messages posted to it before that are lost. A
//! message is an array of two: a request or an event, and the files that come with it.
//!
//! A worker carries requests out in order, and any request ends the run before it, but for those that
//! [`Request::is_background`]: they are answered beside what goes on. `run` and `number` are the page's: events of an older
//! one than the page's newest are to be ignored.

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
    /// Opens GGUF files and writes with them; fetches those of this site.
    Engine,
    /// Turns whatever is handed over, or comes from Hugging Face, into GGUF files, and those into others; started on
    /// demand, and ended once nothing is left to do.
    Converter,
}

/// Page → worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Fetch, verify and open a model; one that is open is closed first.
    Load {
        /// The model.
        entry: Entry,
        /// Absolute URL of the catalog, which the parts' URLs are relative to.
        catalog_url: String,
        /// How its parts are fetched.
        policy: TransferPolicy,
        /// Whether the reader has agreed to fetch it from another origin. What is not here yet ends in [`Event::ToFetch`],
        /// or without that in [`Event::Asking`].
        consent: bool,
    },
    /// Open a GGUF that the converter has made or found to run as it stands, and that comes with this where it is not in
    /// storage; a model that is open is closed first.
    Open {
        /// The page's number of the import, whose last event this is to be; none after [`Request::Fetch`].
        run: Option<u32>,
        /// The file.
        file: GgufFile,
    },
    /// Fetch a model from Hugging Face, and convert it as it comes. Ends in [`Event::Fetched`].
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
    /// End the download that was interrupted, and forget what is stored of the model of this id. Where that cannot be,
    /// [`Event::Failed`] says so, and all stays as it is.
    Cancel {
        /// The catalog's id.
        id: String,
    },
    /// Forget what is stored of the model of this id, unless a tab is busy with it.
    Discard {
        /// The catalog's id.
        id: String,
    },
    /// Ask for [`Event::Stored`].
    ListStored,
    /// Find out what the files are that come with this, beside what goes on.
    Inspect {
        /// The page's number of this question.
        run: u32,
        /// What the reader says of them.
        answers: Answers,
    },
    /// Turn the files that come with this into a GGUF. Ends in [`Event::Converted`].
    Import {
        /// The page's number of this run.
        run: u32,
        /// What the reader says of them.
        answers: Answers,
    },
    /// Store a model of the reader's own, which comes with this where it is not in storage. The page sends it without the
    /// file, which the bridge knows.
    Keep {
        /// What it is to be called.
        title: String,
        /// The file.
        model: Option<ModelFile>,
    },
    /// Call what is stored of the reader's own by another name.
    Rename {
        /// SHA-256 of its file, in hex.
        id: String,
        /// The new name.
        title: String,
    },
    /// Write a text from its beginning; `settings.seed` is drawn by then.
    Generate {
        /// The page's number of this run.
        run: u32,
        /// What is asked for.
        settings: Settings,
    },
    /// Go on from where the last run ended, with the same settings.
    Continue {
        /// The page's number of this run.
        run: u32,
        /// Words to add.
        words: u32,
    },
    /// End the run, after at most one decode step or one prefill tile.
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
    /// Hold the model against what is published of GPT-2.
    Verify {
        /// The page's number of this run.
        run: u32,
    },
    /// Write a model into a file for other programs. The page sends it without the model's file, which the bridge knows.
    Export {
        /// The page's number of this run.
        run: u32,
        /// What the file is to be.
        format: Export,
        /// The model's file.
        model: Option<ModelFile>,
    },
    /// End [`Request::Import`] or [`Request::Export`].
    StopConverting,
    /// Count the tokens of a text, beside what goes on. Answered while a model is open, and where several of these
    /// wait only the newest is.
    Tokenize {
        /// The page's number of this question.
        number: u32,
        /// The text.
        text: String,
    },
}

impl Request {
    /// Who carries it out. [`Request::Pause`] and [`Request::Cancel`] are for whoever fetches.
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

    /// Whether this is answered beside what goes on, and ends no run.
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
    /// The worker listens.
    Ready {
        /// What computes, for people to read: `WebAssembly SIMD, 1 thread`; nothing where nothing does.
        backend: Option<String>,
    },
    /// The weights lie on another origin, and the reader has not agreed to fetch them from there.
    Asking {
        /// The host that they would come from.
        host: String,
        /// Bytes that are here already.
        received: u64,
        /// Bytes there are in all.
        total: u64,
    },
    /// The weights lie on another origin, and the reader has agreed to fetch them from there.
    ToFetch {
        /// The catalog's id.
        id: String,
    },
    /// Another tab is busy with the same weights; this one waits for it.
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
    /// A request came in while weights arrived. What has arrived is kept for [`Request::Load`].
    Paused {
        /// Bytes that have arrived.
        received: u64,
        /// Bytes there are in all.
        total: u64,
    },
    /// A download has been ended for good.
    Cancelled,
    /// Something that the reader should know of this download, as a sentence.
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
    /// All bytes are here and verified; the model is being built.
    Opening,
    /// The model can be asked.
    Loaded(ModelSummary),
    /// The model of the reader's own that [`Request::Load`] asked for is not stored here.
    NotHere,
    /// What [`Request::Inspect`] found.
    Inspected {
        /// The number of the question.
        run: u32,
        /// What the files are.
        finding: Finding,
    },
    /// How far [`Request::Import`] has come; at most once per frame.
    Importing {
        /// The run.
        run: u32,
        /// Bytes written or hashed.
        done: u64,
        /// Bytes there will be.
        all: u64,
    },
    /// The GGUF of [`Request::Import`], which comes with this where it is not in storage.
    Converted {
        /// The run.
        run: u32,
        /// The file.
        file: GgufFile,
    },
    /// What [`Request::Fetch`] was to bring is in storage; where that takes none, the file comes with this.
    Fetched {
        /// The file.
        file: GgufFile,
    },
    /// [`Request::Keep`] has ended; [`Event::Failed`] came before where nothing is kept.
    Kept {
        /// The file as it is stored now.
        file: Option<GgufFile>,
    },
    /// The model of [`Request::Import`] can be asked.
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
        /// How many of them, from the end, fit the model's context and are read.
        read_tokens: u32,
    },
    /// Text that is new since the last event of this run; at most once per frame.
    Text {
        /// The run.
        run: u32,
        /// The new text; with a prefill still going on it is empty.
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
    /// What [`Request::Bench`] measured.
    Benched {
        /// The run.
        run: u32,
        /// The numbers.
        report: BenchReport,
    },
    /// How far [`Request::Verify`] has come; at most once per frame.
    Verifying {
        /// The run.
        run: u32,
        /// Steps done.
        done: u32,
        /// Steps there are.
        all: u32,
    },
    /// What [`Request::Verify`] found.
    Verified {
        /// The run.
        run: u32,
        /// How the figures compare.
        verification: Verification,
    },
    /// How far [`Request::Export`] has come; at most once per frame.
    Exporting {
        /// The run.
        run: u32,
        /// Bytes written.
        done: u64,
        /// Bytes there will be.
        all: u64,
    },
    /// The file of [`Request::Export`], which comes with this.
    Exported {
        /// The run.
        run: u32,
        /// Where it is for a minute: an address within this browser, filled in by the page.
        url: String,
        /// What it is to be called.
        name: String,
    },
    /// A request came in while [`Request::Bench`], [`Request::Verify`], [`Request::Import`] or [`Request::Export`] was
    /// carried out, and nothing comes of it.
    Interrupted {
        /// The run.
        run: u32,
    },
    /// The tokens of a text; characters that the vocabulary lacks are passed over.
    Tokenized {
        /// The number of the question.
        number: u32,
        /// Tokens there are.
        count: u32,
        /// The first [`SHOWN_TOKENS`] of them.
        tokens: Vec<TokenSpan>,
    },
    /// Something did not work. The worker goes on listening; text sent so far stays valid.
    Failed {
        /// What was being done.
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

/// What a failure ended.
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

/// How weights are fetched. What failed for a passing reason is tried again after `delay_ms`, then after twice that,
/// and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TransferPolicy {
    /// Tries in a row that bring nothing new, at least 1.
    pub tries: u32,
    /// Milliseconds before the second try.
    pub delay_ms: u32,
    /// Milliseconds without a byte after which a transfer counts as stalled.
    pub stall_ms: u32,
    /// Bytes of a stream after which its state is stored: as much as is fetched again at most.
    pub checkpoint_bytes: u64,
}

impl Default for TransferPolicy {
    fn default() -> Self {
        TransferPolicy { tries: 4, delay_ms: 1000, stall_ms: 20_000, checkpoint_bytes: 8 << 20 }
    }
}
