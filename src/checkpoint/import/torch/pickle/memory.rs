//! Limits the memory of a pickle's values to a few times the bytes that have been read.

use crate::checkpoint::CheckpointError;

/// The most bytes of values for each byte of the pickle; with that byte itself, 8. torch's pickles take 4, in protocol
/// 5 up to 6; those of an alphabet of thousands of characters take 5.
const TIMES: usize = 7;
/// Bytes that the values of any pickle may take.
const LEAST: usize = 8 << 10;

/// Counts the bytes that lists of values have reserved.
#[derive(Debug, Default)]
pub(super) struct Memory {
    reserved: usize,
    /// Bytes of the pickle that have been read.
    read: usize,
    /// The offset of the last opcode in the file.
    at: u64,
}

impl Memory {
    /// Notes that `read` bytes of the pickle have been read, and that the opcode at `at` of the file is next.
    pub fn advance(&mut self, read: usize, at: u64) {
        (self.read, self.at) = (read, at);
    }

    /// Reserves room for `more` items. While a list grows, its old memory exists beside the new, and counts too.
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
