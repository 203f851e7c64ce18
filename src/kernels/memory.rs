//! Checks that there is enough memory before it is used: if there is not, the answer is an error, instead of an abort. And
//! a plain read of it, for a measurement.

use std::hint::black_box;

/// Bytes that must be left for small allocations that nobody counts: names, handles, short lists. It is a quarter of
/// the bytes asked for, within these bounds, so that reading a small file takes little more memory than the file.
const SLACK: [usize; 2] = [1 << 10, 256 << 10];

/// There is too little memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough memory: {} more are needed at once", megabytes(*bytes))]
pub struct OutOfMemory {
    /// The bytes that were asked for.
    pub bytes: u64,
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Fails if there are fewer free bytes, before allocations that would abort. Reserves the bytes together, and releases
/// them.
pub fn ensure(bytes: u64) -> Result<(), OutOfMemory> {
    let refused = OutOfMemory { bytes };
    let with_slack = |bytes: usize| bytes.checked_add((bytes / 4).clamp(SLACK[0], SLACK[1]));
    let wanted = usize::try_from(bytes).ok().and_then(with_slack).ok_or(refused)?;
    let mut reserved = Vec::<u8>::new();
    reserved.try_reserve_exact(wanted).map_err(|_| refused)?;
    black_box(reserved.as_mut_ptr()); // or the compiler would remove the allocation
    Ok(())
}

/// The same for memory that is allocated in pieces of at most `piece` bytes. To ask for one large block would take
/// more: WebAssembly's memory never shrinks, and would grow each time that a small allocation has split its free part.
pub fn ensure_in_pieces(bytes: u64, piece: u64) -> Result<(), OutOfMemory> {
    let (refused, piece) = (OutOfMemory { bytes }, piece.max(1));
    let length = usize::try_from(piece).map_err(|_| refused)?;
    let mut reserved = Vec::new();
    for _ in 0..bytes / piece {
        let mut next = Vec::<u8>::new();
        next.try_reserve_exact(length).map_err(|_| refused)?;
        black_box(next.as_mut_ptr());
        reserve(&mut reserved, 1)?;
        reserved.push(next);
    }
    ensure(bytes % piece).map_err(|_| refused)
}

/// `count` copies of an item.
pub fn filled<T: Clone>(count: usize, item: T) -> Result<Vec<T>, OutOfMemory> {
    let mut items = Vec::new();
    let bytes = (count as u64).saturating_mul(size_of::<T>() as u64);
    ensure(bytes)?; // so that memory for small allocations is left
    items.try_reserve_exact(count).map_err(|_| OutOfMemory { bytes })?;
    items.resize(count, item);
    Ok(items)
}

/// Reserves room for `more` items behind the existing ones. Like `Vec`, reserves more than that, so that items which
/// are added one by one are seldom moved.
pub fn reserve<T>(items: &mut Vec<T>, more: usize) -> Result<(), OutOfMemory> {
    if items.capacity() - items.len() >= more {
        return Ok(());
    }
    let bytes = (items.len().saturating_add(more) as u64).saturating_mul(size_of::<T>() as u64);
    ensure(bytes)?;
    items.try_reserve(more).map_err(|_| OutOfMemory { bytes })
}

/// Reads memory once, as fast as it comes, and returns the sum of its words of 8 bytes.
pub fn read(bytes: &[u8]) -> u64 {
    let mut sums = [0u64; 8];
    let (words, _) = bytes.as_chunks::<8>();
    let (groups, rest) = words.as_chunks::<8>();
    for group in groups {
        for (sum, word) in sums.iter_mut().zip(group) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*word));
        }
    }
    rest.iter().map(|word| u64::from_le_bytes(*word)).chain(sums).fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_machine_has_is_refused_in_words() {
        let refused = ensure(1 << 50).unwrap_err();
        assert_eq!(refused.to_string(), "not enough memory: 1125899906.8 MB more are needed at once");
        assert_eq!(ensure(u64::MAX), Err(OutOfMemory { bytes: u64::MAX }));
        assert_eq!(ensure_in_pieces(1 << 50, 1 << 49), Err(OutOfMemory { bytes: 1 << 50 }));
        assert!(filled(usize::MAX / 16, 0u64).is_err());
        assert!(reserve(&mut vec![1u64], usize::MAX / 16).is_err());
    }

    #[test]
    fn what_is_there_is_given() {
        assert_eq!(ensure_in_pieces(10 << 20, 3 << 20), Ok(()));
        assert_eq!((ensure(1 << 20), filled(3, 7u8)), (Ok(()), Ok(vec![7, 7, 7])));
    }

    #[test]
    fn every_word_is_read() {
        let bytes: Vec<u8> = (0..1000u32).flat_map(|word| u64::from(word).to_le_bytes()).chain([1, 2, 3]).collect();
        assert_eq!(read(&bytes), 999 * 1000 / 2);
    }
}
