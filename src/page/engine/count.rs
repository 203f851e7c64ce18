//! The tokens of a text, counted while it is typed.

use leptos::prelude::*;

use crate::tokenizer::TokenSpan;

/// The tokens of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// How many there are.
    pub count: u32,
    /// The first of them.
    pub first: Vec<TokenSpan>,
}

/// A handle to the count.
#[derive(Clone, Copy)]
pub struct Count {
    /// The tokens of the text that was counted last.
    pub tokens: RwSignal<Option<Tokens>>,
    newest: StoredValue<u32>,
}

impl Count {
    /// Nothing has been counted.
    pub fn new() -> Self {
        Count { tokens: RwSignal::new(None), newest: StoredValue::new(0) }
    }

    /// The number of a new question; the answer to one before it no longer counts.
    pub fn ask(self) -> u32 {
        self.newest.update_value(|number| *number += 1);
        self.newest.get_value()
    }

    /// Takes an answer.
    pub fn answer(self, number: u32, count: u32, first: Vec<TokenSpan>) {
        if number == self.newest.get_value() {
            self.tokens.set(Some(Tokens { count, first }));
        }
    }
}
