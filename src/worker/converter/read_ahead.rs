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
const MOST: u64 = 16 << 20;

/// What one step reads: the numbers of the files, and ranges of them.
type Reads = Vec<(usize, Range<u64>)>;

/// What the steps to come read.
pub struct ReadAhead {
    blobs: Vec<Blob>,
    /// Steps whose reads have not begun.
    waiting: VecDeque<Reads>,
    /// Steps whose reads have begun.
    begun: VecDeque<Vec<(usize, Range<u64>, Promise)>>,
    /// Bytes of these.
    bytes: u64,
}

impl ReadAhead {
    /// Of these files, for these steps.
    pub fn new(blobs: &[Blob], steps: impl IntoIterator<Item = Reads>) -> Self {
        let waiting = steps.into_iter().collect();
        ReadAhead { blobs: blobs.to_vec(), waiting, begun: VecDeque::new(), bytes: 0 }
    }

    /// Hands the next step's bytes to the files, and begins to read for those that follow. What cannot be read is left
    /// out: the step reads it itself, and reports the error.
    pub async fn serve(&mut self, files: &mut [Named<BufReader<BlobFile>>]) {
        self.begin();
        let mut ranges: Vec<(usize, u64, Uint8Array)> = Vec::new();
        for (file, span, promise) in self.begun.pop_front().unwrap_or_default() {
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
            let Some(step) = self.waiting.pop_front() else { return };
            let begun = step.into_iter().filter_map(|(file, span)| {
                let slice = self.blobs[file].slice_with_f64_and_f64(span.start as f64, span.end as f64).ok()?;
                self.bytes += span.end - span.start;
                Some((file, span, slice.array_buffer()))
            });
            self.begun.push_back(begun.collect());
        }
    }
}
