//! Encodes text as ids, and decodes ids: GPT-2's byte-level BPE.
//!
//! A character model is this BPE with an empty list of merges. Each Unicode character is then one piece, looked up by
//! its spelling in the byte alphabet (`é` is `Ã©`).

use std::collections::HashSet;

use macro_rules_attribute::derive;
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde::{Deserialize, Serialize};

use crate::kernels::memory::{self, OutOfMemory};
use crate::wire::Read;

mod bpe;
pub mod bytes;
mod pretokenize;
mod spans;
mod stream;
mod token_table;

#[cfg(test)]
mod tests;

use bpe::BytePairs;
pub use spans::{SHOWN_TOKENS, Spans, TokenSpan};
pub use stream::Utf8Stream;
use token_table::TokenTable;

/// The kind of a model's tokens. The default settings depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Read!)]
pub enum Vocabulary {
    /// One token per character, as in pearGPT: a tokenizer without merges.
    Characters,
    /// Byte-pair pieces, as in GPT-2.
    BytePairs,
}

/// The tokenizer's data in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerSpec {
    /// Each id's piece, spelled in GPT-2's byte alphabet (`Ġthe`, `Ċ`).
    pub tokens: Vec<String>,
    /// Merges in order of rank, two pieces with a space between them. If there are none, each character is a token.
    pub merges: Vec<String>,
    /// The id that a text without a prompt starts from.
    pub start: u32,
    /// The id of `<|endoftext|>`, if there is one.
    pub end_of_text: Option<u32>,
}

impl TokenizerSpec {
    /// One token for each of these characters. A text starts from a newline, or without one from the first character.
    pub fn of_characters(alphabet: &[char]) -> Self {
        let start = alphabet.iter().position(|&character| character == '\n').unwrap_or(0) as u32;
        let tokens = alphabet.iter().map(|character| bytes::spell(character.to_string().as_bytes())).collect();
        TokenizerSpec { tokens, merges: Vec::new(), start, end_of_text: None }
    }
}

/// The tokenizer is inconsistent, or cannot encode a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenizerError {
    /// `start` or `end_of_text` is not an id.
    #[error("the tokenizer's {name} is token {id}, expected one of its {count} tokens")]
    Id {
        /// The field of [`TokenizerSpec`].
        name: &'static str,
        /// The value of the field.
        id: u32,
        /// Tokens there are.
        count: usize,
    },
    /// A piece is empty, or has a character that is not in the byte alphabet.
    #[error("token {id} is `{}`, expected characters of GPT-2's byte alphabet", piece.escape_debug())]
    Spelling {
        /// The token.
        id: usize,
        /// Its piece.
        piece: String,
    },
    /// Two ids have the same piece.
    #[error("tokens {first} and {second} are both `{}`", piece.escape_debug())]
    RepeatedPiece {
        /// The lower id.
        first: u32,
        /// The higher id.
        second: u32,
        /// Their piece.
        piece: String,
    },
    /// A merge is not of the form `left right`.
    #[error("merge {rank} is `{}`, expected two pieces with one space between them", merge.escape_debug())]
    Merge {
        /// Its index in the list.
        rank: usize,
        /// The text of the merge.
        merge: String,
    },
    /// A piece of a merge, or its result, is not a token.
    #[error("merge {rank} needs `{}`, which is no token", piece.escape_debug())]
    MergePiece {
        /// Its index in the list.
        rank: usize,
        /// The missing piece.
        piece: String,
    },
    /// A merge is in the list twice.
    #[error("merges {first} and {rank} are both `{}`", merge.escape_debug())]
    RepeatedMerge {
        /// Its second index in the list.
        rank: usize,
        /// Its first index.
        first: usize,
        /// The merge.
        merge: String,
    },
    /// A text has characters that are not in the vocabulary.
    #[error("the model does not know {}", listed(characters))]
    UnknownCharacters {
        /// Each of them once, in order of appearance.
        characters: Vec<char>,
    },
    /// There is no memory for a text's ids.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
}

/// Characters that a message names one by one.
const LISTED: usize = 20;

/// `these characters: é, \t, space and 3 more`.
fn listed(characters: &[char]) -> String {
    let noun = if characters.len() == 1 { "this character" } else { "these characters" };
    let names: Vec<String> = characters.iter().take(LISTED).map(|&character| shown(character)).collect();
    let more = match characters.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{noun}: {}{more}", names.join(", "))
}

/// A character as a message shows it; an invisible one is escaped.
fn shown(character: char) -> String {
    match character {
        ' ' => "space".to_string(),
        '\'' | '"' | '\\' => character.to_string(),
        _ => character.escape_debug().to_string(),
    }
}

/// How a text is split into pieces.
#[derive(Clone, Debug)]
enum Encoder {
    Characters(FxHashMap<char, u32>),
    BytePairs(BytePairs),
}

/// Turns text into ids and ids into bytes.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    pieces: TokenTable,
    encoder: Encoder,
    start: u32,
    /// Its id, and its spelling in the file.
    end_of_text: Option<(u32, String)>,
}

impl Tokenizer {
    /// Checks the data of a file, and prepares it for use.
    ///
    /// All pieces must be spelled in the byte alphabet, and differ from each other. Only `<|endoftext|>` may have any
    /// spelling, since it stands for no text. A byte-pair vocabulary may lack some of the 256 byte pieces, as long as
    /// no text needs them.
    pub fn new(spec: TokenizerSpec) -> Result<Tokenizer, TokenizerError> {
        check_ids(&spec)?;
        let pieces = TokenTable::read(&spec)?;
        let ids = ids_by_piece(&spec)?;
        let encoder = if spec.merges.is_empty() {
            let characters = pieces.iter().zip(0..).filter_map(|(piece, id)| Some((single_character(piece)?, id)));
            Encoder::Characters(characters.collect())
        } else {
            Encoder::BytePairs(BytePairs::new(&spec.merges, &ids)?)
        };
        let end_of_text = spec.end_of_text.map(|id| (id, spec.tokens[id as usize].clone()));
        Ok(Tokenizer { pieces, encoder, start: spec.start, end_of_text })
    }

    /// The data of a file from which this tokenizer was made.
    pub fn spec(&self) -> TokenizerSpec {
        let mut tokens: Vec<String> = self.pieces.iter().map(bytes::spell).collect();
        if let Some((id, spelling)) = &self.end_of_text {
            tokens[*id as usize].clone_from(spelling);
        }
        let merges = match &self.encoder {
            Encoder::Characters(_) => Vec::new(),
            Encoder::BytePairs(pairs) => pairs.merges(&tokens),
        };
        TokenizerSpec { tokens, merges, start: self.start, end_of_text: self.end_of_text() }
    }

    /// The ids of a text. In it, `<|endoftext|>` is ordinary text, as in tiktoken's `encode_ordinary`.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let ids = match &self.encoder {
            Encoder::Characters(ids) => encode_characters(ids, text)?,
            Encoder::BytePairs(pairs) => pairs.encode(text)?,
        };
        match ids {
            Some(ids) => Ok(ids),
            None => Err(TokenizerError::UnknownCharacters { characters: self.unknown_characters(text)? }),
        }
    }

    /// Splits a text after a word, at `length` bytes or soon after. The ids of both parts, joined, are the ids of the
    /// text. It is for callers that have to pause while they encode.
    pub fn cut<'a>(&self, text: &'a str, length: usize) -> (&'a str, &'a str) {
        pretokenize::cut(text, length)
    }

    fn unknown_characters(&self, text: &str) -> Result<Vec<char>, OutOfMemory> {
        /// Bytes of a character in a set and in a list, which may be moved when they grow.
        const BYTES: usize = 32;
        memory::ensure((text.len().min(char::MAX as usize) * BYTES) as u64)?;
        let knows = |character: &char| match &self.encoder {
            Encoder::Characters(ids) => ids.contains_key(character),
            Encoder::BytePairs(pairs) => pairs.knows(*character),
        };
        let mut seen = HashSet::new();
        Ok(text.chars().filter(|character| !knows(character) && seen.insert(*character)).collect())
    }

    /// The bytes of an id: part of a character, or several characters. Empty for `<|endoftext|>`, and for an invalid
    /// id. [`Utf8Stream`] decodes them.
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.pieces.get(id as usize).unwrap_or_default()
    }

    /// The id that a text without a prompt starts from.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// The id of `<|endoftext|>`, if there is one.
    pub fn end_of_text(&self) -> Option<u32> {
        self.end_of_text.as_ref().map(|(id, _)| *id)
    }

    /// The kind of the tokens.
    pub fn vocabulary(&self) -> Vocabulary {
        match self.encoder {
            Encoder::Characters(_) => Vocabulary::Characters,
            Encoder::BytePairs(_) => Vocabulary::BytePairs,
        }
    }

    /// For a character model: every character that it knows, in order of ids.
    pub fn alphabet(&self) -> Option<String> {
        match self.encoder {
            Encoder::Characters(_) => Some(self.pieces.iter().filter_map(single_character).collect()),
            Encoder::BytePairs(_) => None,
        }
    }

    /// Number of tokens, which is more than every id.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Always `false`: there is a start token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An id for each character; `None` if a character has none.
fn encode_characters(ids: &FxHashMap<char, u32>, text: &str) -> Result<Option<Vec<u32>>, OutOfMemory> {
    let mut encoded = Vec::new();
    memory::reserve(&mut encoded, text.chars().count())?;
    for character in text.chars() {
        let Some(id) = ids.get(&character) else { return Ok(None) };
        encoded.push(*id);
    }
    Ok(Some(encoded))
}

fn check_ids(spec: &TokenizerSpec) -> Result<(), TokenizerError> {
    let count = spec.tokens.len();
    let named = [("start", Some(spec.start)), ("end_of_text", spec.end_of_text)];
    match named.into_iter().find_map(|(name, id)| Some((name, id.filter(|&id| id as usize >= count)?))) {
        Some((name, id)) => Err(TokenizerError::Id { name, id, count }),
        None => Ok(()),
    }
}

/// The id of each piece by its spelling, except that of `<|endoftext|>`.
fn ids_by_piece(spec: &TokenizerSpec) -> Result<FxHashMap<&str, u32>, TokenizerError> {
    let mut ids = FxHashMap::with_capacity_and_hasher(spec.tokens.len(), FxBuildHasher);
    for (piece, second) in spec.tokens.iter().zip(0..) {
        if let Some(first) = ids.insert(piece.as_str(), second) {
            return Err(TokenizerError::RepeatedPiece { first, second, piece: piece.clone() });
        }
    }
    if let Some(piece) = spec.end_of_text.and_then(|id| spec.tokens.get(id as usize)) {
        ids.remove(piece.as_str());
    }
    Ok(ids)
}

/// The character that these bytes are, if they are exactly one.
fn single_character(piece: &[u8]) -> Option<char> {
    let mut characters = std::str::from_utf8(piece).ok()?.chars();
    characters.next().filter(|_| characters.next().is_none())
}
