//! Writes the tensors of a safetensors file, as they arrive, to their places in the GGUF.

use std::io::{Read, Seek, SeekFrom, Write};
use std::vec::IntoIter;

use xxhash_rust::xxh64::Xxh64;

use super::plan::TransferPlan;
use super::written::{Noted, put};
use super::{encode, saved};
use crate::checkpoint::CheckpointError;
use crate::checkpoint::elements::check_finite;
use crate::checkpoint::gguf::ALIGNMENT;
use crate::checkpoint::source::room;

/// Bytes that are converted at once, unless a single unit has more.
const CHUNK: usize = 64 << 10;

/// The tensors that have not arrived completely, and the position in the file.
#[derive(Debug)]
pub(super) struct TensorTransfers {
    position: u64,
    /// The tensor that is arriving or arrives next. `None`: all bytes that are left belong to no weight.
    current: Option<TensorTransfer>,
    left: IntoIter<TransferPlan>,
}

/// A tensor that is arriving.
#[derive(Debug)]
struct TensorTransfer {
    task: TransferPlan,
    /// Bytes of an incomplete unit.
    rest: Vec<u8>,
    /// For interleaved rows, the tensor as the GGUF will have it; zeros where nothing has arrived.
    matrix: Vec<u8>,
}

impl TensorTransfers {
    /// At the beginning of the data. `tasks` are in the order in which the tensors arrive.
    pub fn new(tasks: Vec<TransferPlan>, position: u64) -> Result<Self, CheckpointError> {
        let mut left = tasks.into_iter();
        Ok(TensorTransfers { position, current: left.next().map(TensorTransfer::new).transpose()?, left })
    }

    /// At the position of an earlier [`save`](Self::save), with its result.
    pub fn resume<F: Read + Seek>(
        mut tasks: Vec<TransferPlan>,
        position: u64,
        (matrix, rest): (u64, &[u8]),
        file: &mut F,
    ) -> Result<Self, CheckpointError> {
        let left = tasks.split_off(tasks.partition_point(|task| task.span.end <= position));
        let written = tasks.iter().map(|task| task.start + task.padded());
        check_length(written.chain(left.first().map(|task| task.written(position))).max(), file)?;
        let mut transfers = TensorTransfers::new(left, position)?;
        match &mut transfers.current {
            Some(transfer) => transfer.restore(position, matrix, rest, file)?,
            None => saved::check(rest.is_empty())?,
        }
        Ok(transfers)
    }

    /// Writes an incomplete matrix. Returns the checksum of the part that has arrived, and the bytes of an incomplete
    /// unit.
    pub fn save<F: Write + Seek>(&self, file: &mut F) -> Result<(u64, &[u8]), CheckpointError> {
        let Some(transfer) = &self.current else { return Ok((0, &[])) };
        if self.position > transfer.task.span.start {
            put(file, transfer.task.start, &transfer.matrix)?;
        }
        Ok((transfer.checksum(self.position), &transfer.rest))
    }

    /// Takes the next bytes of the file.
    pub fn push<F: Write + Seek>(&mut self, mut bytes: &[u8], mut file: Noted<'_, F>) -> Result<(), CheckpointError> {
        while let Some(transfer) = self.current.as_mut().filter(|_| !bytes.is_empty()) {
            let taken = transfer.take(bytes, self.position, &mut file)?;
            bytes = &bytes[taken..];
            self.position += taken as u64;
            if self.position == transfer.task.span.end {
                transfer.end(&mut file)?;
                // Frees this matrix before the next one is allocated.
                self.current = None;
                self.current = self.left.next().map(TensorTransfer::new).transpose()?;
            }
        }
        self.position += bytes.len() as u64;
        Ok(())
    }
}

impl TensorTransfer {
    fn new(task: TransferPlan) -> Result<Self, CheckpointError> {
        let length = if task.rows > 1 { task.padded() } else { 0 };
        let mut matrix = room(&task.name, length)?;
        matrix.resize(length as usize, 0);
        Ok(TensorTransfer { rest: room(&task.name, task.unit())?, matrix, task })
    }

    /// Takes bytes up to the end of a chunk, or of the tensor, and returns how many.
    fn take<F: Write + Seek>(
        &mut self,
        bytes: &[u8],
        position: u64,
        file: &mut Noted<'_, F>,
    ) -> Result<usize, CheckpointError> {
        let span = &self.task.span;
        let end = if position < span.start { span.start } else { span.end };
        let bytes = &bytes[..(bytes.len() as u64).min(end - position) as usize];
        if position < span.start {
            // Bytes before the tensor, such as a causal mask, are no weights.
            return Ok(bytes.len());
        }
        let (offset, unit) = (position - span.start, self.task.unit() as usize);
        if self.rest.is_empty() && bytes.len() >= unit {
            let whole = bytes.len().min(unit.max(CHUNK)) / unit * unit;
            self.convert(&bytes[..whole], offset, file)?;
            return Ok(whole);
        }
        let taken = bytes.len().min(unit - self.rest.len());
        let begun = offset - self.rest.len() as u64;
        self.rest.extend(&bytes[..taken]);
        if self.rest.len() == unit {
            let mut rest = std::mem::take(&mut self.rest);
            self.convert(&rest, begun, file)?;
            rest.clear();
            self.rest = rest;
        }
        Ok(taken)
    }

    /// Converts whole units, which begin at `offset` in the tensor as it arrives.
    fn convert<F: Write + Seek>(
        &mut self,
        bytes: &[u8],
        offset: u64,
        file: &mut Noted<'_, F>,
    ) -> Result<(), CheckpointError> {
        let TransferPlan { name, stored, dtype, rows, span, start, .. } = &self.task;
        check_finite(name, *stored, bytes, span.start + offset)?;
        let (unit, block) = (self.task.unit(), dtype.type_size());
        let number = offset / unit;
        if *rows == 1 {
            return file.write(start + number * block as u64, &encode::blocks(name, *stored, *dtype, bytes)?);
        }
        let row_bytes = self.row_bytes();
        for (panel, number) in bytes.chunks_exact(unit as usize).zip(number as usize..) {
            encode::panel(name, (*stored, *dtype), panel, *rows as usize, |row, bytes| {
                self.matrix[row * row_bytes + number * block..][..block].copy_from_slice(bytes);
            })?;
        }
        Ok(())
    }

    /// Writes what has not been written once the tensor is complete: the matrix, and the padding behind the tensor.
    fn end<F: Write + Seek>(&self, file: &mut Noted<'_, F>) -> Result<(), CheckpointError> {
        let TransferPlan { rows, start, bytes, .. } = self.task;
        if rows > 1 {
            return file.write(start, &self.matrix);
        }
        let zeros = [0; ALIGNMENT as usize];
        file.write(start + bytes, &zeros[..(self.task.padded() - bytes) as usize])
    }

    /// Bytes of one row in the GGUF.
    fn row_bytes(&self) -> usize {
        (self.task.bytes / self.task.rows) as usize
    }

    /// Bytes of each row of the matrix that have arrived at `position`.
    fn come(&self, position: u64) -> usize {
        let units = position.saturating_sub(self.task.span.start) / self.task.unit();
        units as usize * self.task.dtype.type_size()
    }

    /// The checksum of the part of the matrix that has arrived at `position`. The file may have more of it.
    fn checksum(&self, position: u64) -> u64 {
        let (mut hash, come) = (Xxh64::default(), self.come(position));
        for row in self.matrix.chunks(self.row_bytes()).take(self.task.rows as usize) {
            hash.update(&row[..come]);
        }
        hash.digest()
    }

    /// Restores the state at `position`.
    fn restore<F: Read + Seek>(
        &mut self,
        position: u64,
        checksum: u64,
        rest: &[u8],
        file: &mut F,
    ) -> Result<(), CheckpointError> {
        let come = position.saturating_sub(self.task.span.start);
        saved::check(rest.len() as u64 == come % self.task.unit())?;
        self.rest.extend(rest);
        if come == 0 {
            return Ok(());
        }
        let offset = self.task.start;
        let failed = |source| CheckpointError::Read { offset, source };
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        file.read_exact(&mut self.matrix).map_err(failed)?;
        // The bytes behind the last row are padding, and no checksum covers them.
        self.matrix.iter_mut().skip(self.task.bytes as usize).for_each(|byte| *byte = 0);
        if self.checksum(position) == checksum {
            return Ok(());
        }
        let (field, expected) = (format!("what has come of {}", self.task.name), "the bytes that were written");
        Err(CheckpointError::field(&field, offset, expected, "others"))
    }
}

/// Fails if the file is shorter than what has been written.
fn check_length<F: Seek>(written: Option<u64>, file: &mut F) -> Result<(), CheckpointError> {
    let left = file.seek(SeekFrom::End(0)).map_err(|source| CheckpointError::Read { offset: 0, source })?;
    let needed = written.unwrap_or(0);
    if needed <= left {
        return Ok(());
    }
    let field = "the GGUF so far".to_string();
    Err(CheckpointError::Truncated { field, offset: 0, needed, left })
}
