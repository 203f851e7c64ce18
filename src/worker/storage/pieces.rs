//! A file that lies in several pieces, in storage or in memory, read as one.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::{Blob, FileReaderSync};

use super::folder::reason;

/// Bytes that one look into storage brings at least: each takes a message to another process.
const AHEAD: u64 = 1 << 20;

/// One piece.
#[derive(Clone, Debug)]
pub enum Piece {
    /// In storage.
    File(Blob),
    /// In JavaScript's memory.
    Memory(Uint8Array),
}

impl Piece {
    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            Piece::File(blob) => blob.size() as u64,
            Piece::Memory(bytes) => u64::from(bytes.length()),
        }
    }
}

/// The whole file.
pub struct Pieces {
    pieces: Vec<(Range<u64>, Piece)>,
    position: u64,
    length: u64,
    reader: FileReaderSync,
    /// What has been read from storage last, and where it begins.
    ahead: Vec<u8>,
    ahead_start: u64,
}

impl Pieces {
    /// The pieces in order.
    pub fn new(pieces: impl IntoIterator<Item = Piece>) -> Result<Self, JsValue> {
        let mut length = 0;
        let mut place = |piece: Piece| {
            let start = length;
            length += piece.length();
            (start..length, piece)
        };
        let pieces: Vec<_> = pieces.into_iter().map(&mut place).collect();
        let (reader, ahead) = (FileReaderSync::new()?, Vec::new());
        Ok(Pieces { pieces, position: 0, length, reader, ahead, ahead_start: 0 })
    }

    /// What has been read ahead from the position on.
    fn read_ahead(&self) -> &[u8] {
        let start = self.position.checked_sub(self.ahead_start).and_then(|start| usize::try_from(start).ok());
        start.and_then(|start| self.ahead.get(start..)).unwrap_or_default()
    }

    fn read_piece(&mut self, index: usize, bytes: &mut [u8]) -> io::Result<usize> {
        let (range, piece) = &self.pieces[index];
        let start = self.position - range.start;
        let left = range.end - self.position;
        match piece {
            Piece::Memory(array) => {
                let count = left.min(bytes.len() as u64) as usize;
                array.subarray(start as u32, (start + count as u64) as u32).copy_to(&mut bytes[..count]);
                Ok(count)
            }
            Piece::File(blob) if bytes.len() as u64 >= AHEAD => {
                let count = left.min(bytes.len() as u64);
                let slice = slice(&self.reader, blob, start, count)?;
                slice.copy_to(&mut bytes[..count as usize]);
                Ok(count as usize)
            }
            Piece::File(blob) => {
                let slice = slice(&self.reader, blob, start, left.min(AHEAD))?;
                self.ahead.resize(slice.length() as usize, 0);
                slice.copy_to(&mut self.ahead);
                self.ahead_start = self.position;
                Ok(copy(self.read_ahead(), bytes))
            }
        }
    }
}

/// `count` bytes of a blob, exactly.
fn slice(reader: &FileReaderSync, blob: &Blob, start: u64, count: u64) -> io::Result<Uint8Array> {
    let failed = |error: JsValue| io::Error::other(reason(&error));
    let slice = blob.slice_with_f64_and_f64(start as f64, (start + count) as f64).map_err(failed)?;
    let buffer = reader.read_as_array_buffer(&slice).map_err(failed)?;
    let bytes = Uint8Array::new(&buffer);
    if u64::from(bytes.length()) == count { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// As much of `from` as fits.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    to[..count].copy_from_slice(&from[..count]);
    count
}

impl Read for Pieces {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let index = self.pieces.partition_point(|(range, _)| range.end <= self.position);
        let count = match copy(self.read_ahead(), bytes) {
            0 if index == self.pieces.len() => 0,
            0 => self.read_piece(index, bytes)?,
            count => count,
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Pieces {
    fn seek(&mut self, seek: SeekFrom) -> io::Result<u64> {
        let place = match seek {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
            SeekFrom::End(distance) => self.length.checked_add_signed(distance),
        };
        self.position = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
