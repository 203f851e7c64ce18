//! Memory that ends: whatever the limit, there is a sentence or a result, and the program lives.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;
use std::io::Cursor;
use std::sync::atomic::{AtomicUsize, Ordering};

use peargpt::checkpoint::Model;
use peargpt::checkpoint::import::{self, Answers, Inspection, Named};
use peargpt::checkpoint::precision::Precision;
use peargpt::evaluate::evaluate;
use peargpt::generation::Settings;
use peargpt::generation::{Progress, Run};
use peargpt::tokenizer::Vocabulary;

mod common;

/// Refuses what would exceed a limit, and so ends a program that cannot do without.
struct Limited;

static USED: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

// SAFETY: the system's allocator does it all, or nothing is allocated.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        if used > LIMIT.load(Ordering::Relaxed) {
            USED.fetch_sub(layout.size(), Ordering::Relaxed);
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

const MIB: usize = 1 << 20;

/// What comes of `work` with so many bytes: a result, or a sentence.
fn with_limit<T, E: ToString>(bytes: usize, work: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    LIMIT.store(USED.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
    let outcome = work();
    LIMIT.store(usize::MAX, Ordering::Relaxed);
    outcome.map_err(|error| error.to_string())
}

/// Does the work with ever more memory, in small steps, until it succeeds a few times; every failure before has to speak
/// of memory.
fn until_it_succeeds<T, E: ToString>(what: &str, least: usize, most: usize, work: impl Fn() -> Result<T, E>) {
    let (mut refusals, mut successes) = (0, 0);
    // A step of an odd size, so that the limit falls everywhere.
    for limit in (least..).step_by(least / 5 - 7) {
        assert!(limit < most, "{what} does not succeed with {most} bytes");
        match with_limit(limit, &work) {
            Ok(_) => successes += 1,
            Err(sentence) => {
                assert!(sentence.contains("memory"), "{what} with {limit} bytes: {sentence}");
                assert_eq!(successes, 0, "{what}: with more memory it fails again: {sentence}");
                refusals += 1;
            }
        }
        if successes == 8 {
            break;
        }
    }
    println!("{what}: {refusals} refusals");
    assert!(refusals > 0, "{what} takes less than {least} bytes, so nothing was tried");
}

fn gguf() -> Vec<u8> {
    std::fs::read(common::path("weights/peargpt.gguf")).unwrap()
}

/// A text after a prompt of this many characters.
fn settings(prompt: usize) -> Settings {
    let prompt: String = "To be, or not to be: ".chars().cycle().take(prompt).collect();
    Settings { prompt, words: 60, ..Settings::defaults(Vocabulary::Characters) }
}

/// Writes some tokens of it.
fn write(model: &Model, settings: &Settings) -> Result<usize, String> {
    let mut run = Run::new(model, settings, 7).map_err(|error| error.to_string())?;
    while run.tokens() < 150 {
        if let Progress::Done(..) = run.step(model).map_err(|error| error.to_string())? {
            break;
        }
    }
    Ok(run.tokens())
}

/// One test: another one's memory would count.
#[test]
fn there_is_a_sentence_or_a_result_whatever_the_limit() {
    let bytes = gguf();
    let open = || Model::open(&mut Cursor::new(bytes.as_slice()));
    until_it_succeeds("opening", MIB, 40 * MIB, open);
    let model = open().unwrap();
    let (short, long) = (settings(200), settings(1_000_000));
    until_it_succeeds("a text", MIB, 40 * MIB, || write(&model, &short));
    until_it_succeeds("a long prompt", MIB, 40 * MIB, || write(&model, &long));
    let ids: Vec<u32> = (0..600).map(|index| index * 7 % 65).collect();
    until_it_succeeds("an evaluation", MIB, 60 * MIB, || evaluate(&model.gpt, &ids, |_| ()));
    let convert = |gguf: &mut &mut [u8]| {
        let mut files = [Named { name: "model.gguf".to_string(), reader: Cursor::new(bytes.as_slice()) }];
        let inspection = import::inspect(&mut files, &Answers::default())?;
        let Inspection::Ready(info) = inspection else { panic!("nothing is missing") };
        import::to_gguf(&info, "half", Some(Precision::F16))?.write(&info, &mut files, gguf)
    };
    let mut half = vec![0; 2 * bytes.len()];
    convert(&mut half.as_mut_slice()).unwrap();
    let place = RefCell::new(vec![0; half.len()]);
    until_it_succeeds("a conversion", MIB / 4, 4 * MIB, || convert(&mut place.borrow_mut().as_mut_slice()));
    assert!(place.into_inner() == half);
    until_it_succeeds("opening what was converted", 4 * MIB, 60 * MIB, || {
        Model::open(&mut Cursor::new(half.as_slice()))
    });
}
