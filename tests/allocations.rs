//! What a token allocates: candle's handles and the numbers of its operations, and no more as the text grows.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use peargpt::generation::Window;
use peargpt::generation::{Decoding, Step};
use peargpt::model::Config;
use peargpt::sampler::{Sampler, Sampling};
use peargpt::tokenizer::Vocabulary;

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

/// Bytes of the numbers that a row's operations return: two norms, queries with keys and values, what the heads read,
/// what is added twice, and the residual stream after each; and the MLP's hidden layer.
fn numbers(config: &Config) -> usize {
    let block = 2 * config.n_embd + 3 * config.n_embd + config.n_embd + 4 * config.n_embd + config.n_inner;
    4 * (config.layers * block + 2 * config.n_embd + config.vocabulary_size)
}

/// One test: others would be counted too.
#[test]
fn a_token_allocates_handles_and_numbers_and_no_more_as_the_text_grows() {
    const TOKENS: usize = 100;
    let mut file = std::fs::File::open(common::path("weights/peargpt.gguf")).unwrap();
    let model = peargpt::checkpoint::Model::open(&mut file).unwrap();
    let config = model.gpt.config();
    for (top_k, repetition_penalty) in [(0, 1.0), (20, 1.3)] {
        let sampling = Sampling { top_k, repetition_penalty, ..Sampling::defaults(Vocabulary::Characters) };
        let prompt = vec![1; 20];
        let mut decoding = Decoding::new(&model.gpt, prompt, Window::Rolling, Sampler::new(sampling, 1)).unwrap();
        while !matches!(decoding.step(&model.gpt).unwrap(), Step::Token(_)) {} // takes what will be needed
        let mut per_token = |tokens: usize| {
            let before = count();
            for _ in 0..tokens {
                assert!(matches!(decoding.step(&model.gpt).unwrap(), Step::Token(_)));
            }
            let after = count();
            ((after.0 - before.0) / tokens, (after.1 - before.1) / tokens)
        };
        let (calls, bytes) = per_token(TOKENS);
        println!("{calls} calls for {bytes} bytes a token");
        // An operation costs a shape, its strides, the numbers and two handles, and one that can carry a gradient two
        // more; there are nine in a block. Reservations of memory are released at once.
        assert!(calls <= 56 * config.layers, "{calls} calls, top-k {top_k}");
        let reserved = bytes - numbers(config);
        assert!(reserved <= 100_000, "{reserved} bytes beside the numbers, top-k {top_k}");
        // The score of one more position is a few bytes of memory that is kept.
        let later = per_token(TOKENS);
        assert!(later.0 <= calls && later.1 <= bytes, "{later:?} for a later token, {:?} before", (calls, bytes));
    }
}
