//! Keys and values of the tokens that a model has read. Each is computed once.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Config, ModelError, Part, Result};
use crate::kernels::{BlockCache, Heads};

/// The keys and values of every block, allocated for a whole context. The number of tokens in it, [`len`](Self::len),
/// is the position of the next one.
#[derive(Debug)]
pub struct KvCache {
    /// Tells caches of this process apart.
    number: usize,
    blocks: Vec<BlockCache>,
    len: usize,
    context: usize,
    /// What is switched off where these keys and values are computed and used.
    off: Vec<Part>,
}

impl KvCache {
    /// An empty cache for so many blocks of this shape: in float32, or with keys in 8 bits and values in
    /// bfloat16.
    pub(super) fn new(layers: usize, heads: Heads, is_quantised: bool) -> Result<Self> {
        static NUMBERS: AtomicUsize = AtomicUsize::new(0);
        let block = |_| Ok(BlockCache::new(heads, is_quantised)?);
        let blocks = (0..layers).map(block).collect::<Result<_>>()?;
        Ok(KvCache {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            blocks,
            len: 0,
            context: heads.context,
            off: Vec::new(),
        })
    }

    /// Tells caches of this process apart.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Tokens in the cache, which is also the position of the next one.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token has been read.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tokens that still fit.
    pub fn room(&self) -> usize {
        self.context - self.len
    }

    /// Forgets the tokens behind the first `len`; the memory is kept.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Forgets every token; the memory is kept.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// The parts of the model that are switched off in every pass with this cache.
    pub fn off(&self) -> &[Part] {
        &self.off
    }

    /// Switches these parts off, and forgets every token.
    pub(super) fn switch_off(&mut self, config: &Config, parts: &[Part]) -> Result<()> {
        let (layers, heads) = (config.layers, config.heads);
        let is_there = |part: &Part| {
            let head = if let Part::Head { head, .. } = part { *head } else { 0 };
            (part.layer() as usize) < layers && (head as usize) < heads
        };
        if let Some(part) = parts.iter().copied().find(|part| !is_there(part)) {
            return Err(ModelError::Part { part, layers, heads });
        }
        self.clear();
        self.off = parts.to_vec();
        Ok(())
    }

    /// Switches off what the thread that leads has switched off.
    pub(super) fn set_off(&mut self, off: Vec<Part>) {
        self.off = off;
    }

    /// Sets the number of tokens, which the thread that leads has counted.
    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len.min(self.context);
    }

    /// Counts so many more rows, after every block has their keys and values.
    pub(super) fn advance(&mut self, rows: usize) {
        self.len += rows;
    }

    pub(super) fn block(&self, index: usize) -> Result<&BlockCache> {
        let layers = self.blocks.len();
        self.blocks.get(index).ok_or(ModelError::Cache { layers })
    }

    pub(super) fn block_mut(&mut self, index: usize) -> Result<&mut BlockCache> {
        let layers = self.blocks.len();
        self.blocks.get_mut(index).ok_or(ModelError::Cache { layers })
    }
}
