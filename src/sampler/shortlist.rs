//! Collects the tokens that may be among the likeliest, while their logits arrive.

use super::{Candidate, SamplerError, likelier};
use crate::kernels::memory::{self, OutOfMemory};

/// Logits that are compared at once.
const CHUNK: usize = 16;

/// Collects candidates: all of them, or those that may be among the likeliest.
#[derive(Clone, Debug, Default)]
pub struct Shortlist {
    /// How many of the likeliest are wanted; 0 for all.
    kept: usize,
    penalty: f32,
    /// Ids whose logits get the penalty, sorted, each once.
    penalised: Vec<u32>,
    /// Memory for logits with the penalty.
    logits: Vec<f32>,
    candidates: Vec<Candidate>,
    /// A token with a smaller logit is not among the likeliest, nor is a later token with an equal one.
    least: f32,
    /// The id of the next logit.
    next: u32,
    broken: Option<SamplerError>,
}

impl Shortlist {
    /// Starts over with id 0. Each token of the context gets the penalty once, as in CTRL (Keskar et al. 2019) and
    /// Hugging Face's `RepetitionPenaltyLogitsProcessor`.
    pub fn begin(&mut self, kept: usize, penalty: f32, context: &[u32]) -> Result<(), OutOfMemory> {
        (self.kept, self.penalty, self.least, self.next, self.broken) = (kept, penalty, f32::NEG_INFINITY, 0, None);
        self.candidates.clear();
        // Room for the next chunk before the list is shortened. For a very long list, memory is allocated as it grows.
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

    /// Adds the logits of the next ids.
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
            // Most chunks take only this comparison.
            if logits.iter().fold(true, |passed, logit| passed & (*logit <= self.least)) {
                continue;
            }
            for (&logit, id) in logits.iter().zip(first..) {
                if self.kept == 0 || logit > self.least {
                    // Adding 0 turns -0 into 0, which the order would distinguish.
                    self.candidates.push(Candidate { id, logit: logit + 0.0, weight: 0.0 });
                }
            }
            self.shorten();
        }
    }

    /// The number of candidates at which the list is shortened.
    fn most(&self) -> usize {
        self.kept.saturating_mul(2).saturating_add(4 * CHUNK)
    }

    /// Drops all but the likeliest candidates, if the list is long enough.
    fn shorten(&mut self) {
        if self.kept > 0 && self.candidates.len() >= self.most() {
            let (_, last, _) = self.candidates.select_nth_unstable_by(self.kept - 1, likelier);
            self.least = last.logit;
            self.candidates.truncate(self.kept);
        }
    }

    /// The error for the first logit that is infinite or NaN.
    pub fn check_finite(&self) -> Result<(), SamplerError> {
        self.broken.map_or(Ok(()), Err)
    }

    /// Number of logits so far.
    pub fn tokens(&self) -> usize {
        self.next as usize
    }

    /// Number of candidates for which there is room.
    pub fn room(&self) -> usize {
        self.candidates.capacity()
    }

    /// All tokens in the order of their ids; or if only the likeliest are wanted, those among some others.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }
}
