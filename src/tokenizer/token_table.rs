//! The bytes of each id.

use super::bytes::unspell;
use super::{TokenizerError, TokenizerSpec};

/// The bytes of each id, in one vector, since 50,000 allocations take time. `<|endoftext|>` has none.
#[derive(Clone, Debug)]
pub(super) struct TokenTable {
    bytes: Vec<u8>,
    /// Where each id's bytes begin, and at last where the last id's end.
    starts: Vec<usize>,
}

impl TokenTable {
    /// Reads the spellings of all tokens.
    pub fn read(spec: &TokenizerSpec) -> Result<Self, TokenizerError> {
        let spelled = spec.tokens.iter().map(String::len).sum();
        let (mut bytes, mut starts) = (Vec::with_capacity(spelled), Vec::with_capacity(spec.tokens.len() + 1));
        for (id, piece) in spec.tokens.iter().enumerate() {
            let start = bytes.len();
            starts.push(start);
            if spec.end_of_text != Some(id as u32) && (!unspell(piece, &mut bytes) || bytes.len() == start) {
                return Err(TokenizerError::Spelling { id, piece: piece.clone() });
            }
        }
        starts.push(bytes.len());
        Ok(TokenTable { bytes, starts })
    }

    /// Ids there are.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The bytes of an id; `None` for an invalid id.
    pub fn get(&self, id: usize) -> Option<&[u8]> {
        let &[start, end] = self.starts.get(id..)?.first_chunk()?;
        self.bytes.get(start..end)
    }

    /// The bytes of each id.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.starts.windows(2).map(|ends| &self.bytes[ends[0]..ends[1]])
    }
}
