//! Reads a file that the reader handed over in slices, so that it is never in memory as a whole.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use web_sys::{Blob, FileReaderSync};

use super::storage::{place, reason};

/// Bytes that are read ahead. Each read takes a message to another process of the browser.
const AHEAD: usize = 256 << 10;

/// A file, and the position in it.
pub struct BlobFile {
    blob: Blob,
    reader: FileReaderSync,
    position: u64,
    /// Ranges that have been read in advance: offset and bytes.
    in_advance: Vec<(u64, Uint8Array)>,
}

impl BlobFile {
    /// The file from its beginning, read ahead.
    pub fn open(blob: Blob) -> Result<BufReader<Self>, JsValue> {
        let ahead = AHEAD.min(blob.size() as usize);
        let file = BlobFile { blob, reader: FileReaderSync::new()?, position: 0, in_advance: Vec::new() };
        Ok(BufReader::with_capacity(ahead, file))
    }

    /// Ranges that have been read in advance, each with its offset, in place of those before. Reading takes its bytes
    /// from them where it can.
    pub fn set_in_advance(&mut self, ranges: Vec<(u64, Uint8Array)>) {
        self.in_advance = ranges;
    }

    /// The bytes from the position on, as far as they have been read in advance, and at most `most`.
    fn here(&self, most: usize) -> Option<Uint8Array> {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        self.in_advance.iter().find_map(|(start, bytes)| {
            let from = u32::try_from(self.position.checked_sub(*start)?).ok()?;
            (from < bytes.length()).then(|| bytes.subarray(from, from.saturating_add(most).min(bytes.length())))
        })
    }

    /// Reads at most `most` bytes from the file.
    fn read_slice(&self, most: usize) -> Result<Uint8Array, JsValue> {
        let (start, end) = (self.position as f64, (self.position + most as u64) as f64);
        let slice = self.blob.slice_with_f64_and_f64(start, end)?;
        Ok(Uint8Array::new(&*self.reader.read_as_array_buffer(&slice)?))
    }
}

impl Read for BlobFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let slice = match self.here(bytes.len()) {
            Some(slice) => slice,
            None => self.read_slice(bytes.len()).map_err(|error| io::Error::other(reason(&error)))?,
        };
        let count = slice.length() as usize;
        slice.copy_to(&mut bytes[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for BlobFile {
    fn seek(&mut self, seek: SeekFrom) -> io::Result<u64> {
        self.position = place(seek, self.position, self.blob.size() as u64)?;
        Ok(self.position)
    }
}
