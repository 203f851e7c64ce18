//! The bytes of a pickle, read one after the other.

use std::fmt::Display;

use crate::checkpoint::CheckpointError;

/// A position in a pickle.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    base: u64,
    position: usize,
    /// The position of the last opcode.
    opcode: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning of these bytes. They begin at `base` in the file.
    pub fn new(bytes: &'a [u8], base: u64) -> Self {
        Cursor { bytes, base, position: 0, opcode: 0 }
    }

    /// Bytes that have been read.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The offset of the last opcode in the file.
    pub fn at(&self) -> u64 {
        self.base + self.opcode as u64
    }

    /// The offset of the last opcode in these bytes.
    pub fn place(&self) -> u32 {
        self.opcode as u32
    }

    /// The next opcode.
    pub fn opcode(&mut self) -> Result<u8, CheckpointError> {
        self.opcode = self.position;
        Ok(self.number::<1>()? as u8)
    }

    /// A little-endian number of `N` bytes.
    pub fn number<const N: usize>(&mut self) -> Result<u64, CheckpointError> {
        let (mut number, bytes) = ([0; 8], self.take(N as u64)?);
        number[..N].copy_from_slice(bytes);
        Ok(u64::from_le_bytes(number))
    }

    /// A signed integer of `length` bytes. `None` if it does not fit into 64 bits.
    pub fn long(&mut self, length: u64) -> Result<Option<i64>, CheckpointError> {
        let bytes = self.take(length)?;
        let sign = if bytes.last().is_some_and(|&byte| byte >= 0x80) { 0xff } else { 0 };
        let mut number = [sign; 8];
        Ok(number.get_mut(..bytes.len()).map(|low| low.copy_from_slice(bytes)).map(|()| i64::from_le_bytes(number)))
    }

    /// Passes over `length` bytes.
    pub fn skip(&mut self, length: u64) -> Result<(), CheckpointError> {
        self.take(length).map(|_| ())
    }

    /// The bytes before the next newline, which is passed.
    pub fn line(&mut self) -> Result<&'a [u8], CheckpointError> {
        let rest = &self.bytes[self.position..];
        let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()) as u64;
        let line = self.take(length)?;
        self.take(1)?;
        Ok(line)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CheckpointError> {
        let rest = &self.bytes[self.position..];
        match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
            Some(bytes) => {
                self.position += bytes.len();
                Ok(bytes)
            }
            None => Err(CheckpointError::Truncated {
                field: "pickle".to_string(),
                offset: self.base + self.position as u64,
                needed: length,
                left: rest.len() as u64,
            }),
        }
    }

    /// The error for the last opcode.
    pub fn wrong(&self, expected: impl Display, found: impl Display) -> CheckpointError {
        CheckpointError::field(&"pickle", self.at(), expected, found)
    }
}
