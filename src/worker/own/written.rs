//! A model's file on its way out, piece by piece.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use super::super::channel::Channel;
use crate::app::checksum::Checksums;
use crate::checkpoint::CheckpointError;
use crate::checkpoint::Model;
use crate::checkpoint::export::File;
use crate::checkpoint::sha256::hex;

/// Writes a file of this model, `done` being told how many bytes there are; the error is `None` where a request came in.
pub async fn write_out(
    channel: &Channel,
    mut file: File,
    model: &Model,
    writer: &mut impl Write,
    mut done: impl FnMut(u64),
) -> Result<(), Option<CheckpointError>> {
    let mut counted = Counted { writer, bytes: 0 };
    while file.step(model, &mut counted)? {
        done(counted.bytes);
        if channel.interrupted().await {
            return Err(None);
        }
    }
    counted.flush().map_err(CheckpointError::from)?;
    Ok(())
}

/// A writer that counts.
struct Counted<'a, W> {
    writer: &'a mut W,
    bytes: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(bytes)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A writer with what its file is known by.
pub struct Checked<W> {
    writer: W,
    sha256: Sha256,
    checksums: Checksums,
}

impl<W: Write> Checked<W> {
    /// Of a file that is still empty.
    pub fn new(writer: W) -> Self {
        Checked { writer, sha256: Sha256::new(), checksums: Checksums::default() }
    }

    /// SHA-256 in hex, and the checksum of each stretch; the writer is dropped.
    pub fn finish(self) -> (String, Vec<u64>) {
        (hex(&self.sha256.finalize()), self.checksums.finish())
    }
}

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(bytes)?;
        self.sha256.update(&bytes[..count]);
        self.checksums.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
