//! Reads a file that is not trusted: every length that it claims is compared with the bytes left before memory is
//! reserved.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::CheckpointError;
use crate::kernels::memory;

/// The buffer is small, so that reading a small header takes little memory.
const BUFFER: usize = 1024;

/// Bytes that are passed over by reading them. A seek makes the reader below forget what it has read ahead, which in a
/// browser is up to 256 KiB and a message to another process.
const SKIPPED: u64 = 64 << 10;

/// A reader that knows its offset and its length.
pub(super) struct Source<'a, R> {
    reader: BufReader<&'a mut R>,
    offset: u64,
    length: u64,
}

impl<'a, R: Read + Seek> Source<'a, R> {
    /// The whole of a file, from its beginning.
    pub fn new(reader: &'a mut R) -> Result<Self, CheckpointError> {
        let failed = |source| CheckpointError::Read { offset: 0, source };
        let length = reader.seek(SeekFrom::End(0)).map_err(failed)?;
        reader.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(Source { reader: BufReader::with_capacity(BUFFER, reader), offset: 0, length })
    }

    /// The offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Fails unless `count` items, of at least `size` bytes each, fit into the bytes that are left.
    pub fn claim(&self, field: &dyn Display, count: u64, size: u64) -> Result<(), CheckpointError> {
        let (needed, left) = (count.saturating_mul(size), self.length.saturating_sub(self.offset));
        if needed <= left {
            return Ok(());
        }
        Err(CheckpointError::Truncated { field: field.to_string(), offset: self.offset, needed, left })
    }

    /// Continues at this offset.
    pub fn seek(&mut self, offset: u64) -> Result<(), CheckpointError> {
        self.reader.seek(SeekFrom::Start(offset)).map_err(|source| CheckpointError::Read { offset, source })?;
        self.offset = offset;
        Ok(())
    }

    /// Passes over `count` bytes.
    pub fn skip(&mut self, field: &dyn Display, count: u64) -> Result<(), CheckpointError> {
        self.claim(field, count, 1)?;
        let (offset, mut left) = (self.offset, count);
        if count > SKIPPED {
            return self.seek(offset + count);
        }
        while left > 0 {
            let read = self.reader.fill_buf().map_err(|source| CheckpointError::Read { offset, source })?.len() as u64;
            if read == 0 {
                let source = io::ErrorKind::UnexpectedEof.into();
                return Err(CheckpointError::Read { offset, source });
            }
            self.reader.consume(read.min(left) as usize);
            left -= read.min(left);
        }
        self.offset += count;
        Ok(())
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, field: &dyn Display, bytes: &mut [u8]) -> Result<(), CheckpointError> {
        self.claim(field, bytes.len() as u64, 1)?;
        let offset = self.offset;
        self.read_exact(bytes).map_err(|source| CheckpointError::Read { offset, source })
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self, field: &dyn Display) -> Result<[u8; N], CheckpointError> {
        let mut bytes = [0; N];
        self.fill(field, &mut bytes)?;
        Ok(bytes)
    }

    /// A little-endian number of 2 bytes.
    pub fn u16(&mut self, field: &dyn Display) -> Result<u16, CheckpointError> {
        self.bytes(field).map(u16::from_le_bytes)
    }

    /// A little-endian number of 4 bytes.
    pub fn u32(&mut self, field: &dyn Display) -> Result<u32, CheckpointError> {
        self.bytes(field).map(u32::from_le_bytes)
    }

    /// A little-endian number of 8 bytes.
    pub fn u64(&mut self, field: &dyn Display) -> Result<u64, CheckpointError> {
        self.bytes(field).map(u64::from_le_bytes)
    }
}

impl<R: Read> Read for Source<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(bytes)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Reserves room for `count` items. Fails where memory is too small, since an abort would end the worker.
pub(super) fn room<T>(name: &dyn Display, count: u64) -> Result<Vec<T>, CheckpointError> {
    let mut items = Vec::new();
    let bytes = count.saturating_mul(size_of::<T>() as u64);
    let reserved = memory::ensure(bytes).ok().and_then(|()| items.try_reserve_exact(usize::try_from(count).ok()?).ok());
    reserved.map(|()| items).ok_or_else(|| CheckpointError::Memory { name: name.to_string(), bytes })
}
