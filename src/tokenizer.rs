//! Text ↔ ids: GPT-2's byte-level BPE.

/// What a file says of its tokenizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerSpec {
    /// Each id's piece, spelled in GPT-2's byte alphabet (`Ġthe`, `Ċ`).
    pub tokens: Vec<String>,
    /// Merges in order of rank, two pieces with a space between them; none: one token per character.
    pub merges: Vec<String>,
    /// The id that a text without a prompt starts from.
    pub start: u32,
    /// The id of `<|endoftext|>`, where there is one.
    pub end_of_text: Option<u32>,
}
