//! Verifies that a model is GPT-2: compares its tokens, logits and text with published figures.
//!
//! [`Verifier::step`] reads one prompt or decodes one token, so that the caller can return to an event loop between two
//! steps.

mod figures;
mod report;

#[cfg(test)]
mod tests;

pub use figures::{Continuation, Expectation, Figures, Scored, published};
use report::compare;
pub use report::{Check, Greedy, SHARED, Verification};

use crate::checkpoint::Model;
use crate::checkpoint::precision::Precision;
use crate::generation::Window;
use crate::generation::{Decoding, GenerationError, Step};
use crate::sampler::{Sampler, Sampling};
use crate::tokenizer::Utf8Stream;

/// There are no figures for this model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the figures are those of a model of {expected_parameters} parameters and {expected_tokens} tokens, \
     this one has {parameters} parameters and {tokens} tokens"
)]
pub struct OtherModel {
    /// Parameters of the model that the figures are of.
    pub expected_parameters: usize,
    /// Number of its tokens.
    pub expected_tokens: usize,
    /// Parameters of this model.
    pub parameters: usize,
    /// Number of its tokens.
    pub tokens: usize,
}

/// A comparison in progress.
#[derive(Debug)]
pub struct Verifier {
    figures: Figures,
    precision: Precision,
    checks: Vec<Check>,
    writing: Option<Writing>,
}

/// The greedy text so far.
#[derive(Debug)]
struct Writing {
    decoding: Decoding,
    characters: Utf8Stream,
    tokens: usize,
    text: String,
}

impl Verifier {
    /// Prepares to compare `model` with `figures`; [`published`] are GPT-2's.
    pub fn new(model: &Model, figures: Figures) -> Result<Self, OtherModel> {
        let (parameters, tokens) = (model.gpt.config().parameters(), model.gpt.config().vocabulary_size);
        let expected_parameters = figures.parameters;
        let other = figures.expectations.iter().map(|expectation| expectation.n_logits).find(|&count| count != tokens);
        if other.is_some() || parameters != expected_parameters {
            let expected_tokens = other.unwrap_or(tokens);
            return Err(OtherModel { expected_parameters, expected_tokens, parameters, tokens });
        }
        Ok(Verifier { figures, precision: model.precision, checks: Vec::new(), writing: None })
    }

    /// Number of steps done, and of all steps.
    pub fn progress(&self) -> (usize, usize) {
        let written = self.writing.as_ref().map_or(0, |writing| writing.tokens);
        let all = self.figures.expectations.len() + self.figures.continuation.tokens;
        (self.checks.len() + written, all)
    }

    /// Reads one prompt, or decodes one token. Returns the result after the last step.
    pub fn step(&mut self, model: &Model) -> Result<Option<Verification>, GenerationError> {
        if let Some(expectation) = self.figures.expectations.get(self.checks.len()) {
            self.checks.push(check(model, expectation, self.precision)?);
            return Ok(None);
        }
        let writing = match &mut self.writing {
            Some(writing) => writing,
            none => none.insert(Writing::new(model, &self.figures.continuation.prompt)?),
        };
        let more = writing.tokens < self.figures.continuation.tokens && writing.step(model)?;
        Ok((!more).then(|| self.outcome()))
    }

    fn outcome(&self) -> Verification {
        let Continuation { prompt, text, .. } = self.figures.continuation.clone();
        let found = self.writing.as_ref().map(Writing::finished).unwrap_or_default();
        let greedy = Greedy { prompt, expected: text, found, required: self.precision == Precision::F32 };
        let passed = self.checks.iter().all(|check| check.passed) && greedy.passed();
        Verification { checks: self.checks.clone(), greedy, passed }
    }
}

impl Writing {
    fn new(model: &Model, prompt: &str) -> Result<Self, GenerationError> {
        let ids = model.tokenizer.encode(prompt)?;
        let sampling = Sampling { temperature: 0.0, ..Sampling::defaults(model.tokenizer.vocabulary()) };
        // The window and the seed do not matter: the text fits the context, and nothing is drawn.
        let decoding = Decoding::new(&model.gpt, ids, Window::Rolling, Sampler::new(sampling, 0))?;
        Ok(Writing { decoding, characters: Utf8Stream::default(), tokens: 0, text: String::new() })
    }

    /// Does one step. `false` if no further token can be decoded.
    fn step(&mut self, model: &Model) -> Result<bool, GenerationError> {
        match self.decoding.step(&model.gpt) {
            Ok(Step::Prefilled) => Ok(true),
            Ok(Step::Token(id)) => {
                self.tokens += 1;
                self.text.push_str(&self.characters.push(model.tokenizer.bytes(id)));
                Ok(true)
            }
            // Logits are infinite or NaN, which the checks report.
            Err(GenerationError::Sampler(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn finished(&self) -> String {
        format!("{}{}", self.text, self.characters.clone().finish())
    }
}

/// Compares the logits after a prompt. Reads the prompt's published tokens, so that an error of the tokenizer does not
/// affect the logits.
fn check(model: &Model, expectation: &Expectation, precision: Precision) -> Result<Check, GenerationError> {
    let Expectation { prompt, token_ids, .. } = expectation;
    let found = model.tokenizer.encode(prompt)?;
    let logits = model.gpt.forward_all(token_ids, None)?; // [ids, vocabulary]
    let last = logits.get(token_ids.len() - 1).and_then(|row| row.to_vec1()).map_err(crate::model::ModelError::from)?;
    let mut check = compare(expectation, &last, expectation.tolerance(precision), &model.tokenizer);
    if found != *token_ids {
        check.tokens_equal = false;
        check.passed = false;
        check.problems.insert(0, format!("its tokens are {found:?}, expected {token_ids:?}"));
    }
    Ok(check)
}
