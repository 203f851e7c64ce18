//! The state that a conversion resumes from, as bytes. Storage is not trusted, so they end with their own SHA-256.

use sha2::{Digest, Sha256};

use super::written::WrittenRange;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::sha256;

/// The first bytes; the last of them is the version.
const BEGINNING: [u8; 8] = *b"peargpt\x02";

/// The whole state, except what is in the GGUF.
pub(super) struct SavedStream<'a> {
    /// The hash of the file and the texts that it was made for.
    pub bound: [u8; 32],
    /// The hash of the safetensors file so far, which also gives the position.
    pub hash: sha256::SavedSha256,
    /// The bytes of the file before the data, as far as they have arrived.
    pub header: &'a [u8],
    /// The ranges of the GGUF that have been written.
    pub written: Vec<WrittenRange>,
    /// The checksum of the part of an unfinished matrix that has arrived.
    pub matrix: u64,
    /// Bytes of an incomplete unit.
    pub rest: &'a [u8],
}

impl<'a> SavedStream<'a> {
    /// In this order: `BEGINNING`, `bound`, `hash`, `matrix`; `header` and `written`, each behind its length in 8
    /// bytes; `rest`; and the SHA-256 of all that.
    pub fn to_bytes(&self) -> Vec<u8> {
        let SavedStream { bound, hash, header, written, matrix, rest } = self;
        let (length, pieces) = ((header.len() as u64).to_le_bytes(), (written.len() as u64).to_le_bytes());
        let written: Vec<u8> = written.iter().flat_map(|piece| piece.to_bytes()).collect();
        let mut bytes =
            [&BEGINNING, &bound[..], hash, &matrix.to_le_bytes(), &length, header, &pieces, &written, rest].concat();
        bytes.extend(Sha256::digest(&bytes));
        bytes
    }

    /// Reads a saved state; fails unless it was written for this `bound`.
    pub fn read(bytes: &'a [u8], bound: [u8; 32]) -> Result<Self, CheckpointError> {
        let (bytes, checksum) = bytes.split_last_chunk::<32>().ok_or_else(damaged)?;
        let (beginning, bytes_left) = bytes.split_first_chunk().ok_or_else(damaged)?;
        if *beginning != BEGINNING {
            let (expected, found) = (BEGINNING.escape_ascii(), beginning.escape_ascii());
            return Err(CheckpointError::field(&FIELD, 0, format!("`{expected}`"), format!("`{found}`")));
        }
        check(Sha256::digest(bytes)[..] == checksum[..])?;
        let (found, bytes) = bytes_left.split_first_chunk().ok_or_else(damaged)?;
        if *found != bound {
            let expected = "that of the same file, name and vocabulary";
            return Err(CheckpointError::field(&FIELD, BEGINNING.len() as u64, expected, "that of others"));
        }
        let (hash, bytes) = bytes.split_first_chunk().ok_or_else(damaged)?;
        let (matrix, bytes) = bytes.split_first_chunk().ok_or_else(damaged)?;
        let (header, bytes) = behind_length(bytes, 1).ok_or_else(damaged)?;
        let (written, rest) = behind_length(bytes, WrittenRange::BYTES).ok_or_else(damaged)?;
        let written = written.as_chunks().0.iter().map(WrittenRange::from_bytes).collect();
        Ok(SavedStream { bound, hash: *hash, header, written, matrix: u64::from_le_bytes(*matrix), rest })
    }
}

/// Reads a number of 8 bytes, and returns so many items of `size` bytes, and the bytes behind them.
fn behind_length(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (count, bytes) = bytes.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*count)).ok()?.checked_mul(size)?;
    bytes.split_at_checked(length)
}

const FIELD: &str = "saved conversion";

/// Fails unless the saved state is valid.
pub(super) fn check(is_right: bool) -> Result<(), CheckpointError> {
    if is_right { Ok(()) } else { Err(damaged()) }
}

fn damaged() -> CheckpointError {
    CheckpointError::field(&FIELD, 0, "it as it was saved", "it damaged")
}
