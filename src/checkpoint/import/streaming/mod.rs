//! Converts a safetensors file that arrives in order, in pieces of any size, into the GGUF that `convert` makes of it,
//! byte for byte.
//!
//! ```text
//! bytes ─▶ header ─▶ plan      shape, tokenizer, the GGUF's header, where each tensor belongs
//!       └▶ tensors ─▶ transfer 32 elements of a row, or panels of 32 input rows → Q8_0 → their place in the file
//!                     └▶ written: checksums, to check the finished file with, and to resume from
//! ```
//!
//! The float32 file is never held in memory. At most there are one panel (393 KB for GPT-2's largest matrix), one
//! quantised matrix (2.5 MB) and the header of the safetensors file; while the GGUF's header is made, another 15 MB for
//! GPT-2's vocabulary.

mod encode;
mod plan;
mod saved;
mod transfer;
mod written;

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::checkpoint::CheckpointError;
use crate::checkpoint::sha256::ResumableSha256;
use plan::Plan;
use saved::SavedStream;
use transfer::TensorTransfers;
pub use written::Comparison;
use written::{Noted, Written};

/// Bytes of the header's length, which the file begins with.
const LENGTH: u64 = 8;
/// The longest header that is accepted; GPT-2's has 14 KB.
const MOST_HEADER: u64 = 16 << 20;

/// The texts that accompany the weights; the caller has verified them.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    /// `vocab.json`.
    pub vocabulary: &'a str,
    /// `merges.txt`.
    pub merges: &'a str,
}

/// A conversion in progress. After an error it cannot go on, and [`resume`](Streaming::resume) continues from the last
/// save.
#[derive(Debug)]
pub struct Streaming {
    /// The hash of the length and the texts; a saved state is refused unless it was made for the same.
    bound: [u8; 32],
    length: u64,
    hash: ResumableSha256,
    /// The bytes of the file before the data, as far as they have arrived.
    header: Vec<u8>,
    stage: StreamStage,
    written: Written,
    is_broken: bool,
}

#[derive(Debug)]
enum StreamStage {
    /// The header is arriving. The texts are needed to plan the GGUF.
    Header { vocabulary: String, merges: String, name: String },
    /// Tensors are arriving. The GGUF will have this length.
    Data { transfers: TensorTransfers, output_length: u64 },
}

impl Streaming {
    /// A conversion at its beginning.
    ///
    /// `name` becomes the GGUF's `general.name`; `length` is the length of the whole safetensors file. No `config.json`
    /// is needed: the shape follows from the tensors, with heads of 64 numbers as in all of OpenAI's sizes.
    pub fn new(texts: Texts<'_>, name: &str, length: u64) -> Result<Self, CheckpointError> {
        if length < LENGTH {
            let field = "header length".to_string();
            return Err(CheckpointError::Truncated { field, offset: 0, needed: LENGTH, left: length });
        }
        let Texts { vocabulary, merges } = texts;
        let bound = bind(length, [name, vocabulary, merges]);
        let (vocabulary, merges, name) = (vocabulary.to_string(), merges.to_string(), name.to_string());
        let stage = StreamStage::Header { vocabulary, merges, name };
        let (hash, header, written) = (ResumableSha256::new(), Vec::new(), Written::default());
        Ok(Streaming { bound, length, hash, header, stage, written, is_broken: false })
    }

    /// Takes the next bytes of the file, of any number, and writes what is complete to its place in `file`.
    ///
    /// Every byte of the GGUF is written, so `file` may have any contents before, but must not be longer. The time is
    /// in proportion to the number of bytes, with two exceptions: the last bytes of the header, since the GGUF's header
    /// is then written, and the last bytes of a matrix, since it is then written.
    pub fn push<F: Read + Write + Seek>(&mut self, bytes: &[u8], file: &mut F) -> Result<(), CheckpointError> {
        self.check_whole()?;
        let left = self.length - self.position();
        if bytes.len() as u64 > left {
            let found = format!("{} bytes more", bytes.len() as u64 - left);
            return Err(CheckpointError::field(&"model.safetensors", self.length, "its end", found));
        }
        self.is_broken = true;
        self.hash.update(bytes);
        let bytes = self.take_header(bytes, file)?;
        if let StreamStage::Data { transfers, .. } = &mut self.stage {
            transfers.push(bytes, Noted { file, written: &mut self.written })?;
        }
        self.is_broken = false;
        Ok(())
    }

    /// Bytes of the safetensors file that have been taken.
    pub fn position(&self) -> u64 {
        self.hash.length()
    }

    /// Bytes of the GGUF, once the header has been read.
    pub fn output_length(&self) -> Option<u64> {
        match self.stage {
            StreamStage::Header { .. } => None,
            StreamStage::Data { output_length, .. } => Some(output_length),
        }
    }

    /// The comparison that `file` has to pass: everything that was written to it and will not be written again. It does
    /// not cover an unfinished matrix that [`save`](Self::save) wrote; [`resume`](Self::resume) checks that.
    pub fn comparison(&self) -> Comparison {
        Comparison::new(&self.written)
    }

    /// Writes an unfinished matrix to `file`, and returns everything else that [`resume`](Self::resume) needs: at most
    /// a panel, the file's header and the checksums.
    ///
    /// The caller flushes `file`, then stores these bytes completely or not at all. The conversion can go on
    /// afterwards.
    pub fn save<F: Read + Write + Seek>(&mut self, file: &mut F) -> Result<Vec<u8>, CheckpointError> {
        self.check_whole()?;
        let (matrix, rest) = match &self.stage {
            StreamStage::Header { .. } => (0, &[][..]),
            StreamStage::Data { transfers, .. } => transfers.save(file)?,
        };
        let (hash, header, written) = (self.hash.save(), &self.header, self.written.pieces());
        Ok(SavedStream { bound: self.bound, hash, header, written, matrix, rest }.to_bytes())
    }

    /// Continues where `saved` was made. `file` must be as it was then, or as it was written later.
    ///
    /// Refuses a state that is damaged, or that was saved for another name, length or text, and a `file` that is too
    /// short or has another unfinished matrix; the conversion must then start over. The caller compares the rest of
    /// `file` by [`comparison`](Self::comparison).
    pub fn resume<F: Read + Write + Seek>(
        texts: Texts<'_>,
        name: &str,
        length: u64,
        saved: &[u8],
        file: &mut F,
    ) -> Result<Self, CheckpointError> {
        let mut streaming = Self::new(texts, name, length)?;
        let SavedStream { hash, header, written, matrix, rest, .. } = SavedStream::read(saved, streaming.bound)?;
        streaming.written = Written::resume(written);
        streaming.hash = ResumableSha256::resume(&hash);
        streaming.header = header.to_vec();
        if streaming.header_left()? > 0 {
            saved::check(streaming.position() == header.len() as u64 && rest.is_empty())?;
        } else {
            let (Plan { tasks, length: output_length, .. }, position) = (streaming.plan()?, streaming.position());
            saved::check((header.len() as u64..=length).contains(&position))?;
            let transfers = TensorTransfers::resume(tasks, position, (matrix, rest), file)?;
            streaming.stage = StreamStage::Data { transfers, output_length };
        }
        Ok(streaming)
    }

    /// Ends the conversion; the whole file must have been taken. Returns the SHA-256 of the safetensors file. The
    /// caller compares it with the expected one, and the GGUF by [`comparison`](Self::comparison).
    pub fn finish<F: Read + Write + Seek>(self, file: &mut F) -> Result<[u8; 32], CheckpointError> {
        self.check_whole()?;
        let (offset, output_length) = (self.position(), self.output_length().unwrap_or_default());
        if offset < self.length {
            let (field, needed) = ("model.safetensors".to_string(), self.length - offset);
            return Err(CheckpointError::Truncated { field, offset, needed, left: 0 });
        }
        file.flush()?;
        let found = file.seek(SeekFrom::End(0))?;
        if found != output_length {
            let expected = format!("{output_length} bytes");
            return Err(CheckpointError::field(&"length of the GGUF file", 0, expected, format!("{found} bytes")));
        }
        saved::check(self.written.length() == output_length)?;
        Ok(self.hash.finish())
    }

    /// Fails if an earlier call failed and left the conversion in the middle of a step.
    fn check_whole(&self) -> Result<(), CheckpointError> {
        if self.is_broken {
            return Err(io::Error::other("an earlier piece could not be taken").into());
        }
        Ok(())
    }

    /// Takes the bytes that belong to the header, and writes the GGUF's header once all of them are there. Returns the
    /// bytes behind the header.
    fn take_header<'b, F: Read + Write + Seek>(
        &mut self,
        mut bytes: &'b [u8],
        file: &mut F,
    ) -> Result<&'b [u8], CheckpointError> {
        while matches!(self.stage, StreamStage::Header { .. }) && !bytes.is_empty() {
            let left = self.header_left()?.min(bytes.len() as u64);
            self.header.extend(bytes.split_off(..left as usize).unwrap_or_default());
            if self.header_left()? == 0 {
                let Plan { header, tasks, length } = self.plan()?;
                Noted { file: &mut *file, written: &mut self.written }.write(0, &header)?;
                let transfers = TensorTransfers::new(tasks, self.header.len() as u64)?;
                self.stage = StreamStage::Data { transfers, output_length: length };
            }
        }
        Ok(bytes)
    }

    /// Bytes of the header that are missing: of its length at first, then of the whole header.
    fn header_left(&self) -> Result<u64, CheckpointError> {
        let have = self.header.len() as u64;
        let Some(length) = self.header.first_chunk() else { return Ok(LENGTH - have) };
        let (needed, left) = (u64::from_le_bytes(*length), self.length - LENGTH);
        if needed > left {
            let field = "header".to_string();
            return Err(CheckpointError::Truncated { field, offset: LENGTH, needed, left });
        }
        if needed > MOST_HEADER {
            return Err(CheckpointError::field(&"header length", 0, format!("at most {MOST_HEADER} bytes"), needed));
        }
        Ok((LENGTH + needed).saturating_sub(have))
    }

    /// The plan that follows from the complete header.
    fn plan(&self) -> Result<Plan, CheckpointError> {
        let StreamStage::Header { vocabulary, merges, name } = &self.stage else {
            return Err(io::Error::other("the header has been read before").into());
        };
        plan::plan(&self.header, self.length, Texts { vocabulary, merges }, name)
    }
}

/// The hash that ties a saved state to its file and texts.
fn bind(length: u64, texts: [&str; 3]) -> [u8; 32] {
    let mut hash = ResumableSha256::new();
    hash.update(&length.to_le_bytes());
    for text in texts {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    hash.finish()
}
