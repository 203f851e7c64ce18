//! Logits → id: repetition penalty, temperature, top-k, top-p, min-p, and a seeded draw.

use serde::{Deserialize, Serialize};

use crate::settings::Vocabulary;

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
