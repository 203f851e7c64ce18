//! Published figures of GPT-2, and how far a model may be from them.
//!
//! `gpt2_published_logits.json` is from Transformer Explainer (<https://github.com/poloclub/transformer-explainer>,
//! `src/constants/examples/`), which has logits of the 124M model after the last token of five example prompts. The
//! file has the first eight and the ten largest of each, to four digits. The greedy text is from Hugging Face
//! `transformers`' own test of the model (`tests/models/gpt2/test_modeling_gpt2.py`, `test_lm_generate_gpt2`).

use serde::Deserialize;

use crate::checkpoint::precision::Precision;

/// What a model of a certain shape must give.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// Number of weights, a tied head counted once.
    pub parameters: usize,
    /// Logits after prompts.
    pub expectations: Vec<Expectation>,
    /// What the model writes at temperature 0.
    pub continuation: Continuation,
}

/// Logits after the last token of a prompt.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Expectation {
    /// The prompt.
    pub prompt: String,
    /// Its tokens.
    pub token_ids: Vec<u32>,
    /// Number of logits, one for each token.
    pub n_logits: usize,
    /// Logits of ids 0, 1, 2, ….
    pub first_logits: Vec<f32>,
    /// The largest logits, the largest first.
    pub top10: Vec<Scored>,
}

/// A token and its logit.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Scored {
    /// The token.
    pub id: u32,
    /// The logit.
    pub logit: f32,
}

/// The text that follows a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// The prompt.
    pub prompt: String,
    /// Number of tokens that follow it.
    pub tokens: usize,
    /// Their text.
    pub text: String,
}

/// The figures of GPT-2, 124M.
pub fn published() -> Result<Figures, serde_json::Error> {
    Ok(Figures {
        // Hugging Face's `num_parameters()`. Radford et al. 2019 give 117M, which was a miscount.
        parameters: 124_439_808,
        expectations: serde_json::from_str(include_str!("gpt2_published_logits.json"))?,
        continuation: Continuation {
            prompt: "The dog".to_string(),
            tokens: 18,
            text: " was found in a field near the intersection of West and West Streets.\n\nThe dog".to_string(),
        },
    })
}

impl Expectation {
    /// Every logit that was published.
    pub fn logits(&self) -> impl Iterator<Item = Scored> {
        let first = (0..).zip(&self.first_logits).map(|(id, &logit)| Scored { id, logit });
        first.chain(self.top10.iter().copied())
    }

    /// How far a logit may be from the published one, for weights of this precision.
    ///
    /// For float32 it is 0.02: four digits were published, and sums in another order change the third.
    ///
    /// `Q8_0` rounds a weight to 1/254 of the largest one in its block of 32, and the activations that are multiplied
    /// with it likewise. This has two effects:
    ///
    /// - The part that all logits share (GPT-2's lie around −100, 4 apart) is the sum of a few large products. It may be
    ///   off by as much as each of them: 1/127 of the magnitude.
    /// - The rest is off like the sum of many independent products. As a share of the logits' standard deviation, on 8
    ///   prompts of 6 tokens, random weights of the 124M shape gave 2.7 % and at most 13 %; with 2 blocks instead of 12,
    ///   2.2 % and 10 %. pearGPT, which is trained, gave 0.6 % and 3.2 % on 60 passages of Shakespeare (x86-64,
    ///   2026-11). The tolerance is a quarter, twice the largest of these, since trained activations have outliers,
    ///   which make the steps of their block large.
    ///
    /// For GPT-2's figures the tolerance is about 2 % of a logit. `F16` has the same effects with 11 bits instead of 7:
    /// at most 0.35 % of the standard deviation was measured, and 1 % is allowed.
    pub fn tolerance(&self, precision: Precision) -> f32 {
        let (of_magnitude, of_spread) = match precision {
            Precision::F32 => (0.0, 0.0),
            Precision::F16 => (1.0 / 1024.0, 0.01),
            Precision::Q8_0 => (1.0 / 127.0, 0.25),
        };
        let largest = self.logits().map(|scored| scored.logit.abs()).fold(0.0, f32::max);
        0.02 + of_magnitude * largest + of_spread * self.spread()
    }

    /// Standard deviation of the published logits.
    fn spread(&self) -> f32 {
        let count = self.logits().count().max(1) as f32;
        let mean = self.logits().map(|scored| scored.logit).sum::<f32>() / count;
        (self.logits().map(|scored| (scored.logit - mean).powi(2)).sum::<f32>() / count).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_figures_are_whole() {
        let figures = published().unwrap();
        assert_eq!(figures.expectations.len(), 5);
        for expectation in &figures.expectations {
            let Expectation { prompt, token_ids, n_logits, first_logits, top10 } = expectation;
            assert_eq!((*n_logits, first_logits.len(), top10.len()), (50257, 8, 10), "{prompt}");
            assert!(top10.windows(2).all(|pair| pair[0].logit > pair[1].logit), "{prompt}");
            assert!(token_ids.iter().all(|&id| id < 50257) && token_ids.len() >= 6, "{prompt}");
        }
    }

    #[test]
    fn eight_bits_may_err_by_a_fiftieth_and_float32_by_a_fiftieth_of_one() {
        for expectation in published().unwrap().expectations {
            let magnitude = expectation.top10[0].logit.abs();
            let share = expectation.tolerance(Precision::Q8_0) / magnitude;
            assert!((0.01..0.03).contains(&share), "{}: {share}", expectation.prompt);
            assert_eq!(expectation.tolerance(Precision::F32), 0.02);
        }
    }
}
