//! The tokens that may still be among the likeliest, while the logits come in.

use super::{Candidate, SamplerError, likelier};
use crate::kernels::memory::{self, OutOfMemory};

/// Logits that are looked at together.
const CHUNK: usize = 16;

/// Collects candidates: all of them, or those that can be among the likeliest few.
#[derive(Clone, Debug, Default)]
pub struct Shortlist {
    /// How many of the likeliest are wanted; 0: all.
    kept: usize,
    penalty: f32,
    /// Ids whose logits are penalised, sorted, each once.
    penalised: Vec<u32>,
    /// Memory for logits that are.
    logits: Vec<f32>,
    candidates: Vec<Candidate>,
    /// Below it none is among the likeliest; of equals, those that come later are not either.
    least: f32,
    /// The id whose logit comes next.
    next: u32,
    broken: Option<SamplerError>,
}

impl Shortlist {
    /// Starts with the logit of id 0. Tokens of the context are penalised once each, as in CTRL (Keskar et al. 2019)
    /// and Hugging Face's `RepetitionPenaltyLogitsProcessor`.
    pub fn begin(&mut self, kept: usize, penalty: f32, context: &[u32]) -> Result<(), OutOfMemory> {
        (self.kept, self.penalty, self.least, self.next, self.broken) = (kept, penalty, f32::NEG_INFINITY, 0, None);
        self.candidates.clear();
        // A chunk may come before they are shortened; of very many, memory is taken as they come.
        self.candidates.reserve(self.most().min(1 << 12) + CHUNK);
        self.penalised.clear();
        if penalty != 1.0 {
            memory::reserve(&mut self.penalised, context.len())?;
            self.penalised.extend_from_slice(context);
            self.penalised.sort_unstable();
            self.penalised.dedup();
        }
        Ok(())
    }

    /// Takes the logits of the next ids.
    pub fn push(&mut self, logits: &[f32]) {
        if !logits.iter().fold(true, |finite, logit| finite & logit.is_finite()) {
            self.note_broken(logits);
        }
        let range = self.next..self.next + logits.len() as u32;
        self.next = range.end;
        let first = self.penalised.partition_point(|&id| id < range.start);
        let ids = &self.penalised[first..][..self.penalised[first..].partition_point(|&id| id < range.end)];
        if ids.is_empty() {
            return self.collect(range.start, logits);
        }
        let mut penalised = std::mem::take(&mut self.logits);
        penalised.clear();
        penalised.extend_from_slice(logits);
        for id in ids {
            let logit = &mut penalised[(id - range.start) as usize];
            let changed = if *logit > 0.0 { *logit / self.penalty } else { *logit * self.penalty };
            *logit = changed.clamp(f32::MIN, f32::MAX);
        }
        self.collect(range.start, &penalised);
        self.logits = penalised;
    }

    fn note_broken(&mut self, logits: &[f32]) {
        let broken = logits.iter().zip(self.next..).find(|(logit, _)| !logit.is_finite());
        if let (None, Some((&value, id))) = (self.broken, broken) {
            self.broken = Some(SamplerError::NotFinite { id, value });
        }
    }

    fn collect(&mut self, first: u32, logits: &[f32]) {
        for (logits, first) in logits.chunks(CHUNK).zip((first..).step_by(CHUNK)) {
            // One comparison for most of them.
            if logits.iter().fold(true, |passed, logit| passed & (*logit <= self.least)) {
                continue;
            }
            for (&logit, id) in logits.iter().zip(first..) {
                if self.kept == 0 || logit > self.least {
                    // Adding 0 makes -0 and 0 the same number for the order, too.
                    self.candidates.push(Candidate { id, logit: logit + 0.0, weight: 0.0 });
                }
            }
            self.shorten();
        }
    }

    /// How many are kept before they are shortened.
    fn most(&self) -> usize {
        self.kept.saturating_mul(2).saturating_add(4 * CHUNK)
    }

    /// Drops all but the likeliest where enough have come together.
    fn shorten(&mut self) {
        if self.kept > 0 && self.candidates.len() >= self.most() {
            let (_, last, _) = self.candidates.select_nth_unstable_by(self.kept - 1, likelier);
            self.least = last.logit;
            self.candidates.truncate(self.kept);
        }
    }

    /// An error for the first logit that is no number.
    pub fn check_finite(&self) -> Result<(), SamplerError> {
        self.broken.map_or(Ok(()), Err)
    }

    /// Logits that have come.
    pub fn tokens(&self) -> usize {
        self.next as usize
    }

    /// Candidates that there is room for.
    pub fn room(&self) -> usize {
        self.candidates.capacity()
    }

    /// All tokens in the order of their ids; where a few are wanted, those among others.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }
}
