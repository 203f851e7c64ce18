//! What events report: numbers, tokens, what is stored.

use serde::{Deserialize, Serialize};

use crate::tokenizer::Vocabulary;

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
    /// The catalog's id; of a model of the reader's own, SHA-256 of its file.
    pub id: String,
    /// What it is called, where the model is complete.
    pub title: Option<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// When it was last written, in milliseconds since 1970.
    pub modified_ms: f64,
}

/// What the page needs to know of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelSummary {
    /// The catalog's id; of a model of the reader's own, SHA-256 of its file.
    pub id: String,
    /// What it is called.
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
    /// What they are.
    pub vocabulary: Vocabulary,
    /// Of a character model: every character it knows.
    pub alphabet: Option<String>,
    /// Whether figures are published of a model of this shape, for [`Request::Verify`](super::Request::Verify).
    pub can_be_verified: bool,
    /// What other programs make of it as a GGUF file, where that is not what it is here; sentences.
    pub gguf_notes: Vec<String>,
    /// The same, as a Hugging Face folder.
    pub huggingface_notes: Vec<String>,
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
    /// Speed of one plain pass over as many bytes as the weights have (16-byte loads, four accumulators, best of
    /// five): the floor that decoding is compared with. 10⁹ bytes per second.
    pub read_gb_per_second: f64,
    /// Size of the worker's WebAssembly memory, in bytes.
    pub wasm_memory_bytes: u64,
    /// The browser; filled in by the page.
    pub user_agent: String,
}
