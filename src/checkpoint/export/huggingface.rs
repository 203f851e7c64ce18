//! A Hugging Face GPT-2, as `save_pretrained` writes it: `config.json`, `vocab.json`, `merges.txt`,
//! `model.safetensors`.
//!
//! A GPT-2 of Hugging Face always has biases: those that the model lacks are written as zeros. `transformers` has no
//! place for a bias of the head. It is written all the same: `transformers` ignores it, and our import reads it.

use candle_core::quantized::GgmlDType;
use serde::{Serialize, Serializer};

use super::super::CheckpointError;
use super::super::gguf::TensorSpec;
use super::super::import::{CheckpointInfo, OutputFile, OutputPiece, numbers, piece, specs, theirs};
use super::super::precision::Precision;
use crate::model::Config;
use crate::model::config::Head;
use crate::tokenizer::TokenizerSpec;

/// Tensor data begins at multiples of this; no dtype needs more.
const ALIGNMENT: usize = 8;

/// The files of the folder: matrices in F16 or F32, everything else in F32.
pub fn huggingface(info: &CheckpointInfo, precision: Precision) -> Result<Vec<OutputFile>, CheckpointError> {
    if precision == Precision::Q8_0 {
        return Err(CheckpointError::NoBlocks);
    }
    let tokenizer = &info.tokenizer;
    let text = |name: &str, bytes| OutputFile::new(name.to_string(), vec![OutputPiece::Bytes(bytes)]);
    Ok(vec![
        text("config.json", config(&info.config, tokenizer, precision)?),
        text("vocab.json", vocabulary(tokenizer)?),
        text("merges.txt", merges(tokenizer)),
        weights(info, precision)?,
    ])
}

/// `config.json`, with the fields that define the model. Fields that matter in training alone have `transformers`'
/// defaults.
#[derive(Serialize)]
struct ConfigJson {
    activation_function: &'static str,
    architectures: [&'static str; 1],
    bos_token_id: u32,
    dtype: &'static str,
    eos_token_id: Option<u32>,
    layer_norm_epsilon: f64,
    model_type: &'static str,
    n_embd: usize,
    n_head: usize,
    n_inner: usize,
    n_layer: usize,
    n_positions: usize,
    tie_word_embeddings: bool,
    vocab_size: usize,
}

fn config(config: &Config, tokenizer: &TokenizerSpec, precision: Precision) -> Result<Vec<u8>, CheckpointError> {
    let json = ConfigJson {
        activation_function: config.activation.name(),
        architectures: ["GPT2LMHeadModel"],
        bos_token_id: tokenizer.start,
        dtype: if precision == Precision::F16 { "float16" } else { "float32" },
        eos_token_id: tokenizer.end_of_text,
        layer_norm_epsilon: config.layer_norm_epsilon,
        model_type: "gpt2",
        n_embd: config.n_embd,
        n_head: config.heads,
        n_inner: config.n_inner,
        n_layer: config.layers,
        n_positions: config.context,
        tie_word_embeddings: config.head == Head::Tied,
        vocab_size: config.vocabulary_size,
    };
    serde_json::to_vec_pretty(&json).map_err(|source| CheckpointError::Json { part: "config.json", source })
}

/// `vocab.json`: pieces with their ids, ordered by id.
fn vocabulary(tokenizer: &TokenizerSpec) -> Result<Vec<u8>, CheckpointError> {
    let mut bytes = Vec::new();
    let written = serde_json::Serializer::new(&mut bytes).collect_map(tokenizer.tokens.iter().zip(0u32..));
    written.map(|()| bytes).map_err(|source| CheckpointError::Json { part: "vocab.json", source })
}

fn merges(tokenizer: &TokenizerSpec) -> Vec<u8> {
    let lines = tokenizer.merges.iter().flat_map(|merge| [merge.as_str(), "\n"]);
    ["#version: 0.2\n"].into_iter().chain(lines).collect::<String>().into_bytes()
}

/// A tensor of `model.safetensors`.
struct FolderTensor {
    name: String,
    shape: Vec<usize>,
    dtype: GgmlDType,
    piece: OutputPiece,
}

/// `model.safetensors`. Wider dtypes come first, so that each tensor begins at a multiple of its dtype's size.
fn weights(info: &CheckpointInfo, precision: Precision) -> Result<OutputFile, CheckpointError> {
    let mut tensors = tensors(info, precision)?;
    tensors.sort_by_key(|tensor| std::cmp::Reverse(tensor.dtype.type_size()));
    let header = header(&tensors);
    let pieces = [OutputPiece::Bytes(header)].into_iter().chain(tensors.into_iter().map(|tensor| tensor.piece));
    Ok(OutputFile::new("model.safetensors".to_string(), pieces.collect()))
}

fn tensors(info: &CheckpointInfo, precision: Precision) -> Result<Vec<FolderTensor>, CheckpointError> {
    let specs = specs(info, Some(precision));
    let numbers = numbers(info, &specs)?;
    let tensor = |(spec, number): (TensorSpec, Option<usize>)| {
        let ((name, is_turned), piece) = (theirs(&spec.name), piece(&spec, number));
        let TensorSpec { mut shape, dtype, .. } = spec;
        match piece {
            OutputPiece::Rows(rows) if is_turned => {
                shape.reverse();
                FolderTensor { name, shape, dtype, piece: OutputPiece::Turned(rows) }
            }
            piece => FolderTensor { name, shape, dtype, piece },
        }
    };
    Ok(specs.into_iter().zip(numbers).map(tensor).collect())
}

/// The header's length in 8 bytes, and JSON that describes the tensors.
fn header(tensors: &[FolderTensor]) -> Vec<u8> {
    let (mut json, mut begin) = (r#"{"__metadata__":{"format":"pt"}"#.to_string(), 0);
    for FolderTensor { name, shape, dtype, piece } in tensors {
        let end = begin + piece.length();
        json += &format!(r#","{name}":{{"dtype":"{dtype:?}","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#);
        begin = end;
    }
    json.push('}');
    json.extend(std::iter::repeat_n(' ', json.len().next_multiple_of(ALIGNMENT) - json.len()));
    [&(json.len() as u64).to_le_bytes(), json.as_bytes()].concat()
}
