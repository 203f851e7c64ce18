//! Memory that may not be there: asked for before it is needed, so that the answer is a sentence and not the program's
//! end.

use std::hint::black_box;

/// What is left for small things that nobody counts: names, handles, lists of a few numbers. A quarter of what is
/// asked for, within these bounds: reading a small file is to cost little more than the file.
const SLACK: [usize; 2] = [1 << 10, 256 << 10];

/// Less memory than is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not enough memory: {} more are needed at once", megabytes(*bytes))]
pub struct OutOfMemory {
    /// Bytes that were asked for.
    pub bytes: u64,
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Whether that many bytes are there, for allocations that cannot fail gently: they are reserved together and released.
pub fn ensure(bytes: u64) -> Result<(), OutOfMemory> {
    let refused = OutOfMemory { bytes };
    let with_slack = |bytes: usize| bytes.checked_add((bytes / 4).clamp(SLACK[0], SLACK[1]));
    let wanted = usize::try_from(bytes).ok().and_then(with_slack).ok_or(refused)?;
    let mut reserved = Vec::<u8>::new();
    reserved.try_reserve_exact(wanted).map_err(|_| refused)?;
    black_box(reserved.as_mut_ptr()); // or the compiler would leave it out
    Ok(())
}

/// The same for what is allocated in pieces of so many bytes at most. One block of all of it would ask for more: where
/// memory never shrinks, that grows it again each time something small has come to lie between.
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

/// That many of one item.
pub fn filled<T: Clone>(count: usize, item: T) -> Result<Vec<T>, OutOfMemory> {
    let mut items = Vec::new();
    let bytes = (count as u64).saturating_mul(size_of::<T>() as u64);
    ensure(bytes)?; // so that something is left for small things
    items.try_reserve_exact(count).map_err(|_| OutOfMemory { bytes })?;
    items.resize(count, item);
    Ok(items)
}

/// Makes room for `more` items behind those that are there; as with `Vec`, more than is asked for, so that items which
/// come one by one move seldom.
pub fn reserve<T>(items: &mut Vec<T>, more: usize) -> Result<(), OutOfMemory> {
    if items.capacity() - items.len() >= more {
        return Ok(());
    }
    let bytes = (items.len().saturating_add(more) as u64).saturating_mul(size_of::<T>() as u64);
    ensure(bytes)?;
    items.try_reserve(more).map_err(|_| OutOfMemory { bytes })
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
}
