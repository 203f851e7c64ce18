//! Keys and values of the tokens that a model has read, so that each is computed once.

use candle_core::{DType, Device, Tensor};

use super::{Config, Result};

/// The keys and values of every block, allocated for a whole context. It owns the position: the next token read
/// stands at [`len`](Self::len).
#[derive(Debug)]
pub struct KvCache {
    blocks: Vec<BlockCache>,
    len: usize,
    context: usize,
}

/// One block's keys and values, each `[heads, context, head_width]`.
#[derive(Debug)]
struct BlockCache {
    keys: Tensor,
    values: Tensor,
}

/// What one block's attention sees of the cache: the rows before, and where the new ones go.
pub struct BlockSlot<'a> {
    cache: &'a BlockCache,
    len: usize,
}

impl KvCache {
    /// An empty cache for a model of this shape.
    pub fn new(config: &Config) -> Result<Self> {
        let shape = (config.heads, config.context, config.head_width());
        let zeros = || Tensor::zeros(shape, DType::F32, &Device::Cpu);
        let block = || Ok(BlockCache { keys: zeros()?, values: zeros()? });
        let blocks = (0..config.layers).map(|_| block()).collect::<Result<_>>()?;
        Ok(KvCache { blocks, len: 0, context: config.context })
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

    /// Forgets every token; the memory is kept.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// The place of block `index`'s next rows.
    pub(super) fn slot(&self, index: usize) -> BlockSlot<'_> {
        BlockSlot { cache: &self.blocks[index], len: self.len }
    }

    /// Counts `rows` tokens as read, once every block has appended them.
    pub(super) fn advance(&mut self, rows: usize) {
        self.len += rows;
    }
}

impl BlockSlot<'_> {
    /// Writes the keys and values of new rows, `[heads, rows, head_width]`, and returns all there are by then,
    /// `[heads, len + rows, head_width]`, as views without a copy.
    pub fn append(&self, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        let rows = keys.dim(1)?;
        self.cache.keys.slice_set(keys, 1, self.len)?;
        self.cache.values.slice_set(values, 1, self.len)?;
        let all = self.len + rows;
        Ok((self.cache.keys.narrow(1, 0, all)?, self.cache.values.narrow(1, 0, all)?))
    }
}
