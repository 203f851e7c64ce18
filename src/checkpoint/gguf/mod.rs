//! GGUF, versions 2 and 3, architecture `gpt2`: configuration, tokenizer and weights in one file.
//!
//! The format is <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, and names are llama.cpp's. That
//! architecture has no keys for some of our configurations, so these travel in keys of our own: `peargpt.activation`
//! (`gelu`, `relu`), `peargpt.qkv_bias`, `peargpt.head_bias`, and `peargpt.vocabulary` (`characters`: the list of
//! merges is empty on purpose).

mod header;
mod metadata;
mod read;
mod tensor_infos;
mod weights;
mod write;

pub use read::{Contents, read};
pub(super) use read::{DTypes, read_contents};
pub(super) use write::{FileLayout, TensorSpec, lay_out};
pub use write::{write, write_as};

/// The first bytes of a file.
pub(super) const MAGIC: [u8; 4] = *b"GGUF";
/// The version that we write.
const VERSION: u32 = 3;
/// Tensors begin at multiples of this, unless `general.alignment` says otherwise.
pub(super) const ALIGNMENT: u64 = 32;

/// End of the name of the bias of queries, keys and values. llama.cpp requires it: a model without this bias is written
/// with zeros, and `peargpt.qkv_bias` tells us to ignore them.
pub(super) const QKV_BIAS: &str = ".attn_qkv.bias";

/// GGUF's numbers for the types of values.
mod value {
    pub const UINT8: u32 = 0;
    pub const INT8: u32 = 1;
    pub const UINT16: u32 = 2;
    pub const INT16: u32 = 3;
    pub const UINT32: u32 = 4;
    pub const INT32: u32 = 5;
    pub const FLOAT32: u32 = 6;
    pub const BOOL: u32 = 7;
    pub const STRING: u32 = 8;
    pub const ARRAY: u32 = 9;
    pub const UINT64: u32 = 10;
    pub const INT64: u32 = 11;
    pub const FLOAT64: u32 = 12;
}

/// Keys, as llama.cpp spells them, and our own.
mod key {
    pub const ARCHITECTURE: &str = "general.architecture";
    pub const NAME: &str = "general.name";
    pub const FILE_TYPE: &str = "general.file_type";
    pub const QUANTIZATION_VERSION: &str = "general.quantization_version";
    pub const ALIGNMENT: &str = "general.alignment";
    pub const CONTEXT: &str = "gpt2.context_length";
    pub const WIDTH: &str = "gpt2.embedding_length";
    pub const HIDDEN: &str = "gpt2.feed_forward_length";
    pub const LAYERS: &str = "gpt2.block_count";
    pub const HEADS: &str = "gpt2.attention.head_count";
    pub const EPSILON: &str = "gpt2.attention.layer_norm_epsilon";
    pub const TOKENIZER: &str = "tokenizer.ggml.model";
    pub const PRETOKENIZER: &str = "tokenizer.ggml.pre";
    pub const TOKENS: &str = "tokenizer.ggml.tokens";
    pub const TOKEN_TYPES: &str = "tokenizer.ggml.token_type";
    pub const MERGES: &str = "tokenizer.ggml.merges";
    pub const START: &str = "tokenizer.ggml.bos_token_id";
    pub const END_OF_TEXT: &str = "tokenizer.ggml.eos_token_id";
    pub const ACTIVATION: &str = "peargpt.activation";
    pub const QKV_BIAS: &str = "peargpt.qkv_bias";
    pub const HEAD_BIAS: &str = "peargpt.head_bias";
    pub const VOCABULARY: &str = "peargpt.vocabulary";
}
