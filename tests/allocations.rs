//! Decoding takes no memory from token to token, beyond what candle's handles cost.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use peargpt::generation::{Decoding, Step};
use peargpt::sampler::{Sampler, Sampling};
use peargpt::settings::{Vocabulary, Window};

mod common;

/// Counts what is asked for.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls and bytes so far.
fn count() -> (usize, usize) {
    (CALLS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed))
}

/// One test: others would be counted too.
#[test]
fn a_token_takes_no_memory_but_candles_handles() {
    const TOKENS: usize = 100;
    let mut file = std::fs::File::open(common::path("weights/peargpt.gguf")).unwrap();
    let model = peargpt::generation::Model::open(&mut file).unwrap();
    let layers = model.gpt.config().layers;
    for (top_k, repetition_penalty) in [(0, 1.0), (20, 1.3)] {
        let sampling = Sampling { top_k, repetition_penalty, ..Sampling::defaults(Vocabulary::Characters) };
        let prompt = vec![1; 20];
        let mut decoding = Decoding::new(&model.gpt, prompt, Window::Rolling, Sampler::new(sampling, 1)).unwrap();
        for _ in 0..10 {
            decoding.step(&model.gpt).unwrap(); // takes what will be needed
        }
        let before = count();
        for _ in 0..TOKENS {
            assert!(matches!(decoding.step(&model.gpt).unwrap(), Step::Token(_)));
        }
        let (calls, bytes) = count();
        let (calls, bytes) = ((calls - before.0) / TOKENS, (bytes - before.1) / TOKENS);
        // candle looks for overlaps in an op's tensor with a list of its axes, here of one. There are nine ops in a
        // block. No number that is computed is among the bytes: the smallest row has 1280 of them.
        println!("{calls} calls for {bytes} bytes a token");
        assert!(calls <= 9 * layers + 8, "{calls} calls, top-k {top_k}");
        assert!(bytes <= 100 * calls, "{bytes} bytes in {calls} calls, top-k {top_k}");
    }
}
