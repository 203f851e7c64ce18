//! Measures how well a model predicts a text, and whether it is a published model.

pub mod verify;

use crate::kernels::ops::{nats, with_numbers};
use crate::model::{Gpt, ModelError};

/// A model's score on a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy in nats per token: −ln of the probability of the token that followed.
    pub nats: f64,
    /// Number of tokens that were predicted.
    pub predictions: usize,
}

impl Evaluation {
    /// Perplexity: e to the mean cross-entropy.
    pub fn perplexity(&self) -> f64 {
        libm::exp(self.nats)
    }

    /// Bits per unit of a text that has so many: characters, or bytes.
    pub fn bits_per(&self, units: usize) -> f64 {
        self.nats * self.predictions as f64 / std::f64::consts::LN_2 / units.max(1) as f64
    }
}

/// The last part of a text: this share of its characters.
pub fn last_share(text: &str, share: f64) -> &str {
    let skipped = ((1.0 - share) * text.chars().count() as f64) as usize;
    text.char_indices().nth(skipped).map_or("", |(start, _)| &text[start..])
}

/// Predicts each token of a text from those before it, in consecutive windows of the model's context. Every position
/// counts. Tokens at the end that do not fill a window are left out. `done` is called with the number of predictions so
/// far.
///
/// `None` for a text that is shorter than one window and the token behind it.
pub fn evaluate(gpt: &Gpt, ids: &[u32], mut done: impl FnMut(usize)) -> Result<Option<Evaluation>, ModelError> {
    let context = gpt.config().context;
    let (mut sum, mut predictions) = (0.0, 0);
    for start in (0..ids.len().saturating_sub(context)).step_by(context) {
        let Some(window) = ids.get(start..=start + context) else { break };
        sum += window_nats(gpt, &window[..context], &window[1..])?;
        predictions += context;
        done(predictions);
    }
    Ok((predictions > 0).then(|| Evaluation { nats: sum / predictions as f64, predictions }))
}

/// The sum over a window. `next[i]` is the token after `ids[i]`.
fn window_nats(gpt: &Gpt, ids: &[u32], next: &[u32]) -> Result<f64, ModelError> {
    let logits = gpt.forward_all(ids, None)?; // [ids, vocabulary]
    let vocabulary = gpt.config().vocabulary_size;
    let sum = |logits: &[f32]| logits.chunks_exact(vocabulary).zip(next).map(|(row, &id)| nats(row, id)).sum();
    Ok(with_numbers(&logits, sum)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::testing::{random_gpt, small};

    #[test]
    fn cross_entropy_is_that_of_the_softmax() {
        assert!((nats(&[0.0, 0.0, 0.0, 0.0], 2) - 4f64.ln()).abs() < 1e-12);
        // ln(e^1000 + e^999) − 999
        assert!((nats(&[1000.0, 999.0], 1) - (1.0 + (1.0 + (-1f64).exp()).ln())).abs() < 1e-12);
    }

    #[test]
    fn the_last_share_is_counted_in_characters() {
        assert_eq!(last_share("abcdefghij", 0.1), "j");
        assert_eq!(last_share("ééééé", 0.4), "éé");
        assert_eq!(last_share("abc", 1.0), "abc");
    }

    #[test]
    fn windows_are_consecutive_and_whole() {
        let gpt = random_gpt(&small(), 3);
        let context = gpt.config().context;
        let ids: Vec<u32> = (0..3 * context as u32).map(|i| i * i % 27).collect();
        assert_eq!(evaluate(&gpt, &ids[..context], |_| ()).unwrap(), None);
        let mut seen = Vec::new();
        let both = evaluate(&gpt, &ids, |predictions| seen.push(predictions)).unwrap().unwrap();
        // The token behind the third window is missing.
        assert_eq!((both.predictions, seen), (2 * context, vec![context, 2 * context]));
        let first = evaluate(&gpt, &ids[..=context], |_| ()).unwrap().unwrap();
        let second = evaluate(&gpt, &ids[context..=2 * context], |_| ()).unwrap().unwrap();
        assert!((both.nats - (first.nats + second.nats) / 2.0).abs() < 1e-12);
    }
}
