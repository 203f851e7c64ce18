//! Writes a file in steps, and computes its hash and checksums.

use std::io::{self, Read, Seek, Write};

use sha2::{Digest, Sha256};

use super::super::channel::Channel;
use super::super::time::{FRAME_MS, now};
use super::model_pieces::PiecesError;
use crate::app::checksum::Checksums;
use crate::app::protocol::Event;
use crate::checkpoint::import::{CheckpointInfo, ImportError, Named, OutputFile};
use crate::checkpoint::sha256::hex;

/// Milliseconds after which the event loop runs, so that a request is seen.
const BREATH_MS: f64 = 8.0;

/// Why a file has not been written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A request came in.
    #[error("something else was asked for meanwhile")]
    Interrupted,
    /// The files cannot be read, or are no model.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// For another reason.
    #[error("{0}")]
    Because(String),
}

impl From<PiecesError> for OutputError {
    fn from(error: PiecesError) -> Self {
        match error {
            PiecesError::Interrupted => OutputError::Interrupted,
            PiecesError::Because(reason) => OutputError::Because(reason),
        }
    }
}

impl OutputError {
    /// What happened and what to do, for files that cannot be opened.
    pub fn sentence(&self) -> String {
        match self {
            OutputError::Import(error) => error.sentence(),
            error => format!("This cannot be opened: {}.", error.to_string().trim_end_matches('.')),
        }
    }
}

/// Tells the page how far a conversion has come, at most once per frame.
pub struct ConversionProgress<'a> {
    channel: &'a Channel,
    event: &'a dyn Fn(u64, u64) -> Event,
    done: u64,
    all: u64,
    last_sent: f64,
    last_breath: f64,
}

impl<'a> ConversionProgress<'a> {
    /// Nothing is done yet of `all` bytes. `event` makes an event from the bytes done and all bytes.
    pub fn new(channel: &'a Channel, all: u64, event: &'a dyn Fn(u64, u64) -> Event) -> Self {
        ConversionProgress {
            channel,
            event,
            done: 0,
            all,
            last_sent: f64::NEG_INFINITY,
            last_breath: f64::NEG_INFINITY,
        }
    }

    /// Counts bytes, and lets the event loop run now and then. Fails if a request waits that interrupts the conversion.
    pub async fn step(&mut self, bytes: u64) -> Result<(), OutputError> {
        self.done += bytes;
        let now = now();
        if now - self.last_sent >= FRAME_MS {
            self.last_sent = now;
            self.channel.send(&(self.event)(self.done, self.all));
        }
        if now - self.last_breath < BREATH_MS {
            return Ok(());
        }
        self.last_breath = now;
        if self.channel.interrupted().await { Err(OutputError::Interrupted) } else { Ok(()) }
    }
}

/// Writes a file of this model. `prepare` is awaited before each step.
pub async fn write_out<R: Read + Seek>(
    mut file: OutputFile,
    info: &CheckpointInfo,
    files: &mut [Named<R>],
    writer: &mut impl Write,
    progress: &mut ConversionProgress<'_>,
    mut prepare: impl AsyncFnMut(&mut [Named<R>]),
) -> Result<(), OutputError> {
    let mut is_more = true;
    while is_more {
        prepare(files).await;
        let mut counted = Counted { writer, bytes: 0 };
        is_more = file.step(info, files, &mut counted)?;
        let bytes = counted.bytes;
        progress.step(bytes).await?;
    }
    Ok(writer.flush()?)
}

/// Copies a file to its end into a writer.
pub async fn copy(
    reader: &mut impl Read,
    writer: &mut impl Write,
    progress: &mut ConversionProgress<'_>,
) -> Result<(), OutputError> {
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = reader.read(&mut buffer)?;
        writer.write_all(&buffer[..count])?;
        if count == 0 {
            return Ok(writer.flush()?);
        }
        progress.step(count as u64).await?;
    }
}

/// A writer that counts the bytes.
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

/// A writer that computes SHA-256 and checksums of the bytes.
pub struct Checked<W> {
    writer: W,
    sha256: Sha256,
    checksums: Checksums,
}

impl<W: Write> Checked<W> {
    /// At the beginning of a file.
    pub fn new(writer: W) -> Self {
        Checked { writer, sha256: Sha256::new(), checksums: Checksums::default() }
    }

    /// The writer, SHA-256 in hex, and the checksum of each stretch.
    pub fn finish(self) -> (W, String, Vec<u64>) {
        (self.writer, hex(&self.sha256.finalize()), self.checksums.finish())
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
