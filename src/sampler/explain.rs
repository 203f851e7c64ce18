//! What the settings make of the model's probabilities, stage by stage, by the very filters that draw.

use macro_rules_attribute::derive;
use serde::Serialize;

use super::{Sampler, SamplerError, SamplerState};
use crate::kernels::memory;
use crate::wire::Read;

/// The chances of a token after each setting, in their order; 0 where it was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Read!)]
pub struct Chances {
    /// After the repetition penalty.
    pub repetition_penalty: f64,
    /// After the temperature. At temperature 0 the likeliest token has all.
    pub temperature: f64,
    /// After top-k.
    pub top_k: f64,
    /// After top-p.
    pub top_p: f64,
    /// After min-p: the chance with which it is drawn.
    pub min_p: f64,
}

/// Where a drawn number fell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Read!)]
pub struct Draw {
    /// The drawn number, from 0 to below 1.
    pub fraction: f64,
    /// Where the chances of the token that was drawn begin.
    pub from: f64,
    /// Where they end.
    pub to: f64,
}

/// What the settings make of some tokens' probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The chances of each token that was asked for.
    pub chances: Vec<Chances>,
    /// Where the drawn number fell; `None` where none was drawn.
    pub draw: Option<Draw>,
}

impl Sampler {
    /// What [`sample`](Self::sample) makes of these logits and this context: the chances of `ids`, and, with the state before
    /// a token was drawn, where the number fell. At temperature 0 none is drawn. What the sampler draws next stays the same.
    pub fn explain(
        &mut self,
        logits: &[f32],
        context: &[u32],
        ids: &[u32],
        state: Option<SamplerState>,
    ) -> Result<Explained, SamplerError> {
        memory::ensure((4 * size_of::<super::Candidate>() * logits.len()) as u64)?;
        let before = self.state();
        // All tokens: a shortlist has no chances.
        self.shortlist.begin(0, self.sampling.repetition_penalty, context)?;
        self.shortlist.push(logits);
        let likeliest = self.collect()?;
        let mut chances = vec![Chances::default(); ids.len()];
        self.weigh(likeliest.logit, 1.0);
        self.note(ids, &mut chances, |chances| &mut chances.repetition_penalty);
        if self.sampling.temperature <= 0.0 {
            for (chances, _) in chances.iter_mut().zip(ids).filter(|(_, id)| **id == likeliest.id) {
                (chances.temperature, chances.top_k, chances.top_p, chances.min_p) = (1.0, 1.0, 1.0, 1.0);
            }
            return Ok(Explained { chances, draw: None });
        }
        self.weigh(likeliest.logit, self.sampling.temperature);
        self.note(ids, &mut chances, |chances| &mut chances.temperature);
        self.keep_top_k();
        self.note(ids, &mut chances, |chances| &mut chances.top_k);
        self.keep_top_p();
        self.note(ids, &mut chances, |chances| &mut chances.top_p);
        self.keep_min_p();
        self.note(ids, &mut chances, |chances| &mut chances.min_p);
        let draw = state.map(|state| {
            self.set_state(state);
            let fraction = self.random.next_fraction();
            let id = self.pick(fraction).unwrap_or(likeliest.id);
            let (from, to) = self.interval(id);
            Draw { fraction, from, to }
        });
        self.set_state(before);
        Ok(Explained { chances, draw })
    }

    /// Notes the candidates' present shares of the total.
    fn note(&self, ids: &[u32], chances: &mut [Chances], stage: impl Fn(&mut Chances) -> &mut f64) {
        let total = self.total();
        for candidate in &self.candidates {
            for (chances, _) in chances.iter_mut().zip(ids).filter(|(_, id)| **id == candidate.id) {
                *stage(chances) = f64::from(candidate.weight) / total;
            }
        }
    }

    /// Where the share of a candidate begins and ends.
    fn interval(&self, id: u32) -> (f64, f64) {
        let (total, mut reached) = (self.total(), 0.0);
        for candidate in &self.candidates {
            let before = reached;
            reached += f64::from(candidate.weight);
            if candidate.id == id {
                return (before / total, reached / total);
            }
        }
        (1.0, 1.0)
    }
}
