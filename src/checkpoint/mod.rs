//! Reads configuration, tokenizer and weights from a file. Files are not trusted.

pub mod decimal;
mod elements;
mod error;
pub mod export;
pub mod gguf;
pub mod import;
pub(crate) mod layout;
mod model;
pub mod precision;
pub mod random;
pub mod sha256;
mod source;
mod tensor_info;

use std::io::{Read, Seek, SeekFrom};

pub use error::CheckpointError;
pub use gguf::Contents;
pub use model::{Model, OpenError};

use crate::model::{Config, Share, Weights};
use crate::tokenizer::TokenizerSpec;

/// Everything that a file says about a model.
#[derive(Debug)]
pub struct Checkpoint {
    /// The model's shape.
    pub config: Config,
    /// The tokenizer's pieces.
    pub tokenizer: TokenizerSpec,
    /// The weights, under GGUF's names.
    pub weights: Weights,
}

/// Reads a file; its first bytes tell the format.
pub fn read<R: Read + Seek>(reader: &mut R) -> Result<Checkpoint, CheckpointError> {
    contents(reader)?.read(reader, Share::WHOLE)
}

/// Reads what a file says before its weights.
pub fn contents<R: Read + Seek>(reader: &mut R) -> Result<Contents, CheckpointError> {
    match sniff(reader).map_err(|source| CheckpointError::Read { offset: 0, source })? {
        beginning if beginning.starts_with(&gguf::MAGIC) => Contents::of(reader),
        beginning => Err(CheckpointError::Format { found: describe(&beginning) }),
    }
}

/// The first 9 bytes, or all of a shorter file.
fn sniff<R: Read + Seek>(reader: &mut R) -> std::io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    reader.seek(SeekFrom::Start(0))?;
    reader.by_ref().take(9).read_to_end(&mut beginning)?;
    Ok(beginning)
}

/// Describes a file of another format by its first bytes.
fn describe(beginning: &[u8]) -> String {
    match beginning {
        [] => "an empty file".to_string(),
        [b'P', b'K', 3, 4, ..] => "a zip file, as torch writes, which needs converting".to_string(),
        [_, _, _, _, _, _, _, _, b'{'] => "a safetensors file, which needs converting".to_string(),
        _ => format!("`{}`", beginning.escape_ascii()),
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn files_of_other_formats_are_named() {
        let error = |bytes: &[u8]| read(&mut Cursor::new(bytes)).unwrap_err().to_string();
        assert!(error(b"").ends_with("found an empty file"));
        assert!(error(b"PK\x03\x04rest of it").contains("torch"));
        assert!(error(b"\x08\0\0\0\0\0\0\0{\"a\":1}").contains("safetensors"));
        assert!(error(b"<!doctype html>").ends_with("found `<!doctype`"));
        assert!(error(b"GGUF").starts_with("`version` at byte 4 takes 4 bytes"));
    }
}
