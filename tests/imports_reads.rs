//! What a conversion says that it will read is what it reads, step by step; and a description is read a few times.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/imported.rs"]
mod imported;
#[path = "common/made.rs"]
mod made;

use std::cell::RefCell;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::rc::Rc;

use common::{Files, inspect, named};
use imported::{files, shakespeare};
use made::{EVERYTHING, Made, SMALL};
use peargpt::checkpoint::export::huggingface;
use peargpt::checkpoint::import::{Named, OutputFile, to_gguf};
use peargpt::checkpoint::precision::Precision;

/// Bytes that the importer's own buffer may read further than it needs.
const BUFFER: u64 = 1024;

/// Files' numbers, and ranges that were read of them.
type Reads = Rc<RefCell<Vec<(usize, Range<u64>)>>>;

/// A file that notes what is read of it.
struct Noted {
    number: usize,
    file: Cursor<Vec<u8>>,
    reads: Reads,
}

impl Read for Noted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let start = self.file.position();
        let count = self.file.read(bytes)?;
        if count > 0 {
            self.reads.borrow_mut().push((self.number, start..start + count as u64));
        }
        Ok(count)
    }
}

impl Seek for Noted {
    fn seek(&mut self, seek: SeekFrom) -> io::Result<u64> {
        self.file.seek(seek)
    }
}

fn noted(files: Files) -> (Vec<Named<Noted>>, Reads) {
    let reads = Reads::default();
    let note = |(number, file): (usize, Named<Cursor<Vec<u8>>>)| Named {
        name: file.name,
        reader: Noted { number, file: file.reader, reads: reads.clone() },
    };
    (files.into_iter().enumerate().map(note).collect(), reads)
}

/// Whether the reads, one after another, are all of these ranges and nothing else.
fn are_all_of(reads: &[(usize, Range<u64>)], expected: &[(usize, Range<u64>)]) -> bool {
    let within = |(file, read): &(usize, Range<u64>)| {
        let is_in = |span: &Range<u64>| read.start >= span.start && read.end <= span.end + BUFFER;
        expected.iter().any(|(of, span)| of == file && is_in(span))
    };
    let covered = |(file, span): &(usize, Range<u64>)| {
        let here = reads.iter().filter(|(of, read)| of == file && span.contains(&read.start));
        let end = here.fold(span.start, |end, (_, read)| if read.start <= end { end.max(read.end) } else { end });
        end >= span.end
    };
    reads.iter().all(within) && expected.iter().all(covered)
}

/// Writes the files that `plan` makes of a model, and compares what each step reads with what was said. Returns the
/// number of steps.
fn check(
    case: &str,
    of: Files,
    plan: impl Fn(&peargpt::checkpoint::import::CheckpointInfo) -> Vec<OutputFile>,
) -> usize {
    let (mut files, reads) = noted(of);
    let info = inspect(&mut files, &shakespeare()).unwrap();
    let mut steps = 0;
    for mut file in plan(&info) {
        for (step, expected) in file.reads(&info).into_iter().enumerate() {
            reads.borrow_mut().clear();
            file.step(&info, &mut files, &mut io::sink()).unwrap();
            let reads = reads.borrow();
            assert!(are_all_of(&reads, &expected), "{case}, {} {step}: {reads:?} of {expected:?}", file.name());
            steps += 1;
        }
        assert!(!file.step(&info, &mut files, &mut io::sink()).unwrap(), "{case}: a step that was not announced");
    }
    steps
}

#[test]
fn each_step_reads_what_was_announced() {
    let large = Made { vocabulary: 20_000, context: 300, hidden: 4096, width: 320, ..SMALL };
    let cases = [
        ("transposed", SMALL.folder().files()),
        ("everything", EVERYTHING.folder().files()),
        ("large", large.folder().files()),
        ("heads apart", files("lecture", &["bare.pth"])),
        ("a GGUF", vec![named("model.gguf", SMALL.expected())]),
    ];
    for (case, of) in cases {
        for precision in [Some(Precision::Q8_0), Some(Precision::F32), None] {
            let again = of.iter().map(|file| named(&file.name, file.reader.get_ref().as_slice())).collect();
            let steps = check(case, again, |info| vec![to_gguf(info, "fixture", precision).unwrap()]);
            assert!(steps > 50 || case == "heads apart", "{case}: {steps} steps");
        }
        check(case, of, |info| huggingface(info, Precision::F16).unwrap());
    }
}

#[test]
fn a_description_is_not_read_again_for_each_text_in_it() {
    let made = Made { vocabulary: 50_000, ..SMALL };
    let (files, reads) = noted(vec![named("model.gguf", made.expected())]);
    let mut files: Vec<_> = files
        .into_iter()
        .map(|Named { name, reader }| Named { name, reader: BufReader::with_capacity(256 << 10, reader) })
        .collect();
    inspect(&mut files, &shakespeare()).unwrap();
    let reads = reads.borrow();
    let (all, header) = (reads.iter().map(|(_, read)| read.end - read.start).sum::<u64>(), 890_000);
    assert!(all > header && all < 4 * header && reads.len() < 20, "{} reads of {all} bytes", reads.len());
}
