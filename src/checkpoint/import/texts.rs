//! Texts, read in pieces.

use std::io::{Read, Seek};

use super::Pause;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::source::{Source, room};

/// The longest text that is read whole; GPT-2's `tokenizer.json` has 1.4 MB.
pub(super) const MOST_TEXT: u64 = 16 << 20;
/// The longest `config.json` or index of shards: these are read in one step.
pub(super) const MOST_DESCRIPTION: u64 = 1 << 20;

/// Bytes of a text that one step reads, which takes a millisecond or two.
pub(super) const PIECE: usize = 128 << 10;

/// Reads a text from a file in chunks of whole characters.
pub(super) struct TextChunks {
    buffer: Vec<u8>,
    /// Bytes in the buffer: the last chunk, and the beginning of a character behind it.
    filled: usize,
    /// Bytes of the last chunk.
    valid: usize,
    /// Bytes of the file that have not been read.
    left: u64,
}

impl TextChunks {
    /// At the beginning of a text.
    pub fn new<R: Read + Seek>(source: &mut Source<R>) -> Result<Self, CheckpointError> {
        source.seek(0)?;
        let left = source.length();
        Ok(TextChunks { buffer: vec![0; left.min(PIECE as u64) as usize], filled: 0, valid: 0, left })
    }

    /// The next chunk; `None` at the end.
    pub fn next<R: Read + Seek>(&mut self, source: &mut Source<R>) -> Result<Option<&str>, CheckpointError> {
        // This chunk begins with the character that the end of the last one cut.
        self.buffer.copy_within(self.valid..self.filled, 0);
        let kept = self.filled - self.valid;
        let count = self.left.min((self.buffer.len() - kept) as u64) as usize;
        (self.filled, self.left) = (kept + count, self.left - count as u64);
        source.fill(&"text", &mut self.buffer[kept..self.filled])?;
        let bytes = &self.buffer[..self.filled];
        self.valid = match std::str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            Err(error) if error.error_len().is_none() && self.left > 0 => error.valid_up_to(),
            Err(error) => {
                let offset = source.offset() - (bytes.len() - error.valid_up_to()) as u64;
                return Err(CheckpointError::field(&"text", offset, "UTF-8", "other bytes"));
            }
        };
        let text = std::str::from_utf8(&bytes[..self.valid]).unwrap_or_default();
        Ok((!text.is_empty()).then_some(text))
    }
}

/// Reads a text from its beginning.
pub(super) async fn read<R: Read + Seek>(
    source: &mut Source<'_, R>,
    most: u64,
    pause: Pause<'_>,
) -> Result<String, CheckpointError> {
    let length = source.length();
    if length > most {
        return Err(CheckpointError::field(&"text", 0, format!("at most {most} bytes"), length));
    }
    let mut text = String::from_utf8(room(&"text", length)?).unwrap_or_default();
    let mut pieces = TextChunks::new(source)?;
    while let Some(piece) = pieces.next(source)? {
        text.push_str(piece);
        pause().await;
    }
    Ok(text)
}

/// Splits a text after some whole lines.
pub(super) fn cut(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let end = bytes.iter().skip(PIECE).position(|&byte| byte == b'\n');
    text.split_at(end.map_or(text.len(), |end| PIECE + end + 1))
}
