//! The result of a comparison, in numbers and in sentences.

use std::fmt;

use macro_rules_attribute::derive;
use serde::Serialize;

use super::figures::{Expectation, Scored};
use crate::tokenizer::TokenSpan;
use crate::tokenizer::Tokenizer;
use crate::wire::Read;

/// How many of the ten likeliest tokens must be the same. It is not all, since the tenth and the eleventh may be close.
pub const SHARED: usize = 9;

/// The comparison of the logits after one prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct Check {
    /// The prompt.
    pub prompt: String,
    /// Whether the tokenizer gives the ids expected.
    pub tokens_equal: bool,
    /// The likeliest token that was published.
    pub expected_top1: u32,
    /// The likeliest token that was found.
    pub found_top1: TokenSpan,
    /// How many of the ten likeliest tokens are among the ten published.
    pub shared_top10: usize,
    /// The largest difference from a published logit; NaN if a logit is.
    pub largest_difference: f32,
    /// The largest difference that is allowed.
    pub tolerance: f32,
    /// Sentences on what differs.
    pub problems: Vec<String>,
    /// Whether nothing differs.
    pub passed: bool,
}

/// The text that the model writes at temperature 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Read!)]
pub struct Greedy {
    /// The text that it continues.
    pub prompt: String,
    /// The text expected.
    pub expected: String,
    /// The text found.
    pub found: String,
    /// Whether it must be equal. Rounded weights may change the order of two logits that are close.
    pub required: bool,
}

/// All that was compared.
#[derive(Clone, Debug, PartialEq, Serialize, Read!)]
pub struct Verification {
    /// The comparison of each prompt.
    pub checks: Vec<Check>,
    /// The comparison of the text.
    pub greedy: Greedy,
    /// Whether all checks passed, and the text is equal if it must be.
    pub passed: bool,
}

/// Compares the logits after a prompt with the published ones.
pub(super) fn compare(expectation: &Expectation, logits: &[f32], tolerance: f32, tokenizer: &Tokenizer) -> Check {
    let likeliest = likeliest(logits, expectation.top10.len());
    let is_expected = |id: &&u32| expectation.top10.iter().any(|scored| scored.id == **id);
    let found = |id: u32| logits.get(id as usize).copied().unwrap_or(f32::NAN);
    let difference = |scored: &Scored| (found(scored.id) - scored.logit).abs();
    // This order puts NaN above all numbers.
    let worst = expectation.logits().max_by(|a, b| difference(a).total_cmp(&difference(b)));
    let mut check = Check {
        prompt: expectation.prompt.clone(),
        tokens_equal: true,
        expected_top1: expectation.top10.first().map_or(0, |scored| scored.id),
        found_top1: tokenizer.span(likeliest.first().copied().unwrap_or(0)),
        shared_top10: likeliest.iter().filter(is_expected).count(),
        largest_difference: worst.as_ref().map_or(0.0, difference),
        tolerance,
        problems: Vec::new(),
        passed: false,
    };
    check.judge_ranks();
    if let Some(Scored { id, logit }) = worst.filter(|_| !check.is_within()) {
        check.problems.push(format!("the logit of token {id} is {}, expected {logit} ± {tolerance}", found(id)));
    }
    if let Some(id) = logits.iter().position(|logit| !logit.is_finite()) {
        check.problems.push(format!("the logit of token {id} is {}, expected a finite number", logits[id]));
    }
    check.passed = check.problems.is_empty();
    check
}

/// The `count` likeliest ids, likeliest first; equally likely ones by id.
pub(super) fn likeliest(logits: &[f32], count: usize) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    ids.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]));
    ids.truncate(count);
    ids
}

impl Check {
    /// Whether the likeliest token is the published one.
    pub fn is_top1_equal(&self) -> bool {
        self.found_top1.id == self.expected_top1
    }

    /// Whether enough of the ten likeliest tokens are among the ten published.
    pub fn is_top10_shared(&self) -> bool {
        self.shared_top10 >= SHARED
    }

    /// Whether every published logit is within the tolerance.
    pub fn is_within(&self) -> bool {
        self.largest_difference <= self.tolerance
    }

    fn judge_ranks(&mut self) {
        if !self.is_top1_equal() {
            let Check { expected_top1, found_top1: TokenSpan { id, text }, .. } = self;
            self.problems.push(format!("the likeliest token is {id} {text:?}, expected {expected_top1}"));
        }
        if !self.is_top10_shared() {
            let shared = self.shared_top10;
            let told = format!("{shared} of the ten likeliest tokens are those expected, at least {SHARED} must");
            self.problems.push(told);
        }
    }
}

impl Greedy {
    /// Whether the text is the published one.
    pub fn is_equal(&self) -> bool {
        self.found == self.expected
    }

    /// Whether the text is the published one, or need not be.
    pub fn passed(&self) -> bool {
        !self.required || self.is_equal()
    }
}

impl Verification {
    /// The verdict, as a sentence that names the kinds of figures that differ.
    pub fn verdict(&self) -> String {
        if self.passed {
            return match self.greedy.is_equal() {
                true => "It is GPT-2: tokens, logits and text are as published.".to_string(),
                false => "It is GPT-2: tokens and logits are as published; the text may differ.".to_string(),
            };
        }
        match self.differences().join(", ") {
            nothing if nothing.is_empty() => "It is not GPT-2 as published.".to_string(),
            differences => format!("It is not GPT-2 as published. What differs: {differences}."),
        }
    }

    /// The kinds of figures that differ, with the number of prompts.
    fn differences(&self) -> Vec<String> {
        let prompts = |kind: &str, is_right: fn(&Check) -> bool| {
            let wrong = self.checks.iter().filter(|check| !is_right(check)).count();
            (wrong > 0).then(|| format!("{kind} ({wrong} of {} prompts)", self.checks.len()))
        };
        let differences = [
            prompts("tokens", |check| check.tokens_equal),
            prompts("the likeliest token", Check::is_top1_equal),
            prompts("the ten likeliest", Check::is_top10_shared),
            prompts("logits", Check::is_within),
            (!self.greedy.passed()).then(|| "the text".to_string()),
        ];
        differences.into_iter().flatten().collect()
    }
}

/// One line.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Check { prompt, found_top1, shared_top10, largest_difference, tolerance, .. } = self;
        if self.passed {
            let numbers = format!("top 1 is {} {:?}, {shared_top10} of the top 10", found_top1.id, found_top1.text);
            return write!(f, "ok     {prompt:?}: {numbers}, logits within {largest_difference:.4} of {tolerance:.4}");
        }
        write!(f, "FAILED {prompt:?}: {}", self.problems.join("; "))
    }
}

/// One line.
impl fmt::Display for Greedy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Greedy { prompt, expected, found, required } = self;
        match (self.is_equal(), required) {
            (true, _) => write!(f, "ok     {prompt:?} goes on {found:?}"),
            (false, true) => write!(f, "FAILED {prompt:?} goes on {found:?}, expected {expected:?}"),
            (false, false) => write!(f, "other  {prompt:?} goes on {found:?}, not {expected:?}: rounded weights may"),
        }
    }
}
