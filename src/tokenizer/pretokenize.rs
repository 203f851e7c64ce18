//! Splits a text into words. Byte pairs are merged within these only.
//!
//! GPT-2's pattern, from OpenAI's `encoder.py`:
//!
//! ```text
//! 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//! ```
//!
//! It is written by hand, since regex engines of linear time lack the look-ahead, and since a regex engine with its
//! Unicode tables would be the larger part of the tokenizer in the browser.
//!
//! The Unicode version determines which characters are letters and numbers. It is 16, as in `regex-syntax` 0.8, the
//! engine of tiktoken, so that both split every text alike. `unicode-properties` 0.1.3 has these tables (31 KB); 0.1.4
//! has those of Unicode 17, and 0.1.5 those of Unicode 18. A test compares every character.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/// The classes that the pattern distinguishes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

impl Class {
    fn of(character: char) -> Class {
        match character {
            'a'..='z' | 'A'..='Z' => Class::Letter,
            '0'..='9' => Class::Number,
            _ if character.is_whitespace() => Class::Space,
            _ => match character.general_category_group() {
                GeneralCategoryGroup::Letter => Class::Letter,
                GeneralCategoryGroup::Number => Class::Number,
                _ => Class::Other,
            },
        }
    }
}

/// Splits a text into words which, joined, are the text. Takes time linear in its length.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (word, later) = rest.split_at(word_length(rest));
        rest = later;
        (!word.is_empty()).then_some(word)
    })
}

/// Splits a text after the first word that ends at `length` bytes or later and is not white space. The text behind such
/// a word does not affect where it ends, so the words of both parts are those of the text.
pub(super) fn cut(text: &str, length: usize) -> (&str, &str) {
    let mut end = 0;
    while end < length.min(text.len()) || (end < text.len() && text[..end].ends_with(char::is_whitespace)) {
        end += word_length(&text[end..]);
    }
    text.split_at(end)
}

/// Length of the first word, in bytes; 0 only for the empty text.
fn word_length(text: &str) -> usize {
    if let Some(contraction) = CONTRACTIONS.iter().find(|contraction| text.starts_with(**contraction)) {
        return contraction.len();
    }
    let after_space = text.strip_prefix(' ').unwrap_or(text);
    match after_space.chars().next().map(Class::of) {
        None | Some(Class::Space) => spaces_length(text),
        Some(class) => text.len() - after_space.len() + run_length(after_space, class),
    }
}

/// `\s+(?!\S)|\s+`: of a run of white space, the last character belongs to the word that follows, unless it is the only
/// one.
fn spaces_length(text: &str) -> usize {
    let run = &text[..run_length(text, Class::Space)];
    match run.char_indices().next_back() {
        Some((last, _)) if last > 0 && run.len() < text.len() => last,
        _ => run.len(),
    }
}

/// Bytes of the run of this class at the beginning of a text.
fn run_length(text: &str, class: Class) -> usize {
    text.find(|character| Class::of(character) != class).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        words(text).collect()
    }

    #[test]
    fn each_alternative_of_the_pattern_matches() {
        assert_eq!(split(""), [""; 0]);
        assert_eq!(
            split("I'll say it's 42, o'clock!"),
            ["I", "'ll", " say", " it", "'s", " 42", ",", " o", "'", "clock", "!"]
        );
        assert_eq!(split("'re've'm'd't'S 's"), ["'re", "'ve", "'m", "'d", "'t", "'", "S", " '", "s"]);
        assert_eq!(split("a  b \n\n c\t"), ["a", " ", " b", " \n\n", " c", "\t"]);
        assert_eq!(split("\nb\n\u{a0}b "), ["\n", "b", "\n", "\u{a0}", "b", " "]);
    }

    #[test]
    fn letters_and_numbers_are_unicodes() {
        // A combining accent is a mark, no letter; Ⅷ and ² are numbers; ª is a letter.
        assert_eq!(split("e\u{301}té Ⅷ²ª 日本"), ["e", "\u{301}", "té", " Ⅷ²", "ª", " 日本"]);
    }

    /// The class of each character in tiktoken's regex engine.
    #[cfg(not(target_arch = "wasm32"))]
    #[test]
    fn classes_are_those_of_the_regex_crate() {
        let classes = [(r"\A\p{L}\z", Class::Letter), (r"\A\p{N}\z", Class::Number), (r"\A\s\z", Class::Space)];
        let classes = classes.map(|(pattern, class)| (regex::Regex::new(pattern).unwrap(), class));
        for character in '\0'..=char::MAX {
            let text = character.encode_utf8(&mut [0; 4]).to_string();
            let found = classes.iter().find(|(pattern, _)| pattern.is_match(&text)).map(|(_, class)| *class);
            assert_eq!(Class::of(character), found.unwrap_or(Class::Other), "{}", character.escape_unicode());
        }
    }

    #[test]
    fn words_are_those_of_the_pattern() {
        let texts: Vec<Vec<String>> =
            serde_json::from_str(include_str!("../../tests/fixtures/pretokenize.json")).unwrap();
        assert_eq!(texts.len(), 460);
        for expected in texts {
            assert_eq!(split(&expected.concat()), expected);
        }
    }
}
