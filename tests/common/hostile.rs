//! What tests of files that are not trusted share: memory counted, numbers drawn, files mutated.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Cursor;

use peargpt::checkpoint::{Checkpoint, Model, OpenError};
use peargpt::model::Gpt;

pub use crate::common::numbers::Numbers;

pub const HUGE: [u8; 8] = u64::MAX.to_le_bytes();

/// The system's allocator, counting each thread's bytes; tests run in threads of their own.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // Not to be had while a thread ends.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: passes everything on to the system's allocator. A reallocation is a new block, a copy, and the old block
// freed, which is the default, so that both count at once.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are the system's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a function returns, and the most bytes that it had reserved at once.
pub fn with_peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    (result, (PEAK.get() - before) as usize)
}

/// Changes a few bytes, most of them in the header.
pub fn mutate(numbers: &mut Numbers, bytes: &mut Vec<u8>, header: usize) {
    for _ in 0..=numbers.below(4) {
        let within = if numbers.below(5) > 0 { header } else { bytes.len() };
        let at = numbers.below(within.min(bytes.len() - 8));
        match numbers.below(6) {
            0 => bytes[at] = numbers.below(256) as u8,
            1 => bytes[at] ^= 1 << numbers.below(8),
            2 => bytes[at..at + 8].copy_from_slice(&HUGE),
            3 => bytes[at..at + 4].copy_from_slice(&(numbers.below(1 << 20) as u32).to_le_bytes()),
            4 => drop(bytes.drain(at..at + 1 + numbers.below(7))),
            _ => bytes.insert(at, b'0' + numbers.below(10) as u8),
        }
    }
}

/// What became of a file after all opens, unless its tokenizer is none.
pub fn open(file: &[u8]) {
    match Model::open(&mut Cursor::new(file)) {
        Ok(_) | Err(OpenError::Tokenizer(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

/// A model that was read after all can be built.
pub fn build(checkpoint: Checkpoint) {
    let Checkpoint { config, mut weights, .. } = checkpoint;
    Gpt::load(&config, &mut weights).unwrap();
}
