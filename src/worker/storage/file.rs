//! Files that can be written: in storage, or in JavaScript's memory, outside of WebAssembly's.

use std::io::{self, Read, Seek, SeekFrom, Write};

use js_sys::{Array, Function, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Blob, FileSystemFileHandle, FileSystemReadWriteOptions, FileSystemSyncAccessHandle};

use super::reason::reason;

/// Bytes of one piece of a [`MemoryFile`].
const CHUNK: u64 = 4 << 20;

/// The position that a seek leads to in a file of this length.
pub fn place(seek: SeekFrom, position: u64, length: u64) -> io::Result<u64> {
    let place = match seek {
        SeekFrom::Start(offset) => Some(offset),
        SeekFrom::Current(distance) => position.checked_add_signed(distance),
        SeekFrom::End(distance) => length.checked_add_signed(distance),
    };
    place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

/// A file in the browser's storage. No other tab can open it until this is dropped.
#[derive(Debug)]
pub struct StoredFile {
    handle: FileSystemSyncAccessHandle,
    /// What it was opened from.
    source: FileSystemFileHandle,
    position: u64,
}

impl StoredFile {
    pub(super) fn new(handle: FileSystemSyncAccessHandle, source: FileSystemFileHandle) -> Self {
        StoredFile { handle, source, position: 0 }
    }

    /// What it was opened from, and whether others can open that meanwhile.
    pub fn source(&self) -> (FileSystemFileHandle, bool) {
        // The bindings do not know modes yet.
        let mode = Reflect::get(&self.handle, &"mode".into()).ok().and_then(|mode| mode.as_string());
        (self.source.clone(), mode.as_deref() == Some("read-only"))
    }

    /// Replaces the contents of the file.
    pub fn replace(&mut self, bytes: &Uint8Array) -> Result<(), JsValue> {
        self.handle.truncate_with_f64(0.0)?;
        let written = self.handle.write_with_buffer_source(bytes)?;
        if written < f64::from(bytes.length()) {
            return Err(js_sys::Error::new("the browser's storage took a part of a file only").into());
        }
        self.handle.flush()
    }

    /// Sets the file's length: cuts it, or appends zeros.
    pub fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.handle.truncate_with_f64(length as f64).map_err(failed)
    }

    /// Its length in bytes.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.handle.get_size().map_err(failed)? as u64)
    }

    fn at(&self) -> FileSystemReadWriteOptions {
        let options = FileSystemReadWriteOptions::new();
        options.set_at(self.position as f64);
        options
    }

    fn advance(&mut self, count: f64) -> usize {
        self.position += count as u64;
        count as usize
    }
}

fn failed(error: JsValue) -> io::Error {
    io::Error::other(reason(&error))
}

impl Drop for StoredFile {
    fn drop(&mut self) {
        self.handle.close();
    }
}

impl Read for StoredFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.handle.read_with_u8_array_and_options(bytes, &self.at()).map_err(failed)?;
        Ok(self.advance(count))
    }
}

impl Write for StoredFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.handle.write_with_u8_array_and_options(bytes, &self.at()).map_err(failed)?;
        Ok(self.advance(count))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.handle.flush().map_err(failed)
    }
}

impl Seek for StoredFile {
    fn seek(&mut self, seek: SeekFrom) -> io::Result<u64> {
        self.position = place(seek, self.position, self.length()?)?;
        Ok(self.position)
    }
}

/// A file in JavaScript's memory. WebAssembly's memory would never shrink again.
#[derive(Debug, Default)]
pub struct MemoryFile {
    chunks: Vec<Uint8Array>,
    length: u64,
    position: u64,
}

impl MemoryFile {
    /// Sets the file's length: cuts it, or appends zeros.
    pub fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.chunks.truncate(length.div_ceil(CHUNK) as usize);
        while (self.chunks.len() as u64) * CHUNK < length {
            self.chunks.push(bytes(CHUNK).map_err(failed)?);
        }
        self.length = length;
        Ok(())
    }

    /// The contents as a blob, which is made piece by piece.
    pub fn into_blob(self) -> Result<Blob, JsValue> {
        let pieces: Array = self.into_chunks().collect();
        Blob::new_with_u8_array_sequence(&pieces)
    }

    /// The contents, piece by piece.
    pub fn into_chunks(self) -> impl Iterator<Item = Uint8Array> {
        let lengths = (0..self.length).step_by(CHUNK as usize).map(move |start| CHUNK.min(self.length - start));
        self.chunks.into_iter().zip(lengths).map(|(chunk, length)| chunk.subarray(0, length as u32))
    }

    /// The rest of the chunk at the position: at most `most` bytes, and none behind the file's end.
    fn here(&self, most: usize) -> Option<Uint8Array> {
        let chunk = self.chunks.get((self.position / CHUNK) as usize)?;
        let start = self.position % CHUNK;
        let length = (most as u64).min(CHUNK - start).min(self.length.saturating_sub(self.position));
        Some(chunk.subarray(start as u32, (start + length) as u32))
    }
}

/// So many zeros. Fails if the browser has no room for them, where the constructor of the bindings would throw.
pub fn bytes(length: u64) -> Result<Uint8Array, JsValue> {
    let constructor: Function = Reflect::get(&js_sys::global(), &"Uint8Array".into())?.unchecked_into();
    let array: JsValue = Reflect::construct(&constructor, &Array::of1(&(length as f64).into()))?;
    Ok(array.unchecked_into())
}

impl Read for MemoryFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Some(here) = self.here(bytes.len()) else { return Ok(0) };
        let count = here.length() as usize;
        here.copy_to(&mut bytes[..count]);
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.set_length(self.length.max(self.position + bytes.len() as u64))?;
        let Some(here) = self.here(bytes.len()) else { return Ok(0) };
        let count = here.length() as usize;
        here.copy_from(&bytes[..count]);
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for MemoryFile {
    fn seek(&mut self, seek: SeekFrom) -> io::Result<u64> {
        self.position = place(seek, self.position, self.length)?;
        Ok(self.position)
    }
}
