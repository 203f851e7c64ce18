//! GPT-2's vocabulary and merges, from `tiktoken-rs`.

use anyhow::{Result, ensure};
use peargpt::tokenizer::TokenizerSpec;
use peargpt::tokenizer::bytes::spell;
use rustc_hash::FxHashMap;
use tiktoken_rs::byte_pair_split;

/// Ids below this are single bytes.
const BYTES: usize = 256;

/// The first `size − 1` of GPT-2's tokens and `<|endoftext|>`, which is the last; 50257 are all.
///
/// tiktoken lists pieces in order of rank, without the two that each is merged of. Those are what byte pair encoding
/// leaves of the piece with the pieces before it.
pub fn gpt2(size: usize) -> Result<TokenizerSpec> {
    ensure!((BYTES + 1..=50257).contains(&size), "GPT-2's vocabulary has 50257 tokens, {size} were asked for");
    let pieces = pieces(size - 1)?;
    let mut tokens: Vec<String> = pieces.iter().map(|piece| spell(piece)).collect();
    tokens.push("<|endoftext|>".to_string());
    let end_of_text = size as u32 - 1;
    Ok(TokenizerSpec { tokens, merges: merges(pieces)?, start: end_of_text, end_of_text: Some(end_of_text) })
}

fn pieces(count: usize) -> Result<Vec<Vec<u8>>> {
    let encoding = tiktoken_rs::r50k_base()?;
    Ok((0..count as u32).map(|id| encoding.decode_bytes(&[id])).collect::<Result<_, _>>()?)
}

fn merges(pieces: Vec<Vec<u8>>) -> Result<Vec<String>> {
    let mut ranks = FxHashMap::default();
    let mut merges = Vec::with_capacity(pieces.len().saturating_sub(BYTES));
    for (rank, piece) in pieces.into_iter().enumerate() {
        if rank >= BYTES {
            let halves = byte_pair_split(&piece, &ranks);
            ensure!(halves.len() == 2, "token {rank} is merged of {} pieces, expected 2", halves.len());
            merges.push(format!("{} {}", spell(halves[0]), spell(halves[1])));
        }
        ranks.insert(piece, rank as u32);
    }
    Ok(merges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FILES;
    use peargpt::app::catalog::sha256;
    use peargpt::tokenizer::Tokenizer;

    #[test]
    fn ids_are_tiktokens() {
        let tiktoken = tiktoken_rs::r50k_base().unwrap();
        let tokenizer = Tokenizer::new(gpt2(50257).unwrap()).unwrap();
        let book = include_str!("../../../README.md").to_string() + include_str!("../../../src/tokenizer/tests.rs");
        let characters: Vec<char> = book.chars().chain("日本語 naïve Ωμέγα 🐶👩‍👩‍👧 \u{a0}\t\r\n".chars()).collect();
        for start in (0..characters.len() - 60).step_by(97) {
            // Pieces that begin and end anywhere, and repeats of their first character.
            let mut text: String = characters[start..start + 20 + start % 40].iter().collect();
            text.extend(std::iter::repeat_n(characters[start], start % 13));
            text.extend(characters[characters.len() - 1 - start % 25..].iter());
            assert_eq!(tokenizer.encode(&text).unwrap(), tiktoken.encode_ordinary(&text), "{text:?}");
        }
    }

    /// As Python's `json.dumps` writes it, which is how OpenAI did.
    fn json(piece: &str) -> String {
        let escaped = piece.replace('\\', "\\\\").replace('"', "\\\"");
        let escape = |character: char| match character.is_ascii() {
            true => character.to_string(),
            false => format!("\\u{:04x}", character as u32),
        };
        format!("\"{}\"", escaped.chars().map(escape).collect::<String>())
    }

    #[test]
    fn tokens_and_merges_are_byte_for_byte_the_published_files() {
        let spec = gpt2(50257).unwrap();
        let tokens: Vec<String> =
            spec.tokens.iter().enumerate().map(|(id, piece)| format!("{}: {id}", json(piece))).collect();
        let files = [
            ("vocab.json", format!("{{{}}}", tokens.join(", "))),
            ("merges.txt", format!("#version: 0.2\n{}\n", spec.merges.join("\n"))),
        ];
        for (name, text) in files {
            let published = FILES.iter().find(|file| file.name == name).unwrap();
            assert_eq!(
                (text.len() as u64, sha256(text.as_bytes()).as_str()),
                (published.bytes, published.sha256),
                "{name}"
            );
        }
    }

    #[test]
    fn a_smaller_vocabulary_is_its_beginning() {
        let (small, all) = (gpt2(1000).unwrap(), gpt2(50257).unwrap());
        assert_eq!(small.tokens[..999], all.tokens[..999]);
        assert_eq!((small.end_of_text, small.merges.len()), (Some(999), 743));
        assert!(gpt2(256).is_err() && gpt2(50258).is_err());
        Tokenizer::new(small).unwrap();
    }
}
