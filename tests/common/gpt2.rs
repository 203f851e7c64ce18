//! GPT-2's vocabulary, from tiktoken's ranks: OpenAI's `vocab.json` and `merges.txt` in another form.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;

use peargpt::tokenizer::{TokenizerSpec, bytes};
use tiktoken_rs::CoreBPE;

/// `<|endoftext|>`, the last token.
const END_OF_TEXT: u32 = 50_256;

/// The vocabulary as a model file would hold it.
pub fn vocabulary(tiktoken: &CoreBPE) -> TokenizerSpec {
    let pieces: Vec<Vec<u8>> = (0..END_OF_TEXT).map(|id| tiktoken.decode_bytes(&[id]).unwrap()).collect();
    let ranks: HashMap<&[u8], usize> = pieces.iter().map(Vec::as_slice).zip(0..).collect();
    let merges = (256..pieces.len()).map(|rank| merge(&ranks, &pieces[rank], rank)).collect();
    let mut tokens: Vec<String> = pieces.iter().map(|piece| bytes::spell(piece)).collect();
    tokens.push("<|endoftext|>".to_string());
    TokenizerSpec { tokens, merges, start: END_OF_TEXT, end_of_text: Some(END_OF_TEXT) }
}

/// The merge that makes the token of this rank: what the lower ones leave of its bytes are two pieces.
fn merge(ranks: &HashMap<&[u8], usize>, piece: &[u8], rank: usize) -> String {
    let mut cuts: Vec<usize> = (0..=piece.len()).collect();
    let lower = |ends: &[usize]| ranks.get(&piece[ends[0]..ends[2]]).copied().filter(|&lower| lower < rank);
    while let Some((_, at)) = cuts.windows(3).zip(1..).filter_map(|(ends, at)| Some((lower(ends)?, at))).min() {
        cuts.remove(at);
    }
    let [start, middle, end] = cuts[..] else { panic!("token {rank} is made of {} pieces", cuts.len() - 1) };
    format!("{} {}", bytes::spell(&piece[start..middle]), bytes::spell(&piece[middle..end]))
}
