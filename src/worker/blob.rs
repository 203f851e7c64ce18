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
}

impl BlobFile {
    /// The file from its beginning, read ahead.
    pub fn open(blob: Blob) -> Result<BufReader<Self>, JsValue> {
        let file = BlobFile { blob, reader: FileReaderSync::new()?, position: 0 };
        Ok(BufReader::with_capacity(AHEAD, file))
    }
}

impl Read for BlobFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let failed = |error: JsValue| io::Error::other(reason(&error));
        let (start, end) = (self.position as f64, (self.position + bytes.len() as u64) as f64);
        let slice = self.blob.slice_with_f64_and_f64(start, end).map_err(failed)?;
        let buffer = self.reader.read_as_array_buffer(&slice).map_err(failed)?;
        let slice = Uint8Array::new(&buffer);
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
