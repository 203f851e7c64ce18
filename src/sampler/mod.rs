//! Chooses an id by its logits: repetition penalty, temperature, top-k, top-p, min-p, and a seeded draw.
//!
//! The same logits, context and seed give the same id on every machine and build. Random numbers are made of integers,
//! `exp` is `libm`'s, and sums are in one fixed order (that of `candidates`), which no library's algorithm can change.

use std::cmp::Ordering;

use macro_rules_attribute::derive;
use serde::Serialize;

use crate::kernels::memory::{self, OutOfMemory};
use crate::tokenizer::Vocabulary;
use crate::wire::Read;

mod explain;
mod prediction;
pub(crate) mod random;
mod shortlist;

#[cfg(test)]
mod tests;

pub use explain::{Chances, Draw, Explained};
pub use prediction::{Prediction, likeliest};

use random::Pcg32;
use shortlist::Shortlist;

/// The sampling settings. The filters apply in the order of these fields.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct Sampling {
    /// Divides positive and multiplies negative logits of tokens in the context; 1 is off.
    pub repetition_penalty: f32,
    /// Divides the logits; 0 takes the likeliest token (greedy).
    pub temperature: f32,
    /// Keeps the `top_k` likeliest tokens; 0 is off.
    pub top_k: u32,
    /// Keeps the likeliest tokens that together reach this probability; 1 is off.
    pub top_p: f32,
    /// Keeps tokens whose probability is at least this share of the likeliest token's; 0 is off.
    pub min_p: f32,
}

impl Sampling {
    /// The default settings for a model of this vocabulary.
    pub fn defaults(vocabulary: Vocabulary) -> Self {
        let top_k = match vocabulary {
            Vocabulary::Characters => 0,
            Vocabulary::BytePairs => 50,
        };
        Sampling { repetition_penalty: 1.0, temperature: 0.8, top_k, top_p: 0.95, min_p: 0.0 }
    }
}

/// Why no token can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SamplerError {
    /// There are no logits.
    #[error("the model gave no logits, expected one for each token")]
    NoLogits,
    /// A logit is infinite or NaN.
    #[error("the model's logit of token {id} is {value}, expected a finite number")]
    NotFinite {
        /// The first token with such a logit.
        id: u32,
        /// The logit.
        value: f32,
    },
    /// There is no memory for the candidates.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// The system gives no random number for a seed.
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
    /// The logit, after the repetition penalty.
    logit: f32,
    /// The probability, divided by that of the likeliest token.
    weight: f32,
}

/// Orders likelier tokens first, and equally likely ones by id. The order is total: no two candidates are equal.
fn likelier(left: &Candidate, right: &Candidate) -> Ordering {
    right.logit.total_cmp(&left.logit).then(left.id.cmp(&right.id))
}

/// The state of a sampler's random numbers, from which they can be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplerState(u64);

/// Chooses tokens, one after another.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: Pcg32,
    shortlist: Shortlist,
    /// A field only to reuse its memory for the next token.
    candidates: Vec<Candidate>,
}

impl Sampler {
    /// A sampler at the beginning of the seed's random numbers. `sampling` must be within the ranges of
    /// [`PARAMETERS`](crate::app::settings::PARAMETERS).
    pub fn new(sampling: Sampling, seed: u32) -> Sampler {
        // The stream of PCG's own demonstration; any other would do as well.
        let random = Pcg32::new(u64::from(seed), 54);
        Sampler { sampling, random, shortlist: Shortlist::default(), candidates: Vec::new() }
    }

    /// Chooses a token by its logits, `[vocabulary]`. `context` are the ids that the model still sees.
    ///
    /// Draws one random number, or none if the temperature is 0.
    pub fn sample(&mut self, logits: &[f32], context: &[u32]) -> Result<u32, SamplerError> {
        // Twice the candidates, since these may be moved when they grow, and the logits with the penalty.
        memory::ensure(((4 * size_of::<Candidate>() + size_of::<f32>()) * logits.len()) as u64)?;
        self.shortlist.begin(self.kept(), self.sampling.repetition_penalty, context)?;
        self.shortlist.push(logits);
        self.choose()
    }

    /// Discards the random number that [`sample`](Self::sample) draws, for a token that is known already.
    pub fn skip(&mut self) {
        if self.sampling.temperature > 0.0 {
            self.random.next_u32();
        }
    }

    /// The state of the random numbers.
    pub fn state(&self) -> SamplerState {
        SamplerState(self.random.state())
    }

    /// Continues the random numbers from this state.
    pub fn set_state(&mut self, state: SamplerState) {
        self.random.set_state(state.0);
    }

    fn choose(&mut self) -> Result<u32, SamplerError> {
        let likeliest = self.collect()?;
        if self.sampling.temperature <= 0.0 {
            return Ok(likeliest.id);
        }
        self.keep_top_k();
        self.weigh(likeliest.logit, self.sampling.temperature);
        self.keep_top_p();
        self.keep_min_p();
        let fraction = self.random.next_fraction();
        Ok(self.pick(fraction).unwrap_or(likeliest.id))
    }

    /// Takes the candidates from the shortlist, and returns the likeliest.
    fn collect(&mut self) -> Result<Candidate, SamplerError> {
        self.shortlist.check_finite()?;
        self.candidates.clear();
        self.candidates.reserve(self.shortlist.room());
        self.candidates.extend_from_slice(self.shortlist.candidates());
        self.candidates.iter().copied().min_by(likelier).ok_or(SamplerError::NoLogits)
    }

    /// How many of the likeliest tokens suffice to choose from; 0 if all are needed.
    fn kept(&self) -> usize {
        if self.sampling.temperature <= 0.0 { 1 } else { self.sampling.top_k as usize }
    }

    /// Keeps the `top_k` likeliest candidates, likeliest first. Without a limit the order of ids stays.
    fn keep_top_k(&mut self) {
        let kept = self.sampling.top_k as usize;
        if (1..self.shortlist.tokens()).contains(&kept) {
            bring_forward(&mut self.candidates, kept);
            self.candidates.truncate(kept);
        }
    }

    /// Computes the softmax at a temperature, without the division by the sum.
    fn weigh(&mut self, greatest: f32, temperature: f32) {
        for candidate in &mut self.candidates {
            candidate.weight = libm::expf((candidate.logit - greatest) / temperature);
        }
    }

    /// Keeps the fewest of the likeliest candidates that together reach `top_p`, likeliest first. Keeps at least one.
    fn keep_top_p(&mut self) {
        if self.sampling.top_p >= 1.0 {
            return;
        }
        let enough = f64::from(self.sampling.top_p) * self.total();
        let (mut sorted, mut reached) = (0, 0.0);
        for at in 0..self.candidates.len() {
            if at == sorted {
                // A few of the likeliest mostly suffice, so all of a large vocabulary need seldom be sorted.
                sorted = (at.max(64) * 4).min(self.candidates.len());
                bring_forward(&mut self.candidates[at..], sorted - at);
            }
            reached += f64::from(self.candidates[at].weight);
            if reached >= enough {
                return self.candidates.truncate(at + 1);
            }
        }
    }

    /// Keeps candidates whose probability is at least `min_p` of the likeliest's.
    fn keep_min_p(&mut self) {
        let least = self.sampling.min_p.min(1.0);
        self.candidates.retain(|candidate| candidate.weight >= least);
    }

    fn total(&self) -> f64 {
        self.candidates.iter().map(|candidate| f64::from(candidate.weight)).sum()
    }

    /// The candidate at `fraction`, from 0 to below 1, of the total weight.
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

/// Moves the `count` likeliest candidates to the front, in order; the others follow in any order.
///
/// Most candidates take one comparison: with the last of the `count` likeliest so far. Those that are likelier are
/// collected until there is no more room; then the likeliest are selected again.
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
