//! Fixtures, and files made of them.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

pub mod numbers;

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use peargpt::checkpoint::quantize::{Precision, quantize};
use peargpt::checkpoint::safetensors::{self, HuggingFace};
use peargpt::checkpoint::{Checkpoint, CheckpointError, export};

/// A file of the repository.
pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// A Hugging Face folder, in memory.
pub struct Folder {
    pub config: String,
    pub vocabulary: String,
    pub merges: String,
    pub weights: Vec<u8>,
}

impl Folder {
    /// `small` or `variant`.
    pub fn fixture(name: &str) -> Folder {
        let file = |file: &str| format!("tests/fixtures/{name}/{file}");
        Folder {
            config: text(&file("config.json")),
            vocabulary: text(&file("vocab.json")),
            merges: text(&file("merges.txt")),
            weights: fs::read(path(&file("model.safetensors"))).unwrap(),
        }
    }

    pub fn read(&self) -> Result<Checkpoint, CheckpointError> {
        let weights = &mut Cursor::new(self.weights.as_slice());
        safetensors::read(HuggingFace {
            config: &self.config,
            vocabulary: &self.vocabulary,
            merges: &self.merges,
            weights,
        })
    }
}

/// A fixture as the GGUF file that it becomes.
pub fn as_gguf(name: &str, precision: Precision) -> Vec<u8> {
    let mut checkpoint = Folder::fixture(name).read().unwrap();
    checkpoint.weights = quantize(checkpoint.weights, precision, || ()).unwrap();
    to_bytes(&checkpoint)
}

pub fn to_bytes(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut bytes = Vec::new();
    export::write_gguf(checkpoint, "fixture", &mut bytes).unwrap();
    bytes
}

/// Where a GGUF fixture's data begins, from the last tensor's `offset` and length.
pub fn gguf_data(bytes: &[u8]) -> usize {
    let end = after(bytes, "output_norm.bias");
    let field = &bytes[end + 4 + 8 + 4..];
    let offset = u64::from_le_bytes(*field.first_chunk().unwrap()) as usize;
    bytes.len() - offset - 32 * 4
}

/// Where a name ends in a file.
pub fn after(bytes: &[u8], name: &str) -> usize {
    bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap() + name.len()
}
