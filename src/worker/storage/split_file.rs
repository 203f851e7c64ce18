//! Reads several pieces, in storage or in memory, as one file.

use std::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::rc::Rc;

use js_sys::{Array, BigInt, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, FileReaderSync, FileSystemFileHandle};

use super::file::{StoredFile, place};
use super::folder::open_for_reading;
use super::reason::reason;
use crate::app::checksum::{STRETCH, checksum};

/// One piece.
#[derive(Clone, Debug)]
pub enum FilePiece {
    /// A file in storage. If its checksums are known, they are checked when it is read.
    File(Blob, Option<Rc<[u64]>>),
    /// The same, kept open.
    Open(Rc<RefCell<StoredFile>>, Option<Rc<[u64]>>),
    /// In JavaScript's memory.
    Memory(Uint8Array),
}

impl FilePiece {
    /// A piece that is kept open.
    pub fn open(file: StoredFile, checksums: Option<Rc<[u64]>>) -> Self {
        FilePiece::Open(Rc::new(RefCell::new(file)), checksums)
    }

    /// What a message to another worker has of it, see [`received`](Self::received).
    pub async fn posted(&self) -> Result<JsValue, JsValue> {
        let (source, checksums) = match self {
            FilePiece::File(blob, checksums) => (blob.clone().into(), checksums),
            FilePiece::Open(file, checksums) => {
                let (source, is_shared) = file.borrow().source();
                match is_shared {
                    true => (source.into(), checksums),
                    false => (JsFuture::from(source.get_file()).await?, checksums),
                }
            }
            FilePiece::Memory(_) => (self.blob().await?.into(), &None),
        };
        let checksums = checksums.as_ref().map(|checksums| checksums.iter().map(|sum| BigInt::from(*sum)).collect());
        Ok(Array::of2(&source, &checksums.map_or(JsValue::NULL, |checksums: Array| checksums.into())).into())
    }

    /// The piece as a file.
    pub async fn blob(&self) -> Result<Blob, JsValue> {
        match self {
            FilePiece::File(blob, _) => Ok(blob.clone()),
            FilePiece::Open(file, _) => {
                let (source, _) = file.borrow().source();
                Ok(JsFuture::from(source.get_file()).await?.unchecked_into())
            }
            FilePiece::Memory(bytes) => Blob::new_with_u8_array_sequence(&Array::of1(bytes)),
        }
    }

    /// A piece that has come in a message.
    pub async fn received(message: &JsValue) -> Result<FilePiece, JsValue> {
        let message: &Array = message.unchecked_ref();
        let checksums: Option<Rc<[u64]>> = match message.get(1) {
            none if none.is_null() => None,
            sums => Some(sums.unchecked_into::<Array>().iter().map(|sum| u64::try_from(sum).unwrap_or(0)).collect()),
        };
        let source = match message.get(0).dyn_into::<Blob>() {
            Ok(blob) => return Ok(FilePiece::File(blob, checksums)),
            Err(handle) => handle.unchecked_into::<FileSystemFileHandle>(),
        };
        match open_for_reading(source.clone()).await {
            Some(file) => Ok(FilePiece::open(file, checksums)),
            None => Ok(FilePiece::File(JsFuture::from(source.get_file()).await?.unchecked_into(), checksums)),
        }
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match self {
            FilePiece::File(blob, _) => blob.size() as u64,
            FilePiece::Open(file, _) => file.borrow().length().unwrap_or(0),
            FilePiece::Memory(bytes) => u64::from(bytes.length()),
        }
    }
}

/// The whole file.
pub struct SplitFile {
    pieces: Vec<(Range<u64>, FilePiece)>,
    position: u64,
    length: u64,
    reader: FileReaderSync,
    /// The stretch of a file in storage that was read last, and its offset. Bytes are read a stretch at a time, since
    /// each read takes a message to another process.
    ahead: Vec<u8>,
    ahead_start: u64,
}

impl SplitFile {
    /// The pieces in order.
    pub fn new(pieces: impl IntoIterator<Item = FilePiece>) -> Result<Self, JsValue> {
        let mut length = 0;
        let mut place = |piece: FilePiece| {
            let start = length;
            length += piece.length();
            (start..length, piece)
        };
        let pieces: Vec<_> = pieces.into_iter().map(&mut place).collect();
        let (reader, ahead) = (FileReaderSync::new()?, Vec::new());
        Ok(SplitFile { pieces, position: 0, length, reader, ahead, ahead_start: 0 })
    }

    /// The pieces in order.
    pub fn pieces(&self) -> Vec<FilePiece> {
        self.pieces.iter().map(|(_, piece)| piece.clone()).collect()
    }

    /// The pieces in order.
    pub fn into_pieces(self) -> Vec<FilePiece> {
        self.pieces.into_iter().map(|(_, piece)| piece).collect()
    }

    /// All bytes, if no piece is in storage.
    pub fn into_blob(self) -> Option<Blob> {
        let bytes = |(_, piece): (Range<u64>, FilePiece)| match piece {
            FilePiece::Memory(bytes) => Some(JsValue::from(bytes)),
            _ => None,
        };
        let bytes: Array = self.pieces.into_iter().map(bytes).collect::<Option<_>>()?;
        Blob::new_with_u8_array_sequence(&bytes).ok()
    }

    /// The bytes that have been read ahead, from the position on.
    fn read_ahead(&self) -> &[u8] {
        let start = self.position.checked_sub(self.ahead_start).and_then(|start| usize::try_from(start).ok());
        start.and_then(|start| self.ahead.get(start..)).unwrap_or_default()
    }

    fn read_piece(&mut self, index: usize, bytes: &mut [u8]) -> io::Result<usize> {
        let (range, piece) = &self.pieces[index];
        let start = self.position - range.start;
        if let FilePiece::Memory(array) = piece {
            let count = (range.end - self.position).min(bytes.len() as u64) as usize;
            array.subarray(start as u32, (start + count as u64) as u32).copy_to(&mut bytes[..count]);
            return Ok(count);
        }
        self.read_stretch(index, start / STRETCH as u64)?;
        Ok(copy(self.read_ahead(), bytes))
    }

    /// Reads a stretch of a piece that is in storage.
    fn read_stretch(&mut self, index: usize, stretch: u64) -> io::Result<()> {
        let (range, piece) = &self.pieces[index];
        let start = stretch * STRETCH as u64;
        let count = (range.end - range.start - start).min(STRETCH as u64);
        self.ahead_start = range.start + start;
        // Taken out, so that `self` has none of it if an error follows.
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.resize(count as usize, 0);
        let checksums = match piece {
            FilePiece::Memory(_) => return Ok(()),
            FilePiece::File(blob, checksums) => {
                slice(&self.reader, blob, start, count)?.copy_to(&mut ahead);
                checksums
            }
            FilePiece::Open(file, checksums) => {
                file.borrow_mut().seek(SeekFrom::Start(start))?;
                file.borrow_mut().read_exact(&mut ahead)?;
                checksums
            }
        };
        let expected = checksums.as_ref().map(|checksums| checksums.get(stretch as usize));
        if expected.is_some_and(|expected| expected != Some(&checksum(&ahead))) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it was damaged in the browser's storage"));
        }
        self.ahead = ahead;
        Ok(())
    }
}

/// Exactly `count` bytes of a blob.
fn slice(reader: &FileReaderSync, blob: &Blob, start: u64, count: u64) -> io::Result<Uint8Array> {
    let failed = |error: JsValue| io::Error::other(reason(&error));
    let slice = blob.slice_with_f64_and_f64(start as f64, (start + count) as f64).map_err(failed)?;
    let buffer = reader.read_as_array_buffer(&slice).map_err(failed)?;
    let bytes = Uint8Array::new(&buffer);
    if u64::from(bytes.length()) == count { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Copies as much of `from` as fits, and returns how much.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    to[..count].copy_from_slice(&from[..count]);
    count
}

impl Read for SplitFile {
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

impl Seek for SplitFile {
    fn seek(&mut self, seek: SeekFrom) -> io::Result<u64> {
        self.position = place(seek, self.position, self.length)?;
        Ok(self.position)
    }
}
