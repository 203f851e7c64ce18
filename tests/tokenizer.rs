//! The tokenizer writes the ids that tiktoken's `gpt2` writes, whatever the text.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;
#[path = "common/gpt2.rs"]
mod gpt2;
#[path = "common/texts.rs"]
mod texts;

use std::sync::LazyLock;

use common::numbers::Numbers;
use peargpt::tokenizer::Tokenizer;
use texts::{KINDS, emoji, prose};
use tiktoken_rs::r50k_base_singleton;

/// Texts of each kind.
const TEXTS: usize = 12_000;

static TOKENIZER: LazyLock<Tokenizer> =
    LazyLock::new(|| Tokenizer::new(gpt2::vocabulary(r50k_base_singleton())).unwrap());

/// A text becomes the same ids in both, and itself again.
fn check(kind: &str, text: &str) {
    let ids = TOKENIZER.encode(text).unwrap();
    if ids != r50k_base_singleton().encode_ordinary(text) {
        let shown: String = text.escape_unicode().take(2000).collect();
        panic!("{kind}: tiktoken differs for {shown}");
    }
    expect_bytes(kind, text, &ids);
}

fn expect_bytes(kind: &str, text: &str, ids: &[u32]) {
    let decoded: Vec<u8> = ids.iter().flat_map(|&id| TOKENIZER.bytes(id)).copied().collect();
    assert!(decoded == text.as_bytes(), "{kind}: {} ids do not become {} bytes again", ids.len(), text.len());
}

#[test]
fn texts_of_all_kinds_become_tiktokens_ids() {
    for ((kind, draw), seed) in KINDS.into_iter().zip(1..) {
        let mut numbers = Numbers(seed);
        for _ in 0..TEXTS {
            check(kind, &draw(&mut numbers));
        }
    }
}

#[test]
fn every_character_becomes_tiktokens_ids() {
    let characters: Vec<char> = ('\0'..=char::MAX).collect();
    for neighbours in characters.chunks(256) {
        check("neighbours", &neighbours.iter().collect::<String>());
        let text = |pattern: &str| -> String {
            neighbours.iter().map(|is| pattern.replace('x', is.encode_utf8(&mut [0; 4]))).collect()
        };
        // A contraction comes after letters and numbers only: there it shows what the character counts as.
        check("with a letter and a digit", &text("ax 1x! x's"));
        // Some of GPT-2's tokens are the end of one character and the beginning of the next, most often of an ideograph.
        check("with ideographs", &text("x士x極x真x要x醒"));
    }
}

/// Texts that make the textbook's algorithms quadratic, each `length` characters or bytes long.
fn hard(length: usize) -> Vec<(&'static str, String)> {
    let mut numbers = Numbers(7);
    let mut drawn = |draw: &dyn Fn(&mut Numbers) -> String| {
        let mut text = String::new();
        while text.len() < length {
            text += &draw(&mut numbers);
        }
        text
    };
    vec![
        ("spaces", " ".repeat(length)),
        ("spaces and a word", " ".repeat(length) + "word"),
        ("one letter", "a".repeat(length)),
        ("a word without end", drawn(&|numbers| prose(numbers, 1).replace(|is: char| !is.is_alphabetic(), ""))),
        ("newlines", "\n".repeat(length)),
        ("newlines and spaces", "\n ".repeat(length / 2)),
        ("one digit", "0".repeat(length)),
        ("apostrophes", "'".repeat(length)),
        ("one emoji", "👩‍👩‍👧‍👦".repeat(length / 25)),
        ("many emoji", drawn(&emoji)),
        ("broken UTF-8", drawn(&KINDS[7].1)),
        ("one mark", format!("e{}", "\u{301}".repeat(length / 2))),
        ("prose", prose(&mut Numbers(8), length)),
    ]
}

#[test]
fn hard_texts_become_tiktokens_ids() {
    for (kind, text) in hard(100_000) {
        check(kind, &text);
    }
}

#[test]
fn a_long_text_becomes_tiktokens_ids() {
    check("prose", &prose(&mut Numbers(9), 1_000_000));
}

/// For two million characters n² steps would be 4 · 10¹², and this test would not end in hours.
#[test]
fn hard_texts_of_millions_of_characters_end() {
    for (kind, text) in hard(2_000_000) {
        expect_bytes(kind, &text, &TOKENIZER.encode(&text).unwrap());
    }
}
