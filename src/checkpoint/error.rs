//! What can be wrong with a file.

use std::fmt::Display;
use std::io;

use crate::model::WeightsError;

/// A file that is not what it should be, or that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The device, not the file, failed.
    #[error("reading at byte {offset} failed: {source}")]
    Read {
        /// Where in the file.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("writing failed: {0}")]
    Write(#[from] io::Error),
    /// The file has no format that is known here.
    #[error("expected a GGUF file (it begins with `GGUF` at byte 0), found {found}")]
    Format {
        /// What the file looks like.
        found: String,
    },
    /// The file ends before something does.
    #[error("`{field}` at byte {offset} takes {needed} bytes, and the file has {left} left")]
    Truncated {
        /// What is being read.
        field: String,
        /// Where it begins.
        offset: u64,
        /// Its length, at least.
        needed: u64,
        /// Bytes from there to the file's end.
        left: u64,
    },
    /// A field has a value that it may not have.
    #[error("`{field}` at byte {offset}: expected {expected}, found {found}")]
    Field {
        /// The field.
        field: String,
        /// Where it stands.
        offset: u64,
        /// Values that are allowed.
        expected: String,
        /// The value that stands there.
        found: String,
    },
    /// A required key is missing.
    #[error("the file has no key `{key}`")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A Hugging Face folder was asked for in 8 bits.
    #[error("expected F16 or F32 for model.safetensors, found Q8_0, for which that format has no type")]
    NoBlocks,
    /// One of the JSON parts is not valid JSON, or not of the expected form.
    #[error("{part}: {source}")]
    Json {
        /// `config.json`, `vocab.json` or the header of `model.safetensors`.
        part: &'static str,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
    /// A tensor that the configuration asks for is not there.
    #[error("the file has no tensor `{name}`")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// Two tensors of one name.
    #[error("the file has two tensors `{name}`")]
    Duplicate {
        /// The tensor.
        name: String,
    },
    /// Tensors do not fit the model, or candle cannot take them.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Memory has no room for a tensor.
    #[error("tensor `{name}` takes {bytes} bytes, more than there is memory")]
    Memory {
        /// The tensor.
        name: String,
        /// Its length.
        bytes: u64,
    },
}

impl CheckpointError {
    /// What to do about the file of this name, and after that what is wrong with it and where.
    pub fn sentence(&self, name: &str) -> String {
        format!("{} ({self}.)", self.advice(name))
    }

    fn advice(&self, name: &str) -> String {
        match self {
            CheckpointError::Truncated { .. } => format!("{name} is incomplete. Download it again."),
            CheckpointError::Read { .. } => format!("{name} cannot be read. Choose it again."),
            CheckpointError::Write(_) => format!("{name} cannot be written. Make room and try again."),
            CheckpointError::Format { .. } => format!("{name} is no GGUF file. Choose another file."),
            CheckpointError::NoBlocks => format!("{name} cannot be written in 8 bits. Choose F16 or F32."),
            CheckpointError::Memory { .. } => {
                format!("{name} needs more memory than there is. Close other tabs or programs and try again.")
            }
            _ => format!("{name} is damaged, or no model that runs here. Download it again, or choose another file."),
        }
    }

    /// The error for a tensor that candle cannot take or convert.
    pub(super) fn tensor(name: &str, source: candle_core::Error) -> Self {
        WeightsError::tensor(name, source).into()
    }

    /// The error for a number of this tensor that does not fit into so many bits.
    pub(super) fn too_large(name: &str, bits: &str) -> Self {
        CheckpointError::field(&name, 0, format!("numbers that {bits} can hold"), "larger ones")
    }

    /// A [`CheckpointError::Field`].
    pub(super) fn field(field: &dyn Display, offset: u64, expected: impl Display, found: impl Display) -> Self {
        let (expected, found) = (expected.to_string(), found.to_string());
        CheckpointError::Field { field: field.to_string(), offset, expected, found }
    }
}
