//! Records what has been written of a GGUF: checksums, computed before the bytes go to the file. The file is compared
//! with them later.
//!
//! Tensors do not arrive in the GGUF's order, so the file can be hashed from its beginning only once all of them are
//! there. The bytes of one tensor are written in order.

use std::fmt;
use std::io::{Seek, SeekFrom, Write};
use std::vec::IntoIter;

use xxhash_rust::xxh64::Xxh64;

use crate::checkpoint::CheckpointError;

/// A range of the file, written from its beginning to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrittenRange {
    /// Where the range begins.
    start: u64,
    /// Bytes in the range.
    length: u64,
    /// The XXH64 of its bytes.
    checksum: u64,
}

impl WrittenRange {
    /// Bytes of a stored range.
    pub const BYTES: usize = 3 * size_of::<u64>();

    /// Start, length and checksum.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let numbers = [self.start, self.length, self.checksum];
        bytes.as_chunks_mut().0.iter_mut().zip(numbers).for_each(|(bytes, number)| *bytes = number.to_le_bytes());
        bytes
    }

    /// Reads the bytes that `to_bytes` made.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let number = |index: usize| bytes.as_chunks().0.get(index).map_or(0, |bytes| u64::from_le_bytes(*bytes));
        WrittenRange { start: number(0), length: number(1), checksum: number(2) }
    }

    fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }
}

/// Everything that has been written for good.
#[derive(Clone, Default)]
pub(super) struct Written {
    whole: Vec<WrittenRange>,
    begun: Option<Begun>,
}

/// A range that may grow.
#[derive(Clone)]
struct Begun {
    start: u64,
    length: u64,
    hash: Xxh64,
}

impl Begun {
    fn piece(&self) -> WrittenRange {
        WrittenRange { start: self.start, length: self.length, checksum: self.hash.digest() }
    }
}

impl Written {
    /// The record that these stored ranges are of.
    pub fn resume(pieces: Vec<WrittenRange>) -> Self {
        Written { whole: pieces, begun: None }
    }

    /// The ranges so far.
    pub fn pieces(&self) -> Vec<WrittenRange> {
        self.whole.iter().copied().chain(self.begun.as_ref().map(Begun::piece)).collect()
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.pieces().iter().map(|piece| piece.length).fold(0, u64::saturating_add)
    }

    fn add(&mut self, start: u64, bytes: &[u8]) {
        let goes_on = self.begun.as_ref().is_some_and(|begun| begun.start + begun.length == start);
        if !goes_on {
            self.whole.extend(self.begun.take().map(|begun| begun.piece()));
        }
        let begun = self.begun.get_or_insert_with(|| Begun { start, length: 0, hash: Xxh64::default() });
        begun.hash.update(bytes);
        begun.length += bytes.len() as u64;
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Written").field(&self.pieces()).finish()
    }
}

/// A file, and the record of what is written to it.
pub(super) struct Noted<'a, F> {
    /// The file.
    pub file: &'a mut F,
    /// The record.
    pub written: &'a mut Written,
}

impl<F: Write + Seek> Noted<'_, F> {
    /// Writes bytes at `start` for good, and records them.
    pub fn write(&mut self, start: u64, bytes: &[u8]) -> Result<(), CheckpointError> {
        put(self.file, start, bytes)?;
        if !bytes.is_empty() {
            self.written.add(start, bytes);
        }
        Ok(())
    }
}

/// Writes bytes at `start`.
pub(super) fn put<F: Write + Seek>(file: &mut F, start: u64, bytes: &[u8]) -> Result<(), CheckpointError> {
    if !bytes.is_empty() {
        file.seek(SeekFrom::Start(start))?;
        file.write_all(bytes)?;
    }
    Ok(())
}

/// Compares a GGUF, which is read from its beginning to its end, with the record of what was written.
pub struct Comparison {
    /// The ranges that are left, in the order of the file.
    left: IntoIter<WrittenRange>,
    current: Option<WrittenRange>,
    hash: Xxh64,
    position: u64,
    damage: Option<CheckpointError>,
}

impl Comparison {
    pub(super) fn new(written: &Written) -> Self {
        let mut pieces = written.pieces();
        pieces.sort_unstable_by_key(|piece| piece.start);
        let mut left = pieces.into_iter();
        Comparison { current: left.next(), left, hash: Xxh64::default(), position: 0, damage: None }
    }

    /// Takes the next bytes of the file, of any number.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while let Some(piece) = self.current.filter(|_| !bytes.is_empty()) {
            let is_inside = self.position >= piece.start;
            let end = if is_inside { piece.end() } else { piece.start };
            let (here, rest) = bytes.split_at(end.saturating_sub(self.position).min(bytes.len() as u64) as usize);
            if is_inside {
                self.hash.update(here);
            }
            self.position += here.len() as u64;
            bytes = rest;
            if is_inside && self.position >= end {
                self.compare(piece);
            }
        }
        self.position += bytes.len() as u64;
    }

    fn compare(&mut self, piece: WrittenRange) {
        if std::mem::take(&mut self.hash).digest() != piece.checksum {
            let expected = format!("the {} bytes that were written", piece.length);
            self.damage.get_or_insert_with(|| CheckpointError::field(&FIELD, piece.start, expected, "others"));
        }
        self.current = self.left.next();
    }

    /// Ends the comparison. Fails if any range differs from what was written, and names where the first such range
    /// begins.
    pub fn finish(self) -> Result<(), CheckpointError> {
        let field = FIELD.to_string();
        match (self.damage, self.current) {
            (Some(damage), _) => Err(damage),
            (None, Some(piece)) => {
                let needed = piece.end().saturating_sub(self.position);
                Err(CheckpointError::Truncated { field, offset: self.position, needed, left: 0 })
            }
            (None, None) => Ok(()),
        }
    }
}

const FIELD: &str = "the GGUF so far";
