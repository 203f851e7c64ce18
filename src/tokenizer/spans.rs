//! The tokens of a text, counted and made visible.

use macro_rules_attribute::derive;
use serde::Serialize;

use crate::wire::Read;

use super::{Tokenizer, TokenizerError};

/// Tokens of a text that are shown one by one.
pub const SHOWN_TOKENS: usize = 1000;

/// One token of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Read!)]
pub struct TokenSpan {
    /// Its id.
    pub id: u32,
    /// Its text; bytes that are not a whole character as `\xF0\x9F`.
    pub text: String,
}

/// How many tokens a text has, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    /// Number of tokens.
    pub count: u32,
    /// The first [`SHOWN_TOKENS`] of them.
    pub first: Vec<TokenSpan>,
}

impl Spans {
    /// Adds the tokens of a text. Characters that are not in the vocabulary are left out.
    pub fn push(&mut self, tokenizer: &Tokenizer, text: &str) {
        let ids = match tokenizer.encode(text) {
            Ok(ids) => ids,
            Err(TokenizerError::UnknownCharacters { characters }) => {
                let known: String = text.chars().filter(|character| !characters.contains(character)).collect();
                tokenizer.encode(&known).unwrap_or_default()
            }
            Err(_) => Vec::new(), // never: encoding fails for no other reason
        };
        self.count += ids.len() as u32;
        let room = SHOWN_TOKENS - self.first.len();
        self.first.extend(ids.iter().take(room).map(|&id| tokenizer.span(id)));
    }
}

impl Tokenizer {
    /// A token with its visible text.
    pub fn span(&self, id: u32) -> TokenSpan {
        TokenSpan { id, text: shown(self.bytes(id)) }
    }
}

/// Bytes as text; those that are not a whole character as `\xF0\x9F`.
fn shown(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::{byte_pairs, characters, tokenizer};
    use super::*;
    use crate::sampler::random::Pcg32;

    fn spans(tokenizer: &Tokenizer, text: &str) -> (u32, Vec<(u32, String)>) {
        let mut spans = Spans::default();
        spans.push(tokenizer, text);
        (spans.count, spans.first.into_iter().map(|span| (span.id, span.text)).collect())
    }

    #[test]
    fn each_token_shows_its_text_and_its_id() {
        let tokenizer = tokenizer(byte_pairs(&["Ġ a", "Ġa b"]));
        let span = |id: u32, text: &str| (id, text.to_string());
        assert_eq!(spans(&tokenizer, "a ab\n"), (3, vec![span(97, "a"), span(257, " ab"), span(10, "\n")]));
        assert_eq!(spans(&tokenizer, ""), (0, Vec::new()));
    }

    #[test]
    fn what_is_no_whole_character_shows_its_bytes() {
        // The beginning of 😀, the rest of it with a letter, and a whole character before half of the next.
        let tokenizer = tokenizer(byte_pairs(&["ð Ł", "ĺ Ģ", "Ã ©", "Ã© Ã"]));
        let texts = |text| spans(&tokenizer, text).1.into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts("😀"), ["\\xF0\\x9F", "\\x98\\x80"]);
        assert_eq!(texts("ééè"), ["é", "é\\xC3", "\\xA8"]);
    }

    #[test]
    fn only_the_first_tokens_are_shown_and_all_are_counted() {
        let tokenizer = tokenizer(byte_pairs(&["a b"]));
        let mut spans = Spans::default();
        spans.push(&tokenizer, &"ab".repeat(SHOWN_TOKENS - 1));
        assert_eq!((spans.count as usize, spans.first.len()), (SHOWN_TOKENS - 1, SHOWN_TOKENS - 1));
        spans.push(&tokenizer, "abab");
        spans.push(&tokenizer, "ab");
        assert_eq!((spans.count as usize, spans.first.len()), (SHOWN_TOKENS + 2, SHOWN_TOKENS));
    }

    #[test]
    fn characters_that_a_model_does_not_know_are_passed_over() {
        let tokenizer = tokenizer(characters("aé"));
        assert_eq!(spans(&tokenizer, "a😀éb"), (2, vec![(0, "a".to_string()), (1, "é".to_string())]));
    }

    #[test]
    fn the_parts_of_a_cut_text_have_the_tokens_of_the_text() {
        let tokenizer = tokenizer(byte_pairs(&["a b", "Ġ a", "Ġ Ġ", "Ċ Ċ", "' s"]));
        let mut random = Pcg32::new(4, 1);
        for _ in 0..2000 {
            let pieces = ["a", "b", " ", "é", "\n", "'s", "'", "1", "日"];
            let text: String = (0..random.below(30)).map(|_| pieces[random.below(9) as usize]).collect();
            let length = 1 + random.below(12) as usize;
            let (mut ids, mut rest) = (Vec::new(), &*text);
            while !rest.is_empty() {
                let (piece, later) = tokenizer.cut(rest, length);
                assert!(piece.len() >= length.min(rest.len()), "{piece:?} of {rest:?}, {length}");
                ids.extend(tokenizer.encode(piece).unwrap());
                rest = later;
            }
            assert_eq!(ids, tokenizer.encode(&text).unwrap(), "{text:?} cut at {length}");
        }
    }
}
