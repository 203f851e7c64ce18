//! Keys and values of the tokens that a model has read, so that each is computed once.

use std::cell::RefCell;

use candle_core::{DType, Device, Tensor};

use super::workspace::Workspace;
use super::{Config, Result};
use crate::kernels::{Attend, Heads, Keep, Keys, Scratch};

/// The keys and values of every block, allocated for a whole context. It owns the position: the next token read
/// stands at [`len`](Self::len).
#[derive(Debug)]
pub struct KvCache {
    blocks: Vec<BlockCache>,
    len: usize,
    heads: Heads,
    config: Config,
    /// For as many rows as were read last.
    workspace: Workspace,
    /// Where those are on their way.
    next_block: Option<usize>,
    wanted: Wanted,
}

/// The rows that are looked at behind the last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The last of those that were read together: the others only leave their keys and values there.
    Last,
    /// Each.
    All,
}

/// One block's keys, and its values, `[heads, context, row]`.
#[derive(Debug)]
struct BlockCache {
    keys: RefCell<Keys>,
    values: Tensor,
}

/// What one block's attention sees of the cache: the rows before, and where the new ones go.
pub struct BlockSlot<'a> {
    cache: &'a BlockCache,
    heads: Heads,
    len: usize,
}

impl KvCache {
    /// An empty cache for `context` tokens of a model of this shape: in float32, or with keys in 8 bits and values in
    /// bfloat16.
    pub(super) fn new(config: &Config, context: usize, is_quantised: bool) -> Result<Self> {
        let heads = Heads { count: config.heads, width: config.head_width(), context };
        let blocks = (0..config.layers).map(|_| BlockCache::new(&heads, is_quantised)).collect::<Result<_>>()?;
        let workspace = Workspace::new(config, 1)?;
        Ok(KvCache { blocks, len: 0, heads, config: config.clone(), workspace, next_block: None, wanted: Wanted::All })
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
        self.heads.context - self.len
    }

    /// Forgets every token; the memory is kept.
    pub fn clear(&mut self) {
        (self.len, self.next_block) = (0, None);
    }

    /// Rows begin their way through the blocks, at whose end these will be asked for; those that had begun before are
    /// forgotten.
    pub(super) fn begin(&mut self, rows: usize, wanted: Wanted) -> Result<()> {
        if self.workspace.rows() != rows {
            self.workspace = Workspace::new(&self.config, rows)?;
        }
        (self.next_block, self.wanted) = (Some(0), wanted);
        Ok(())
    }

    /// The rows that go on from the attention of block `index`.
    pub(super) fn wanted(&self, index: usize) -> Wanted {
        let is_last_block = index + 1 == self.blocks.len();
        if is_last_block && self.workspace.rows() > 1 { self.wanted } else { Wanted::All }
    }

    /// The block that the rows come to next, if some are on their way.
    pub fn next_block(&self) -> Option<usize> {
        self.next_block
    }

    /// The tensors that new rows pass through.
    pub(super) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The place of block `index`'s next rows.
    pub(super) fn slot(&self, index: usize) -> BlockSlot<'_> {
        BlockSlot { cache: &self.blocks[index], heads: self.heads, len: self.len }
    }

    /// Counts a block as passed, and after the last one the rows as read.
    pub(super) fn advance(&mut self) {
        self.next_block = self.next_block.map(|index| index + 1).filter(|index| *index < self.blocks.len());
        if self.next_block.is_none() {
            self.len += self.workspace.rows();
        }
    }
}

impl BlockCache {
    fn new(heads: &Heads, is_quantised: bool) -> Result<Self> {
        let full =
            || candle_core::Error::Msg(format!("the keys of {} tokens take more than there is memory", heads.context));
        let (keys, dtype) = match is_quantised {
            true => (Keys::q8(heads).ok_or_else(full)?, DType::BF16),
            false => (Keys::plain(heads), DType::F32),
        };
        let values = Tensor::zeros((heads.count, heads.context, heads.row()), dtype, &Device::Cpu)?;
        Ok(BlockCache { keys: RefCell::new(keys), values })
    }
}

impl BlockSlot<'_> {
    /// Writes the keys and values of new rows of `qkv`, `[rows, 3 · width]`.
    pub fn append(&self, qkv: &Tensor) -> Result<()> {
        let BlockCache { keys, values } = self.cache;
        Ok(values.inplace_op2(qkv, &Keep { heads: self.heads, keys, position: self.len })?)
    }

    /// The same place for the rows after the first `skipped` of the new ones.
    pub fn after(&self, skipped: usize) -> BlockSlot<'_> {
        BlockSlot { cache: self.cache, heads: self.heads, len: self.len + skipped }
    }

    /// Writes to `mixed`, `[rows, width]`, what each row's queries see once it has been appended.
    pub fn attend(&self, qkv: &Tensor, mixed: &Tensor, scratch: &RefCell<Scratch>) -> Result<()> {
        let BlockCache { keys, values } = self.cache;
        Ok(mixed.inplace_op2(qkv, &Attend { heads: self.heads, keys, values, position: self.len, scratch })?)
    }
}
