//! The contents of events: numbers, tokens, the list of stored models.

use macro_rules_attribute::derive;
use serde::Serialize;

use crate::generation::Settings;
use crate::tokenizer::Vocabulary;
use crate::wire::{Read, Unread};

/// What the browser's storage holds for this site.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Read!)]
pub struct Stored {
    /// The models, by id.
    pub models: Vec<StoredModel>,
    /// Bytes that the site uses, if the browser tells.
    pub usage: Option<u64>,
    /// Bytes that the site may use, if the browser tells.
    pub quota: Option<u64>,
    /// Why nothing can be stored; `None` if something can.
    pub obstacle: Option<String>,
}

/// One model in storage.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct StoredModel {
    /// The catalog's id; of a model of the reader's own, SHA-256 of its file.
    pub id: String,
    /// The title, if the model is complete.
    pub title: Option<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: f64,
}

/// What the page knows about an open model.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct ModelSummary {
    /// The catalog's id; of a model of the reader's own, SHA-256 of its file.
    pub id: String,
    /// The title.
    pub title: String,
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
    pub n_embd: u32,
    /// Tokens there are.
    pub vocabulary_size: u32,
    /// The kind of its tokens.
    pub vocabulary: Vocabulary,
    /// For a character model: every character that it knows.
    pub alphabet: Option<String>,
    /// Whether there are published figures for a model of this shape, for [`Request::Verify`](super::Request::Verify).
    pub can_be_verified: bool,
    /// Sentences on how other programs misread the model as a GGUF file.
    pub gguf_notes: Vec<String>,
    /// Sentences on how other programs misread the model as a Hugging Face folder.
    pub huggingface_notes: Vec<String>,
    /// Milliseconds from the request to this event.
    pub load_ms: f64,
    /// What computes it, for people: the kernels and the number of threads.
    pub backend: String,
    /// Its shape, as [`Shape::name`](crate::app::catalog::Shape::name) has it.
    pub shape: String,
    /// How many threads were to compute it; one does where they cannot.
    pub threads: u32,
    /// How a text is written where nothing else is said, for clients that know no defaults. The page has its own.
    pub defaults: Unread<Option<Settings>>,
}

/// The numbers of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Read!)]
pub struct Stats {
    /// Tokens written, without the prompt's.
    pub tokens: u32,
    /// Words written.
    pub words: u32,
    /// Tokens per second since the first one, 0 until there are two.
    pub tokens_per_second: f64,
    /// Milliseconds from the request to the first token, once it is there.
    pub first_token_ms: Option<f64>,
    /// Tokens in the cache: before the first token of the run, how far the prompt has been read.
    pub prefilled: u32,
    /// Rows that went through the model: the prompt's, one per token, and those that windows recomputed.
    pub forwarded_rows: u64,
    /// How often the window has moved.
    pub window_crossings: u32,
    /// Size of the WebAssembly memories of all workers that compute, in bytes.
    pub wasm_memory_bytes: u64,
}

/// The JSON object of the bench page. The names of its fields are a contract.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct BenchReport {
    /// The catalog's id; of a model of the reader's own, SHA-256 of its file. Filled in by the page.
    pub model: String,
    /// Number of weights.
    pub parameters: u64,
    /// Length of the file, in bytes.
    pub weight_bytes: u64,
    /// The kernels in use.
    pub backend: String,
    /// Number of threads that compute.
    pub threads: u32,
    /// Milliseconds from [`Request::Load`](super::Request::Load) to [`Event::Loaded`](super::Event::Loaded).
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
    /// Mean time of one of tokens 10 to 100, in milliseconds: in a page that has just been opened, the browser still
    /// compiles while they are decoded. `None` if fewer were.
    pub decode_start_ms: Option<f64>,
    /// Speed of one plain pass over the weights, in 10⁹ bytes per second: the best of five, all threads at once, each over
    /// its part. Decoding is compared with it as the floor.
    pub read_gb_per_second: f64,
    /// Size of the WebAssembly memories of all workers that compute, in bytes.
    pub wasm_memory_bytes: u64,
    /// The browser; filled in by the page.
    pub user_agent: String,
}
