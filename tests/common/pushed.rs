//! Pushing a made file through [`Streaming`].

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::io::Cursor;

use peargpt::checkpoint::CheckpointError;
use peargpt::checkpoint::import::streaming::{Streaming, Texts};
use sha2::{Digest, Sha256};

use crate::common::Folder;

/// The name that `common::to_bytes` gives.
pub const NAME: &str = "fixture";

pub fn texts(folder: &Folder) -> Texts<'_> {
    Texts { vocabulary: &folder.vocabulary, merges: &folder.merges }
}

pub fn begin(folder: &Folder) -> Streaming {
    Streaming::new(texts(folder), NAME, folder.weights.len() as u64).unwrap()
}

pub fn resume(folder: &Folder, saved: &[u8], file: &mut Cursor<Vec<u8>>) -> Result<Streaming, CheckpointError> {
    Streaming::resume(texts(folder), NAME, folder.weights.len() as u64, saved, file)
}

/// The GGUF of a file that comes in pieces of these lengths, the last of them again and again.
pub fn stream(folder: &Folder, mut lengths: impl FnMut() -> usize) -> Result<Vec<u8>, CheckpointError> {
    let (mut streaming, mut file) = (begin(folder), Cursor::new(Vec::new()));
    let mut rest = folder.weights.as_slice();
    while !rest.is_empty() {
        let piece = rest.split_off(..lengths().min(rest.len())).unwrap();
        streaming.push(piece, &mut file)?;
        assert_eq!(streaming.position(), (folder.weights.len() - rest.len()) as u64);
    }
    assert_eq!(streaming.output_length(), Some(file.get_ref().len() as u64));
    let hash = streaming.finish(&mut file)?;
    assert_eq!(hash[..], Sha256::digest(&folder.weights)[..]);
    Ok(file.into_inner())
}

pub fn stream_evenly(folder: &Folder, length: usize) -> Result<Vec<u8>, CheckpointError> {
    stream(folder, || length)
}

/// Pushes what stands between two positions, in pieces.
pub fn push(streaming: &mut Streaming, folder: &Folder, end: usize, file: &mut Cursor<Vec<u8>>) {
    let begin = streaming.position() as usize;
    folder.weights[begin..end].chunks(4099).for_each(|piece| streaming.push(piece, file).unwrap());
}

/// Where a tensor begins, from the file's beginning.
pub fn begin_of(folder: &Folder, name: &str) -> usize {
    let length = u64::from_le_bytes(*folder.weights.first_chunk().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&folder.weights[8..][..length]).unwrap();
    8 + length + header[name]["data_offsets"][0].as_u64().unwrap() as usize
}
