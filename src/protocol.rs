//! Everything that crosses between the page and the worker, in one place.
//!
//! The worker sends [`Event::Ready`] first; messages posted to it before that are lost. Requests are carried out in
//! order, and any request ends the run before it, but for those that [`Request::is_aside`]: they are answered beside
//! what goes on. `run` and `number` are the page's: events of an older one than the page's newest are to be ignored.

use serde::{Deserialize, Serialize};

use crate::catalog::Entry;
use crate::settings::{Settings, Vocabulary};
use crate::verify::Verification;

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
        /// Whether the reader has agreed to fetch it from another origin. Without that, what is not here yet ends in
        /// [`Event::Asking`].
        consent: bool,
    },
    /// Interrupt the download; [`Request::Load`] resumes it.
    Pause,
    /// End the download that was interrupted, and forget what is stored of the model of this id.
    Cancel {
        /// The catalog's id.
        id: String,
    },
    /// Forget what is stored of the model of this id, as far as no tab is busy with it.
    Discard {
        /// The catalog's id.
        id: String,
    },
    /// Ask for [`Event::Stored`].
    ListStored,
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
    /// Count the tokens of a text, beside what goes on. Answered while a model is open, and where several of these
    /// wait only the newest is.
    Tokenize {
        /// The page's number of this question.
        number: u32,
        /// The text.
        text: String,
    },
    /// Fault injection: panic, so that tests see how the page recovers from it.
    Panic,
}

impl Request {
    /// Whether this is answered beside what goes on, and ends no run.
    pub fn is_aside(&self) -> bool {
        matches!(self, Request::Tokenize { .. } | Request::ListStored | Request::Discard { .. })
    }
}

/// Worker → page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The worker listens.
    Ready {
        /// What computes, for people to read: `WebAssembly SIMD, 1 thread`.
        backend: String,
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
    /// A request came in while [`Request::Bench`] or [`Request::Verify`] was carried out, and nothing comes of it.
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

/// Tokens of [`Event::Tokenized`] that are sent one by one.
pub const SHOWN_TOKENS: usize = 1000;

/// One token of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenSpan {
    /// Its id.
    pub id: u32,
    /// Its text; bytes that are no whole character as `\xF0\x9F`.
    pub text: String,
}

/// What a failure ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// [`Request::Load`].
    Load,
    /// [`Request::Discard`] or [`Request::ListStored`].
    Storage,
    /// [`Request::Generate`], [`Request::Continue`], [`Request::Bench`] or [`Request::Verify`] of this number.
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

/// What the browser's storage holds for this site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// The models, by id.
    pub models: Vec<StoredModel>,
    /// Bytes that the site uses, as far as the browser says.
    pub usage: Option<u64>,
    /// Bytes that it may use.
    pub quota: Option<u64>,
    /// Why nothing can be stored, where that is so.
    pub obstacle: Option<String>,
}

/// One model in storage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredModel {
    /// The catalog's id.
    pub id: String,
    /// The catalog's title, where the model is complete.
    pub title: Option<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: f64,
}

/// What the page needs to know of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// The catalog's id.
    pub id: String,
    /// Number of weights.
    pub parameters: u64,
    /// Length of the file, in bytes.
    pub weight_bytes: u64,
    /// SHA-256 of the whole file, hex; its first 12 digits stand in permalinks.
    pub sha256: String,
    /// Longest window, in tokens.
    pub context: u32,
    /// Blocks.
    pub layers: u32,
    /// Attention heads per block.
    pub heads: u32,
    /// Length of the embedding.
    pub width: u32,
    /// Tokens there are.
    pub vocabulary_size: u32,
    /// What they are.
    pub vocabulary: Vocabulary,
    /// Of a character model: every character it knows.
    pub alphabet: Option<String>,
    /// Whether figures are published of a model of this shape, for [`Request::Verify`].
    pub can_be_verified: bool,
    /// Milliseconds from the request to here.
    pub load_ms: f64,
}

/// The numbers of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Tokens written, the prompt's not among them.
    pub tokens: u32,
    /// Words written.
    pub words: u32,
    /// Tokens per second since the first one, 0 until there are two.
    pub tokens_per_second: f64,
    /// Milliseconds from the request to the first token, once it is there.
    pub first_token_ms: Option<f64>,
    /// Prompt tokens prefilled so far.
    pub prefilled: u32,
    /// Rows that went through the model: the prompt's, one per token, and what windows recomputed.
    pub forwarded_rows: u64,
    /// Times that the window has moved on.
    pub window_crossings: u32,
    /// Size of the worker's WebAssembly memory, in bytes.
    pub wasm_memory_bytes: u64,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The words asked for are there, and the paragraph is at its end.
    Words,
    /// The words asked for are there, and 300 tokens more brought no end of the paragraph.
    Tail,
    /// The model wrote `<|endoftext|>`.
    EndOfText,
    /// Far more tokens than such a number of words needs: the model writes hardly any spaces.
    Runaway,
    /// The reader stopped it, or asked for something else.
    Stopped,
}

/// The JSON object of the bench page, whose field names are the page's contract.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchReport {
    /// The catalog's id.
    pub model: String,
    /// Number of weights.
    pub parameters: u64,
    /// Length of the file, in bytes.
    pub weight_bytes: u64,
    /// What computes.
    pub backend: String,
    /// Threads that compute.
    pub threads: u32,
    /// Milliseconds from [`Request::Load`] to [`Event::Loaded`].
    pub load_ms: f64,
    /// Tokens of the prompt.
    pub prefill_tokens: u32,
    /// Milliseconds from the prompt's ids to the first logits.
    pub prefill_ms: f64,
    /// Tokens decoded after it.
    pub decode_tokens: u32,
    /// Their mean speed.
    pub decode_tokens_per_second: f64,
    /// Median time of one token, in milliseconds.
    pub decode_ms_p50: f64,
    /// 95th percentile of it.
    pub decode_ms_p95: f64,
    /// Speed of one plain pass over as many bytes as the weights have (16-byte loads, four accumulators, best of
    /// five): the floor that decoding is compared with. 10⁹ bytes per second.
    pub read_gb_per_second: f64,
    /// Size of the worker's WebAssembly memory, in bytes.
    pub wasm_memory_bytes: u64,
    /// The browser; filled in by the page.
    pub user_agent: String,
}
