//! How surprising a given text is, token by token.

use super::{Done, ExplainError, Surprise};
use crate::checkpoint::Model;
use crate::evaluate::Evaluation;
use crate::generation::Reading;
use crate::kernels::ops::with_numbers;
use crate::model::{Outputs, Part};
use crate::sampler::Prediction;

/// Predicts each token of a text but the first from those before it, a step at a time. The windows are those of writing: of a
/// full context the newer half is read again.
#[derive(Debug)]
pub struct TextSurprise {
    ids: Vec<u32>,
    /// Index of the window's first id.
    start: usize,
    reading: Reading,
    /// Of each token from the second on.
    predictions: Vec<Prediction>,
    /// Characters behind the first token.
    characters: usize,
}

impl TextSurprise {
    /// A text, read with these parts of the model switched off.
    pub fn new(model: &Model, text: &str, off: &[Part]) -> Result<Self, ExplainError> {
        let ids = model.tokenizer.encode(text)?;
        let first = ids.first().map_or(0, |first| model.tokenizer.bytes(*first).len());
        let characters = String::from_utf8_lossy(&text.as_bytes()[first..]).chars().count();
        TextSurprise::of(model, ids, characters, off)
    }

    /// The same of tokens, which have so many characters behind the first one.
    pub fn of(model: &Model, ids: Vec<u32>, characters: usize, off: &[Part]) -> Result<Self, ExplainError> {
        if ids.len() < 2 {
            return Err(ExplainError::Short { tokens: ids.len() });
        }
        let reading = Reading::new(&model.gpt, off)?;
        Ok(TextSurprise { ids, start: 0, reading, predictions: Vec::new(), characters })
    }

    /// Takes a tile through one block. Returns how far it is; `done` is `total` at the end.
    pub fn step(&mut self, model: &Model) -> Result<Done, ExplainError> {
        let (gpt, last) = (&model.gpt, self.ids.len() - 1);
        let context = gpt.config().context;
        let end = last.min(self.start + context);
        if self.predictions.len() < last {
            let first = self.reading.cache().len();
            let first = if gpt.has(self.reading.cache()) { first } else { 0 };
            if let Some(pass) = self.reading.step(gpt, &self.ids[self.start..end], Outputs::All)? {
                let logits = gpt.logits(pass)?; // [1, rows, vocabulary]
                self.note(&logits, self.start + first, gpt.config().vocabulary_size)?;
            }
            if self.reading.has(gpt, end - self.start) && end < last {
                self.start += context - context / 2;
                self.reading.truncate(0);
            }
        }
        Ok(Done { done: self.predictions.len() as u32, total: last as u32 })
    }

    /// Notes what rows from this index on predict, where that is new.
    fn note(&mut self, logits: &candle_core::Tensor, first: usize, size: usize) -> Result<(), ExplainError> {
        Ok(with_numbers(logits, |logits: &[f32]| {
            for (row, logits) in (first..).zip(logits.chunks_exact(size)) {
                if row == self.predictions.len() {
                    self.predictions.push(Prediction::of(logits, self.ids[row + 1]));
                }
            }
        })?)
    }

    /// The tokens of the text.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// How the model rates each token from the second on, as far as it has come.
    pub fn predictions(&self) -> &[Prediction] {
        &self.predictions
    }

    /// The whole, once every token is predicted.
    pub fn summary(&self) -> Surprise {
        let bits: f64 = self.predictions.iter().map(Prediction::bits).sum();
        let predictions = self.predictions.len();
        let evaluation = Evaluation { nats: bits * std::f64::consts::LN_2 / predictions.max(1) as f64, predictions };
        Surprise {
            tokens: self.ids.len() as u32,
            bits_per_character: evaluation.bits_per(self.characters),
            perplexity: evaluation.perplexity(),
        }
    }
}
