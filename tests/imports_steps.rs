//! Finding out what files are gives way to others: between two pauses little is read, and little memory is taken, however
//! large the files are.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/imported.rs"]
mod imported;

use std::cell::Cell;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use common::path;
use hostile::with_peak;
use peargpt::checkpoint::import::{Answers, ImportError, Inspection, Named, Need, Pause, inspect_by_steps};

/// Bytes of a text that are looked at in one step, and what is read ahead and to tell files apart.
const STEP: u64 = (128 << 10) + 8192;

/// A file that repeats itself between a beginning and an end, and counts what is read of it.
struct Repeated {
    beginning: Vec<u8>,
    /// What is repeated, with `#` for a number of seven digits.
    pattern: &'static [u8],
    times: u64,
    end: &'static [u8],
    position: u64,
    read: Rc<Cell<u64>>,
}

impl Repeated {
    fn length(&self) -> u64 {
        self.beginning.len() as u64 + self.times * self.period() + self.end.len() as u64
    }

    fn period(&self) -> u64 {
        self.pattern.iter().map(|&byte| if byte == b'#' { 7 } else { 1 }).sum()
    }

    fn time(&self, time: u64) -> Vec<u8> {
        let number = format!("{time:07}").into_bytes();
        self.pattern.iter().flat_map(|&byte| if byte == b'#' { number.clone() } else { vec![byte] }).collect()
    }

    /// What is at the position, up to the end of a repetition.
    fn stretch(&self) -> Vec<u8> {
        let begin = self.beginning.len() as u64;
        let Some(behind) = self.position.checked_sub(begin) else {
            return self.beginning[self.position as usize..].to_vec();
        };
        let (time, within) = (behind / self.period().max(1), behind % self.period().max(1));
        match time < self.times {
            true => self.time(time)[within as usize..].to_vec(),
            false => self.end[(behind - self.times * self.period()) as usize..].to_vec(),
        }
    }
}

impl Read for Repeated {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < bytes.len() {
            let stretch = self.stretch();
            if stretch.is_empty() {
                break;
            }
            let count = stretch.len().min(bytes.len() - done);
            bytes[done..done + count].copy_from_slice(&stretch[..count]);
            (done, self.position) = (done + count, self.position + count as u64);
        }
        self.read.set(self.read.get() + done as u64);
        Ok(done)
    }
}

impl Seek for Repeated {
    fn seek(&mut self, seek: SeekFrom) -> io::Result<u64> {
        self.position = match seek {
            SeekFrom::Start(position) => position,
            SeekFrom::End(back) => self.length().saturating_add_signed(back),
            SeekFrom::Current(forth) => self.position.saturating_add_signed(forth),
        };
        Ok(self.position)
    }
}

/// Files, and how much of them has been read since the last pause.
#[derive(Default)]
struct Files {
    files: Vec<Named<Repeated>>,
    read: Rc<Cell<u64>>,
}

/// What looking at the files came to.
struct Look {
    inspection: Result<Inspection, ImportError>,
    /// Pauses that were made.
    pauses: u64,
    /// The most bytes that were read between two.
    most: u64,
    /// All bytes that were read.
    all: u64,
    /// The most memory that was taken.
    peak: usize,
}

impl Files {
    fn add(&mut self, name: &str, beginning: &[u8], pattern: &'static [u8], times: u64, end: &'static [u8]) {
        let (beginning, read) = (beginning.to_vec(), self.read.clone());
        let reader = Repeated { beginning, pattern, times, end, position: 0, read };
        self.files.push(Named { name: name.to_string(), reader });
    }

    /// Adds a fixture; of it all may be read at once.
    fn fixture(mut self, names: &[&str]) -> Self {
        for name in names {
            let bytes = fs::read(path(&format!("tests/fixtures/imported/{name}"))).unwrap();
            self.add(name.rsplit('/').next().unwrap(), &bytes, b"", 0, b"");
            self.files.last_mut().unwrap().reader.read = Rc::default();
        }
        self
    }

    fn look(mut self) -> Look {
        let (pauses, most, all) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let read = self.read.clone();
        let rest = || {
            pauses.set(pauses.get() + 1);
            all.set(all.get() + read.get());
            most.set(most.get().max(read.take()));
        };
        let answers = Answers { heads: Some(4), ..Answers::default() };
        let (inspection, peak) = with_peak(|| {
            let pause: Pause = &|| Box::pin(async { rest() });
            let future = pin!(inspect_by_steps(&mut self.files, &answers, pause));
            match future.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(inspection) => inspection,
                Poll::Pending => panic!("nothing waits"),
            }
        });
        rest();
        Look { inspection, pauses: pauses.get(), most: most.get(), all: all.get(), peak }
    }
}

/// A file's name, how it begins, what is repeated in it, how it ends, and how often it is gone through.
type Case = (&'static str, &'static [u8], &'static [u8], &'static [u8], u64);

/// How often a step's worth is in so many bytes.
fn steps(bytes: u64) -> u64 {
    bytes / (128 << 10)
}

#[test]
fn a_text_beside_a_character_model_is_read_in_steps_and_never_held() {
    let alphabet = peargpt::checkpoint::import::TINY_SHAKESPEARE.as_bytes();
    let mut files = Files::default().fixture(&["lecture/bare.pth"]);
    files.add("input.txt", alphabet, b"Once more unto the breach, dear friends. ", 2_500_000, b"");
    let length = files.files[1].reader.length();
    let Look { inspection, pauses, most, all, peak } = files.look();
    assert!(matches!(inspection, Ok(Inspection::Ready(_))), "{inspection:?}");
    assert!(length > 100_000_000 && all > length && pauses >= steps(length), "{pauses} pauses for {all} of {length}");
    assert!(most <= STEP, "{most} bytes in one step");
    assert!(peak < 2 << 20, "{peak} bytes");
}

#[test]
fn a_text_of_more_characters_than_the_model_has_is_not_read_further() {
    let mut files = Files::default().fixture(&["lecture/bare.pth"]);
    let many: String = ('\u{4e00}'..'\u{5000}').collect();
    files.add("input.txt", many.as_bytes(), b"to be or not to be. ", 5_000_000, b"");
    let Look { inspection, all, .. } = files.look();
    assert!(matches!(inspection.unwrap(), Inspection::Needs(needs) if matches!(needs[..], [Need::Alphabet { .. }])));
    assert!(all <= 2 * STEP, "{all} bytes of a text that cannot be it");
}

#[test]
fn a_text_instead_of_a_checkpoint_is_told_by_its_beginning() {
    for times in [300_000, 3_000_000] {
        let mut files = Files::default();
        files.add("notes.txt", b"", b"Once more unto the breach, dear friends. ", times, b"");
        let Look { inspection, all, .. } = files.look();
        assert!(inspection.unwrap_err().to_string().ends_with("notes.txt: a text"));
        assert!(all <= 8192, "{all} bytes");
    }
}

/// Each is read to be told apart and gone through, and, where the model wants it, read and gone through again.
#[test]
fn large_vocabularies_merges_and_other_json_are_gone_through_in_steps() {
    let tokenizer = br#"{"pre_tokenizer": {"type": "ByteLevel"}, "model": {"vocab": {"a": 0}, "merges": ["#;
    let cases: [Case; 4] = [
        ("data.json", b"{", b"\"a#\": [1, \"x\"], ", b"\"end\": null}", 2),
        ("vocab.json", b"{\"a\": 0", b", \"b#\": 1#", b"}", 3),
        ("merges.txt", b"#version: 0.2\n", b"abc def#\n", b"", 3),
        ("tokenizer.json", tokenizer, b"[\"a\", \"b#\"], ", b"[\"a\", \"b\"]]}}", 4),
    ];
    for (name, beginning, pattern, end, passes) in cases {
        let mut files = Files::default().fixture(&["bin/pytorch_model.bin", "bin/config.json"]);
        files.add(name, beginning, pattern, 700_000, end);
        let length = files.files[2].reader.length();
        let Look { pauses, most, all, .. } = files.look();
        assert!(length > 8_000_000 && all >= length, "{name}: {all} read of {length}");
        assert!(most <= STEP, "{name}: {most} bytes in one step");
        assert!(pauses >= passes * steps(length) * 9 / 10, "{name}: {pauses} pauses, {length} bytes");
    }
}
