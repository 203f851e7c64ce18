//! Logits → id: repetition penalty, temperature, top-k, top-p, min-p, and a seeded draw.
//!
//! The same logits, context and seed give the same id on every machine and build: integers make the random numbers,
//! `exp` is `libm`'s, and sums have one order (that of `candidates`), in which no library's choice of algorithm shows.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::kernels::memory::{self, OutOfMemory};
use crate::tokenizer::Vocabulary;

pub(crate) mod random;
mod shortlist;

#[cfg(test)]
mod tests;

use random::Pcg32;
use shortlist::Shortlist;

/// How a token is chosen from the logits; the filters apply in the order of these fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Divides positive and multiplies negative logits of tokens in the context; 1 is off.
    pub repetition_penalty: f32,
    /// Divides the logits; 0 takes the likeliest token (greedy).
    pub temperature: f32,
    /// Keeps the `top_k` likeliest tokens; 0 is off.
    pub top_k: u32,
    /// Keeps the likeliest tokens that together reach this probability; 1 is off.
    pub top_p: f32,
    /// Keeps tokens at least this share as likely as the likeliest; 0 is off.
    pub min_p: f32,
}

impl Sampling {
    /// The defaults for a model of this vocabulary.
    pub fn defaults(vocabulary: Vocabulary) -> Self {
        let top_k = match vocabulary {
            Vocabulary::Characters => 0,
            Vocabulary::BytePairs => 50,
        };
        Sampling { repetition_penalty: 1.0, temperature: 0.8, top_k, top_p: 0.95, min_p: 0.0 }
    }
}

/// Logits that nothing can be drawn from, or a machine without random numbers.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SamplerError {
    /// A model of no tokens.
    #[error("the model gave no logits, expected one for each token")]
    NoLogits,
    /// The model's numbers are broken.
    #[error("the model's logit of token {id} is {value}, expected a finite number")]
    NotFinite {
        /// The first token of such a logit.
        id: u32,
        /// The logit.
        value: f32,
    },
    /// There is no room for the candidates.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// The system gives no seed.
    #[error("no seed can be drawn, set one: {0}")]
    NoSeed(getrandom::Error),
}

/// Draws a seed from the system's random numbers.
pub fn draw_seed() -> Result<u32, SamplerError> {
    getrandom::u32().map_err(SamplerError::NoSeed)
}

/// A token that can still be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Candidate {
    id: u32,
    /// After the repetition penalty.
    logit: f32,
    /// Probability as a share of the likeliest token's, which is 1.
    weight: f32,
}

/// Orders the likelier token first, of equals the one of the lower id. A total order: no two candidates are equal.
fn likelier(left: &Candidate, right: &Candidate) -> Ordering {
    right.logit.total_cmp(&left.logit).then(left.id.cmp(&right.id))
}

/// Where a sampler's random numbers stand, to be taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplerState(u64);

/// Chooses tokens, one after the other.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: Pcg32,
    shortlist: Shortlist,
    /// Kept from token to token for its memory only.
    candidates: Vec<Candidate>,
}

impl Sampler {
    /// A sampler at the beginning of the seed's random numbers. `sampling` is within the ranges of
    /// [`PARAMETERS`](crate::app::settings::PARAMETERS).
    pub fn new(sampling: Sampling, seed: u32) -> Sampler {
        // The stream is that of PCG's own demonstration; any would do.
        let random = Pcg32::new(u64::from(seed), 54);
        Sampler { sampling, random, shortlist: Shortlist::default(), candidates: Vec::new() }
    }

    /// Chooses a token by its logits, `[vocabulary]`, where the model can still see the ids of `context`.
    ///
    /// Draws one random number, or none where the temperature is 0.
    pub fn sample(&mut self, logits: &[f32], context: &[u32]) -> Result<u32, SamplerError> {
        // Candidates twice, which move as they grow; and the logits that are penalised.
        memory::ensure(((4 * size_of::<Candidate>() + size_of::<f32>()) * logits.len()) as u64)?;
        self.shortlist.begin(self.kept(), self.sampling.repetition_penalty, context)?;
        self.shortlist.push(logits);
        self.choose()
    }

    /// Where the random numbers stand.
    pub fn state(&self) -> SamplerState {
        SamplerState(self.random.state())
    }

    /// Goes on with the random numbers from where they stood.
    pub fn set_state(&mut self, state: SamplerState) {
        self.random.set_state(state.0);
    }

    fn choose(&mut self) -> Result<u32, SamplerError> {
        self.shortlist.check_finite()?;
        self.candidates.clear();
        self.candidates.reserve(self.shortlist.room());
        self.candidates.extend_from_slice(self.shortlist.candidates());
        let likeliest = self.candidates.iter().copied().min_by(likelier).ok_or(SamplerError::NoLogits)?;
        if self.sampling.temperature <= 0.0 {
            return Ok(likeliest.id);
        }
        self.keep_top_k();
        self.weigh(likeliest.logit);
        self.keep_top_p();
        self.keep_min_p();
        let fraction = self.random.next_fraction();
        Ok(self.pick(fraction).unwrap_or(likeliest.id))
    }

    /// How many of the likeliest tokens are enough to choose from; 0: all are needed.
    fn kept(&self) -> usize {
        if self.sampling.temperature <= 0.0 { 1 } else { self.sampling.top_k as usize }
    }

    /// Leaves the `top_k` likeliest candidates, likeliest first; without a limit leaves the order of ids.
    fn keep_top_k(&mut self) {
        let kept = self.sampling.top_k as usize;
        if (1..self.shortlist.tokens()).contains(&kept) {
            bring_forward(&mut self.candidates, kept);
            self.candidates.truncate(kept);
        }
    }

    /// Softmax at the temperature, without its division by the sum.
    fn weigh(&mut self, greatest: f32) {
        for candidate in &mut self.candidates {
            candidate.weight = libm::expf((candidate.logit - greatest) / self.sampling.temperature);
        }
    }

    /// Leaves the fewest of the likeliest candidates that together reach `top_p`, at least one, likeliest first.
    fn keep_top_p(&mut self) {
        if self.sampling.top_p >= 1.0 {
            return;
        }
        let enough = f64::from(self.sampling.top_p) * self.total();
        let (mut sorted, mut reached) = (0, 0.0);
        for at in 0..self.candidates.len() {
            if at == sorted {
                // The likeliest few mostly suffice: sorting all of a large vocabulary is seldom needed.
                sorted = (at.max(64) * 4).min(self.candidates.len());
                bring_forward(&mut self.candidates[at..], sorted - at);
            }
            reached += f64::from(self.candidates[at].weight);
            if reached >= enough {
                return self.candidates.truncate(at + 1);
            }
        }
    }

    /// Leaves candidates at least `min_p` as likely as the likeliest.
    fn keep_min_p(&mut self) {
        let least = self.sampling.min_p.min(1.0);
        self.candidates.retain(|candidate| candidate.weight >= least);
    }

    fn total(&self) -> f64 {
        self.candidates.iter().map(|candidate| f64::from(candidate.weight)).sum()
    }

    /// The candidate in whose share of the total a fraction from 0 to below 1 falls.
    fn pick(&self, fraction: f64) -> Option<u32> {
        let target = fraction * self.total();
        let mut reached = 0.0;
        let falls_here = |candidate: &&Candidate| {
            reached += f64::from(candidate.weight);
            target < reached
        };
        self.candidates.iter().find(falls_here).map(|candidate| candidate.id)
    }
}

/// Makes the `count` likeliest candidates stand first, in order; the others follow in any order.
///
/// One comparison for most candidates: those behind the last of the `count` best so far are passed over, the others
/// are collected while there is room.
fn bring_forward(candidates: &mut [Candidate], count: usize) {
    let room = 2 * count + 64;
    let (mut held, mut last) = (0, None);
    for at in 0..candidates.len() {
        if last.is_none_or(|last| likelier(&candidates[at], &last).is_lt()) {
            candidates.swap(held, at);
            held += 1;
        }
        if held == room {
            candidates[..room].select_nth_unstable_by(count - 1, likelier);
            last = Some(candidates[count - 1]);
            held = count;
        }
    }
    if held > count {
        candidates[..held].select_nth_unstable_by(count - 1, likelier);
    }
    candidates[..count].sort_unstable_by(likelier);
}
