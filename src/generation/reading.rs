//! Reads the ids of a window into a cache: a tile through a block at a time.

use candle_core::{Device, Tensor};

use crate::model::{Gpt, KvCache, ModelError, Observer, Outputs, Part, Pass};

/// Tokens that pass a block together, so that each weight is read once for all of them. A step takes a tile through one
/// block only, so that a Stop of the reader takes effect soon.
pub const TILE: usize = 128;

/// Rows whose logits are all wanted pass in smaller tiles: those of 128 rows of GPT-2 take 26 MB.
const TILE_WITH_LOGITS: usize = 32;

/// A window of a text, as far as it has been read.
#[derive(Debug)]
pub struct Reading {
    cache: KvCache,
    /// The ids that are being read into the cache.
    pass: Option<Pass>,
}

impl Reading {
    /// Nothing read yet; with these parts of the model switched off.
    pub fn new(gpt: &Gpt, off: &[Part]) -> Result<Self, ModelError> {
        Ok(Reading { cache: gpt.new_cache_without(off)?, pass: None })
    }

    /// Takes the next tile of `ids`, the window's, through one block, or a single id, which is the last, through all. Returns
    /// the pass of a tile that is through; then its ids are in the cache. Some ids must still be unread.
    pub fn step(&mut self, gpt: &Gpt, ids: &[u32], wanted: Outputs) -> Result<Option<Pass>, ModelError> {
        let mut pass = match self.pass.take().filter(|_| gpt.has(&self.cache)) {
            Some(pass) => pass,
            None => self.begin(gpt, ids, wanted)?,
        };
        let left = ids.len() - self.cache.len();
        while !gpt.next_block(&mut pass, &mut self.cache)? {
            if left > 1 {
                self.pass = Some(pass);
                return Ok(None);
            }
        }
        Ok(Some(pass))
    }

    fn begin(&mut self, gpt: &Gpt, ids: &[u32], wanted: Outputs) -> Result<Pass, ModelError> {
        // Other threads have read something else meanwhile; the same is read again.
        if !gpt.has(&self.cache) {
            self.cache.clear();
        }
        let (begin, tile) = (self.cache.len(), if wanted == Outputs::All { TILE_WITH_LOGITS } else { TILE });
        gpt.begin(&ids[begin..ids.len().min(begin + tile)], &self.cache, wanted)
    }

    /// Shows an observer the row of `id` at this position, which has been read or is the next to be, and returns its logits,
    /// `[1, 1, vocabulary]`. What has been read stays as it is.
    pub fn look(
        &mut self,
        gpt: &Gpt,
        id: u32,
        position: usize,
        observer: &mut dyn Observer,
    ) -> Result<Tensor, ModelError> {
        let row = Tensor::from_slice(&[id], (1, 1), &Device::Cpu)?;
        if gpt.threads() > 1 {
            // Other threads forget a pass when another begins.
            self.pass = None;
        }
        if !gpt.has(&self.cache) {
            self.cache.clear();
        }
        if position != self.cache.len() {
            return gpt.read_again(&row, position, &self.cache, Some(observer));
        }
        let logits = gpt.forward_observed(&row, Some(&mut self.cache), observer);
        self.cache.truncate(position);
        logits
    }

    /// How many rows have passed how many of so many blocks, multiplied.
    pub fn rows_done(&self, layers: usize) -> usize {
        self.cache.len() * layers + self.pass.as_ref().map_or(0, |pass| pass.tokens() * pass.blocks())
    }

    /// Whether so many of the window's ids have been read, and every thread has them.
    pub fn has(&self, gpt: &Gpt, ids: usize) -> bool {
        ids == 0 || self.cache.len() >= ids && gpt.has(&self.cache)
    }

    /// Keys and values of what has been read.
    pub fn cache(&self) -> &KvCache {
        &self.cache
    }

    /// Goes back to the first `len` ids.
    pub fn truncate(&mut self, len: usize) {
        self.pass = None;
        self.cache.truncate(len);
    }
}
