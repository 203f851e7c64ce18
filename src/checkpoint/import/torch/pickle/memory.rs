//! What the values of a pickle may take: a few times what has been read of it.

use crate::checkpoint::CheckpointError;

/// Bytes of values for each byte of the pickle, at most: 8 with the byte itself. torch's own take 4, in protocol 5 up to 6;
/// those of an alphabet of thousands 5.
const TIMES: usize = 7;
/// Bytes that any pickle may take.
const LEAST: usize = 8 << 10;

/// An account of what lists of values have reserved.
#[derive(Debug, Default)]
pub(super) struct Memory {
    reserved: usize,
    /// Bytes that have been read.
    read: usize,
    /// Where the last opcode stands in the file.
    at: u64,
}

impl Memory {
    /// Goes on to the opcode at `at` of the file, `read` bytes of the pickle being behind.
    pub fn advance(&mut self, read: usize, at: u64) {
        (self.read, self.at) = (read, at);
    }

    /// Room for so many more items, which is counted: what a list leaves behind as it grows, too, while that is there.
    pub fn reserve<T>(&mut self, list: &mut Vec<T>, more: usize) -> Result<(), CheckpointError> {
        let (capacity, needed) = (list.capacity(), list.len() + more);
        if needed <= capacity {
            return Ok(());
        }
        let larger = needed.max(capacity + capacity / 4).max(4);
        let most = LEAST + TIMES * self.read;
        if self.reserved + larger * size_of::<T>() > most {
            let expected = format!("values that take {most} bytes at most up to here");
            return Err(CheckpointError::field(&"pickle", self.at, expected, "more"));
        }
        list.reserve_exact(larger - list.len());
        self.reserved += (larger - capacity) * size_of::<T>();
        Ok(())
    }
}
