//! Encodes bytes as ids: merges pairs of tokens, lowest rank first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::TokenizerError;
use super::bytes;
use super::pretokenize::words;
use crate::kernels::memory::{self, OutOfMemory};

/// The token that two neighbouring tokens become, and the rank of that merge.
#[derive(Clone, Copy, Debug)]
struct Merge {
    rank: u32,
    id: u32,
}

/// The merges of a vocabulary.
#[derive(Clone, Debug)]
pub(super) struct BytePairs {
    /// The token of each byte, if the vocabulary has one.
    bytes: Vec<Option<u32>>,
    /// No two pairs have the same rank.
    merges: FxHashMap<(u32, u32), Merge>,
}

impl BytePairs {
    /// Reads merges over pieces with these `ids`. A merge is two spelled pieces with a space between them; the merges
    /// are in order of rank.
    pub(super) fn new(merges: &[String], ids: &FxHashMap<&str, u32>) -> Result<Self, TokenizerError> {
        let bytes = (0..=255).map(|byte| ids.get(bytes::spell(&[byte]).as_str()).copied()).collect();
        let mut pairs = FxHashMap::with_capacity_and_hasher(merges.len(), FxBuildHasher);
        let mut joined = String::new();
        for (rank, merge) in merges.iter().enumerate() {
            let (left, right) = halves(merge).ok_or_else(|| TokenizerError::Merge { rank, merge: merge.clone() })?;
            let id_of = |piece: &str| {
                ids.get(piece).copied().ok_or_else(|| TokenizerError::MergePiece { rank, piece: piece.to_string() })
            };
            let pair = (id_of(left)?, id_of(right)?);
            joined.clear();
            joined.extend([left, right]);
            let id = id_of(&joined)?;
            if let Some(first) = pairs.insert(pair, Merge { rank: rank as u32, id }) {
                return Err(TokenizerError::RepeatedMerge { rank, first: first.rank as usize, merge: merge.clone() });
            }
        }
        Ok(BytePairs { bytes, merges: pairs })
    }

    /// The merges in order of rank, spelled by these tokens.
    pub(super) fn merges(&self, tokens: &[String]) -> Vec<String> {
        let mut ranked: Vec<_> = self.merges.iter().map(|(pair, merge)| (merge.rank, pair)).collect();
        ranked.sort_unstable();
        let spelled = |&(left, right): &(u32, u32)| format!("{} {}", tokens[left as usize], tokens[right as usize]);
        ranked.into_iter().map(|(_, pair)| spelled(pair)).collect()
    }

    /// Whether each byte of this character has a token.
    pub(super) fn knows(&self, character: char) -> bool {
        character.encode_utf8(&mut [0; 4]).bytes().all(|byte| self.bytes[usize::from(byte)].is_some())
    }

    /// The ids of a text; `None` where a byte has no token.
    pub(super) fn encode(&self, text: &str) -> Result<Option<Vec<u32>>, OutOfMemory> {
        let mut ids = Vec::new();
        // For each word that came before, the range of its ids, since most words of a text are repetitions.
        let mut known: FxHashMap<&str, Range<usize>> = FxHashMap::default();
        let (mut chain, mut queue) = (Chain::default(), BinaryHeap::new());
        for word in words(text) {
            memory::reserve(&mut ids, word.len())?;
            if let Some(place) = known.get(word) {
                ids.extend_from_within(place.clone());
                continue;
            }
            let start = ids.len();
            reserve(&mut chain, &mut queue, &mut known, word)?;
            if chain.fill(word.bytes().map(|byte| self.bytes[usize::from(byte)])).is_none() {
                return Ok(None);
            }
            self.merge(&mut chain, &mut queue);
            ids.extend(chain.ids());
            known.insert(word, start..ids.len());
        }
        Ok(Some(ids))
    }

    /// Merges the pair of the lowest rank, and of equal ones the leftmost, until no pair is left. For n bytes it takes
    /// n log n steps. The textbook's loop takes n², and a prompt may be 100,000 spaces.
    fn merge(&self, chain: &mut Chain, queue: &mut BinaryHeap<Reverse<(u32, usize)>>) {
        let candidate = |chain: &Chain, at| self.merge_at(chain, at).map(|merge| Reverse((merge.rank, at)));
        queue.extend((0..chain.links.len()).filter_map(|at| candidate(chain, at)));
        while let Some(Reverse((rank, at))) = queue.pop() {
            // Entries stay in the queue when a neighbour changes. An entry is valid if its rank is still that of the
            // pair.
            let Some(merge) = self.merge_at(chain, at).filter(|merge| merge.rank == rank) else { continue };
            chain.absorb_next(at, merge.id);
            let before = chain.links[at].previous;
            queue.extend([before, at].into_iter().filter_map(|at| candidate(chain, at)));
        }
    }

    /// The merge of the link at `at` with the next one, if there is one.
    fn merge_at(&self, chain: &Chain, at: usize) -> Option<Merge> {
        let left = chain.links.get(at)?;
        let right = chain.links.get(left.next)?;
        self.merges.get(&(left.id, right.id)).copied()
    }
}

/// Reserves memory for one more word: its links, a place in the queue for each link and two for each merge, and its
/// entry.
fn reserve(
    chain: &mut Chain,
    queue: &mut BinaryHeap<Reverse<(u32, usize)>>,
    known: &mut FxHashMap<&str, Range<usize>>,
    word: &str,
) -> Result<(), OutOfMemory> {
    chain.links.clear();
    memory::reserve(&mut chain.links, word.len())?;
    if queue.capacity() < 3 * word.len() {
        memory::ensure((3 * word.len() * size_of::<(u32, usize)>()) as u64)?;
        queue.reserve(3 * word.len());
    }
    if known.len() == known.capacity() {
        // Twice as many entries, each with a byte that says whether it is used; at most half of them are empty.
        memory::ensure((4 * known.capacity().max(16) * (size_of::<(&str, Range<usize>)>() + 1)) as u64)?;
        known.reserve(1);
    }
    Ok(())
}

/// The two pieces of `left right`.
fn halves(merge: &str) -> Option<(&str, &str)> {
    let (left, right) = merge.split_once(' ')?;
    (!left.is_empty() && !right.is_empty() && !right.contains(' ')).then_some((left, right))
}

/// The index of no link.
const END: usize = usize::MAX;

/// The tokens of one word as a linked list, so that a merge moves no token.
#[derive(Default)]
struct Chain {
    links: Vec<Link>,
}

/// A token. One that has been absorbed has no `next`, so that nothing merges with it.
struct Link {
    id: u32,
    previous: usize,
    next: usize,
}

impl Chain {
    /// Replaces the tokens. `None` if one of them is missing.
    fn fill(&mut self, ids: impl Iterator<Item = Option<u32>>) -> Option<()> {
        self.links.clear();
        for (at, id) in ids.enumerate() {
            self.links.push(Link { id: id?, previous: at.checked_sub(1).unwrap_or(END), next: at + 1 });
        }
        self.links.last_mut()?.next = END;
        Some(())
    }

    /// Turns the link at `at` and the next one into one token.
    fn absorb_next(&mut self, at: usize, id: u32) {
        let absorbed = self.links[at].next;
        let next = std::mem::replace(&mut self.links[absorbed].next, END);
        self.links[at] = Link { id, next, ..self.links[at] };
        if let Some(next) = self.links.get_mut(next) {
            next.previous = at;
        }
    }

    /// The tokens, first to last.
    fn ids(&self) -> impl Iterator<Item = u32> {
        std::iter::successors(self.links.first(), |link| self.links.get(link.next)).map(|link| link.id)
    }
}
