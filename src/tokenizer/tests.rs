//! Compares the whole tokenizer with a slow and simple twin.

use super::pretokenize::words;
use super::*;
use crate::sampler::random::Pcg32;

/// A model with these characters in this order. The first one is the start token.
pub(super) fn characters(alphabet: &str) -> TokenizerSpec {
    let tokens = alphabet.chars().map(|character| bytes::spell(character.to_string().as_bytes())).collect();
    TokenizerSpec { tokens, merges: Vec::new(), start: 0, end_of_text: None }
}

/// A model with all bytes, the results of these merges, and `<|endoftext|>`.
pub(super) fn byte_pairs(merges: &[&str]) -> TokenizerSpec {
    let merges: Vec<String> = merges.iter().map(|merge| merge.to_string()).collect();
    let mut tokens: Vec<String> = (0..=255).map(|byte| bytes::spell(&[byte])).collect();
    tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
    tokens.push("<|endoftext|>".to_string());
    let end_of_text = tokens.len() as u32 - 1;
    TokenizerSpec { tokens, merges, start: end_of_text, end_of_text: Some(end_of_text) }
}

pub(super) fn tokenizer(spec: TokenizerSpec) -> Tokenizer {
    Tokenizer::new(spec).unwrap()
}

fn error(spec: TokenizerSpec) -> String {
    Tokenizer::new(spec).unwrap_err().to_string()
}

fn decode(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    String::from_utf8(ids.iter().flat_map(|&id| tokenizer.bytes(id).to_vec()).collect()).unwrap()
}

#[test]
fn a_character_is_a_token_without_merges() {
    let tokenizer = tokenizer(characters("\n abé😀"));
    assert_eq!(tokenizer.encode("bé 😀\n").unwrap(), [3, 4, 1, 5, 0]);
    assert_eq!(decode(&tokenizer, &[3, 4, 1, 5, 0]), "bé 😀\n");
    assert_eq!(tokenizer.encode("").unwrap(), [0; 0]);
    assert_eq!(tokenizer.alphabet().unwrap(), "\n abé😀");
    assert_eq!((tokenizer.vocabulary(), tokenizer.len()), (Vocabulary::Characters, 6));
    assert_eq!((tokenizer.start(), tokenizer.end_of_text()), (0, None));
}

#[test]
fn unknown_characters_are_named_once_each_in_order() {
    let tokenizer = tokenizer(characters("ab"));
    let unknown = tokenizer.encode("aébé😀éb").unwrap_err();
    assert_eq!(unknown, TokenizerError::UnknownCharacters { characters: vec!['é', '😀'] });
    assert_eq!(unknown.to_string(), "the model does not know these characters: é, 😀");
    let message = |text: &str| tokenizer.encode(text).unwrap_err().to_string();
    assert_eq!(message("a\tb"), "the model does not know this character: \\t");
    assert_eq!(message("\0 \u{a0}\"'"), "the model does not know these characters: \\0, space, \\u{a0}, \", '");
    let many: String = ('à'..='ÿ').collect();
    assert!(message(&many).ends_with("à, á, â, ã, ä, å, æ, ç, è, é, ê, ë, ì, í, î, ï, ð, ñ, ò, ó and 12 more"));
}

#[test]
fn what_a_tokenizer_was_made_of_comes_back() {
    let spelled = TokenizerSpec { start: 3, ..byte_pairs(&["Ġ t", "h e", "Ġt he", "t h"]) };
    let mut other = byte_pairs(&["a b"]);
    *other.tokens.last_mut().unwrap() = "the end".to_string();
    for spec in [characters("\n abé😀"), spelled, other] {
        assert_eq!(tokenizer(spec.clone()).spec(), spec);
    }
}

#[test]
fn pieces_of_several_characters_decode_but_encode_nothing() {
    let tokenizer = tokenizer(TokenizerSpec {
        tokens: ["a", "b", "ab", "Ã", "<|end of text|>"].map(String::from).to_vec(),
        merges: Vec::new(),
        start: 4,
        end_of_text: Some(4),
    });
    assert_eq!(tokenizer.encode("ab").unwrap(), [0, 1]);
    assert_eq!(tokenizer.bytes(2), b"ab");
    assert_eq!(tokenizer.bytes(3), [0xc3]);
    assert_eq!(tokenizer.alphabet().unwrap(), "ab");
}

#[test]
fn the_end_of_text_is_no_text() {
    let tokenizer = tokenizer(byte_pairs(&["e n", "en d"]));
    let end = tokenizer.end_of_text().unwrap();
    let ids = tokenizer.encode("<|endoftext|>").unwrap();
    assert!(!ids.contains(&end) && ids.contains(&257), "{ids:?}");
    assert_eq!(decode(&tokenizer, &ids), "<|endoftext|>");
    assert_eq!(
        (tokenizer.bytes(end), tokenizer.bytes(end + 1), tokenizer.bytes(u32::MAX)),
        (&[][..], &[][..], &[][..])
    );
    assert_eq!((tokenizer.start(), end, tokenizer.len()), (258, 258, 259));
    assert_eq!((tokenizer.vocabulary(), tokenizer.alphabet()), (Vocabulary::BytePairs, None));
}

#[test]
fn a_missing_byte_is_an_unknown_character() {
    let mut spec = byte_pairs(&["a b"]);
    spec.tokens[0xa9] = "spare".to_string();
    let tokenizer = tokenizer(spec);
    assert_eq!(tokenizer.encode("abè").unwrap(), [256, 0xc3, 0xa8]);
    let unknown = tokenizer.encode("abéè").unwrap_err();
    assert_eq!(unknown, TokenizerError::UnknownCharacters { characters: vec!['é'] });
}

#[test]
fn a_vocabulary_that_does_not_hold_together_is_refused() {
    let spec = |change: fn(&mut TokenizerSpec)| {
        let mut spec = byte_pairs(&["a b", "ab a"]);
        change(&mut spec);
        spec
    };
    let start = spec(|spec| spec.start = 259);
    assert_eq!(error(start), "the tokenizer's start is token 259, expected one of its 259 tokens");
    let end = spec(|spec| spec.end_of_text = Some(300));
    assert_eq!(error(end), "the tokenizer's end_of_text is token 300, expected one of its 259 tokens");
    let none = TokenizerSpec { tokens: Vec::new(), ..characters("a") };
    assert_eq!(error(none), "the tokenizer's start is token 0, expected one of its 0 tokens");
    let raw = spec(|spec| spec.tokens[257] = "a\nb".to_string());
    assert_eq!(error(raw), "token 257 is `a\\nb`, expected characters of GPT-2's byte alphabet");
    let empty = spec(|spec| spec.tokens[257] = String::new());
    assert_eq!(error(empty), "token 257 is ``, expected characters of GPT-2's byte alphabet");
    let twice = spec(|spec| spec.tokens[257] = "a".to_string());
    assert_eq!(error(twice), "tokens 97 and 257 are both `a`");
}

#[test]
fn merges_that_do_not_hold_together_are_refused() {
    let with = |merge: &str| {
        let mut spec = byte_pairs(&["a b", "ab a"]);
        spec.merges.push(merge.to_string());
        error(spec)
    };
    for malformed in ["", "a", "a ", " a", "a  b", "a b c"] {
        assert_eq!(
            with(malformed),
            format!("merge 2 is `{malformed}`, expected two pieces with one space between them")
        );
    }
    assert_eq!(with("abc a"), "merge 2 needs `abc`, which is no token");
    assert_eq!(with("a abc"), "merge 2 needs `abc`, which is no token");
    assert_eq!(with("b a"), "merge 2 needs `ba`, which is no token");
    assert_eq!(with("<|endoftext|> a"), "merge 2 needs `<|endoftext|>`, which is no token");
    assert_eq!(with("a b"), "merges 0 and 2 are both `a b`");
}

/// The textbook's loop: merges the pair of the lowest rank, and of equal ones the leftmost, until there is none.
fn slow_encode(spec: &TokenizerSpec, text: &str) -> Vec<u32> {
    let rank = |pair: &[String]| spec.merges.iter().position(|merge| *merge == pair.join(" "));
    let id = |piece: String| spec.tokens.iter().position(|token| *token == piece).unwrap() as u32;
    let mut ids = Vec::new();
    for word in words(text) {
        let mut pieces: Vec<String> = word.bytes().map(|byte| bytes::spell(&[byte])).collect();
        let best =
            |pieces: &[String]| (0..pieces.len() - 1).filter_map(|at| Some((rank(&pieces[at..at + 2])?, at))).min();
        while let Some((_, at)) = best(&pieces) {
            let right = pieces.remove(at + 1);
            pieces[at] += &right;
        }
        ids.extend(pieces.into_iter().map(id));
    }
    ids
}

/// Merges over few letters. Each merge is of two random pieces that exist by then.
fn random_merges(random: &mut Pcg32) -> Vec<String> {
    let mut pieces: Vec<String> = ["a", "b", "Ġ", "Ã", "©"].map(String::from).to_vec();
    let mut merges: Vec<String> = Vec::new();
    for _ in 0..random.below(30) {
        let [left, right] = [(); 2].map(|()| pieces[random.below(pieces.len() as u32) as usize].clone());
        let piece = format!("{left}{right}");
        if piece.len() < 16 && !pieces.contains(&piece) {
            merges.push(format!("{left} {right}"));
            pieces.push(piece);
        }
    }
    merges
}

#[test]
fn merging_equals_its_slow_twin() {
    let mut random = Pcg32::new(3, 1);
    for _ in 0..300 {
        let merges = random_merges(&mut random);
        // At least one merge, or it would be a character model.
        let spec = byte_pairs(&[&["Ċ Ċ"][..], &merges.iter().map(String::as_str).collect::<Vec<_>>()].concat());
        let tokenizer = tokenizer(spec.clone());
        for _ in 0..20 {
            let letters = ["a", "b", " ", "é", "\n", "aa", "ab", "日"];
            let text: String = (0..random.below(40)).map(|_| letters[random.below(8) as usize]).collect();
            let ids = tokenizer.encode(&text).unwrap();
            assert_eq!(ids, slow_encode(&spec, &text), "{text:?} with {:?}", spec.merges);
            assert_eq!(decode(&tokenizer, &ids), text);
        }
    }
}

#[test]
fn ranks_may_stand_in_any_order() {
    // `ab c` comes before the merge that makes its `ab`, so a new pair must be found in time.
    let spec = byte_pairs(&["ab c", "abc ab", "a b", "b a", "c a"]);
    let tokenizer = tokenizer(spec.clone());
    for text in ["abcabc", "aabcaabb", "cabab", "abcababcabab"] {
        assert_eq!(tokenizer.encode(text).unwrap(), slow_encode(&spec, text), "{text}");
    }
}

#[test]
fn one_letter_repeated_is_merged_in_fewer_than_n_squared_steps() {
    // 1.6 · 10¹³ of them, and this test would not end in a day.
    let tokenizer = tokenizer(byte_pairs(&["a a", "aa aa", "aaaa aaaa", "Ġ Ġ", "ĠĠ ĠĠ"]));
    let letters = tokenizer.encode(&"a".repeat(4_000_003)).unwrap();
    let spaces = tokenizer.encode(&" ".repeat(4_000_003)).unwrap();
    assert_eq!((letters.len(), &letters[499_999..]), (500_002, &[258, 256, 97][..]));
    assert_eq!((spaces.len(), &spaces[999_999..]), (1_000_002, &[260, 259, 32][..]));
}
