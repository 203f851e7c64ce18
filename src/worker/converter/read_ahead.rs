//! Reads files in advance, while the worker computes: the browser reads in another process, and answers a promise.
//! A synchronous read would let this thread wait, for some 5 ms per megabyte in Chromium.

use std::collections::VecDeque;
use std::io::BufReader;
use std::ops::Range;

use js_sys::{Promise, Uint8Array};
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::super::blob::BlobFile;
use crate::checkpoint::import::Named;

/// Bytes that are read in advance at most; at least those of the next step.
const MOST: u64 = 32 << 20;
/// Bytes that are read at once for steps that follow each other in a file.
const AT_ONCE: u64 = 8 << 20;

/// What one step reads: the numbers of the files, and ranges of them.
type Reads = Vec<(usize, Range<u64>)>;

/// The same, with the promises of the bytes.
type Begun = Vec<(usize, Range<u64>, Promise)>;

/// What the steps to come read.
pub struct ReadAhead {
    blobs: Vec<Blob>,
    /// What has not begun to be read: what so many steps read together.
    waiting: VecDeque<(Reads, usize)>,
    /// What has begun to be read, and for how many steps.
    begun: VecDeque<(Begun, usize)>,
    /// Bytes of that.
    bytes: u64,
    /// Steps that need no more than what was handed to the files last.
    served: usize,
}

impl ReadAhead {
    /// Of these files, for these steps.
    pub fn new(blobs: &[Blob], steps: impl IntoIterator<Item = Reads>) -> Self {
        let mut waiting: VecDeque<(Reads, usize)> = VecDeque::new();
        for step in steps {
            let joined = waiting.back_mut().filter(|(reads, _)| joins(reads, &step));
            match (joined, step.as_slice()) {
                (Some((reads, steps)), read) => {
                    if let ([(_, span)], [(_, next)]) = (reads.as_mut_slice(), read) {
                        span.end = next.end;
                    }
                    *steps += 1;
                }
                (None, _) => waiting.push_back((step, 1)),
            }
        }
        ReadAhead { blobs: blobs.to_vec(), waiting, begun: VecDeque::new(), bytes: 0, served: 0 }
    }

    /// Hands the next step's bytes to the files, and begins to read for those that follow. What cannot be read is left
    /// out: the step reads it itself, and reports the error.
    pub async fn serve(&mut self, files: &mut [Named<BufReader<BlobFile>>]) {
        if let Some(left) = self.served.checked_sub(1) {
            self.served = left;
            return;
        }
        self.begin();
        let Some((begun, steps)) = self.begun.pop_front() else { return };
        self.served = steps - 1;
        let mut ranges: Vec<(usize, u64, Uint8Array)> = Vec::new();
        for (file, span, promise) in begun {
            if let Ok(buffer) = JsFuture::from(promise).await {
                ranges.push((file, span.start, Uint8Array::new(&buffer)));
            }
            self.bytes -= span.end - span.start;
        }
        self.begin();
        for (number, file) in files.iter_mut().enumerate() {
            let of_file = ranges.extract_if(.., |(file, ..)| *file == number);
            file.reader.get_mut().set_in_advance(of_file.map(|(_, start, bytes)| (start, bytes)).collect());
        }
    }

    fn begin(&mut self) {
        while self.begun.is_empty() || self.bytes < MOST {
            let Some((reads, steps)) = self.waiting.pop_front() else { return };
            let begun = reads.into_iter().filter_map(|(file, span)| {
                let slice = self.blobs[file].slice_with_f64_and_f64(span.start as f64, span.end as f64).ok()?;
                self.bytes += span.end - span.start;
                Some((file, span, slice.array_buffer()))
            });
            self.begun.push_back((begun.collect(), steps));
        }
    }
}

/// Whether what a step reads can be read at once with what the steps before it read: it is nothing, or follows that in the
/// same file, and is not too much.
fn joins(reads: &Reads, step: &Reads) -> bool {
    match (reads.as_slice(), step.as_slice()) {
        (_, []) => true,
        ([(file, span)], [(next_file, next)]) => {
            file == next_file && span.end == next.start && next.end - span.start <= AT_ONCE
        }
        _ => false,
    }
}
