//! `config.json` of a GPT-2.

use serde::Deserialize;

use crate::checkpoint::CheckpointError;
use crate::checkpoint::layout::{MOST, MOST_LAYERS};
use crate::model::Config;
use crate::model::config::{Activation, Head};

/// The fields of the file that are used. A field that may be absent has `transformers`' default.
#[derive(Debug, Deserialize)]
struct ConfigFile {
    #[serde(default = "gpt2")]
    model_type: String,
    n_layer: u64,
    n_head: u64,
    n_embd: u64,
    n_positions: u64,
    n_inner: Option<u64>,
    vocab_size: u64,
    #[serde(default = "gelu_new")]
    activation_function: String,
    #[serde(default = "epsilon")]
    layer_norm_epsilon: f64,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    #[serde(default = "yes")]
    scale_attn_weights: bool,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
    #[serde(default)]
    add_cross_attention: bool,
    bos_token_id: Option<u64>,
}

fn gpt2() -> String {
    "gpt2".to_string()
}

fn gelu_new() -> String {
    "gelu_new".to_string()
}

fn epsilon() -> f64 {
    1e-5
}

fn yes() -> bool {
    true
}

/// A `config.json` that has been checked.
#[derive(Debug)]
pub(in crate::checkpoint) struct HuggingFaceConfig {
    json: ConfigFile,
    activation: Activation,
}

/// Reads and checks `config.json`.
pub(in crate::checkpoint) fn parse(text: &str) -> Result<HuggingFaceConfig, CheckpointError> {
    let failed = |source| CheckpointError::Json { part: "config.json", source };
    let json: ConfigFile = serde_json::from_str(text).map_err(failed)?;
    let activation = check_variant(text, &json)?;
    check_sizes(text, &json)?;
    Ok(HuggingFaceConfig { json, activation })
}

/// Fails for variants that our one architecture does not cover; returns the activation.
fn check_variant(text: &str, json: &ConfigFile) -> Result<Activation, CheckpointError> {
    if json.model_type != "gpt2" {
        return Err(wrong(text, "model_type", "`gpt2`", format!("`{}`", json.model_type)));
    }
    let flags = [
        ("scale_attn_weights", json.scale_attn_weights, true),
        ("scale_attn_by_inverse_layer_idx", json.scale_attn_by_inverse_layer_idx, false),
        ("add_cross_attention", json.add_cross_attention, false),
    ];
    if let Some((field, found, expected)) = flags.iter().find(|(_, found, expected)| found != expected) {
        return Err(wrong(text, field, expected.to_string(), found.to_string()));
    }
    let found = match json.activation_function.as_str() {
        // Two names of one formula; plain `gelu` is a different one.
        "gelu_pytorch_tanh" => "gelu_new",
        other => other,
    };
    let expected = "`gelu_new`, `gelu` or `relu`";
    Activation::named(found).ok_or_else(|| wrong(text, "activation_function", expected, format!("`{found}`")))
}

fn check_sizes(text: &str, json: &ConfigFile) -> Result<(), CheckpointError> {
    let sizes = [
        ("n_layer", json.n_layer, MOST_LAYERS),
        ("n_head", json.n_head, MOST),
        ("n_embd", json.n_embd, MOST),
        ("n_positions", json.n_positions, MOST),
        ("n_inner", json.n_inner.unwrap_or(1), MOST),
        ("vocab_size", json.vocab_size, MOST),
    ];
    if let Some((field, found, most)) = sizes.iter().find(|(_, found, most)| !(1..=*most).contains(found)) {
        return Err(wrong(text, field, format!("1 to {most}"), found.to_string()));
    }
    if !json.n_embd.is_multiple_of(json.n_head) {
        let expected = format!("a divisor of n_embd, which is {}", json.n_embd);
        return Err(wrong(text, "n_head", expected, json.n_head.to_string()));
    }
    let epsilon = json.layer_norm_epsilon;
    let is_positive = epsilon.is_finite() && epsilon > 0.0;
    if is_positive { Ok(()) } else { Err(wrong(text, "layer_norm_epsilon", "a positive number", epsilon.to_string())) }
}

/// The error for a field, with its offset in the text.
fn wrong(text: &str, field: &str, expected: impl std::fmt::Display, found: String) -> CheckpointError {
    let offset = text.find(&format!("\"{field}\"")).unwrap_or(0) as u64;
    CheckpointError::field(&format!("config.json {field}"), offset, expected, found)
}

impl HuggingFaceConfig {
    /// The token that a text starts from, if the file names one that exists.
    pub fn start(&self) -> Option<u32> {
        // `transformers` writes GPT-2's 50256 even for small models.
        self.json.bos_token_id.filter(|&id| id < self.json.vocab_size).map(|id| id as u32)
    }

    /// The configuration; the flags say which biases there are, of an untied head and of queries, keys and values.
    pub fn config(&self, head_bias: bool, qkv_bias: bool) -> Config {
        let json = &self.json;
        let untied = Head::Untied { bias: head_bias };
        Config {
            layers: json.n_layer as usize,
            heads: json.n_head as usize,
            n_embd: json.n_embd as usize,
            n_inner: json.n_inner.unwrap_or(4 * json.n_embd) as usize,
            context: json.n_positions as usize,
            vocabulary_size: json.vocab_size as usize,
            layer_norm_epsilon: json.layer_norm_epsilon,
            activation: self.activation,
            head: if json.tie_word_embeddings { Head::Tied } else { untied },
            qkv_bias,
        }
    }
}
