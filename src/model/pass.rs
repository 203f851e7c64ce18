//! A forward pass that goes through the blocks one by one.

use candle_core::Tensor;

use super::observer::Watch;
use super::{CacheOrder, Config, Division, Hook, KvCache, Member, ModelError, Observer, Outputs, Part, Result};
use crate::kernels::memory;
use crate::kernels::ops::{self, Attended, with_numbers_mut};
use crate::kernels::{BlockCache, Heads};

/// A forward pass between two blocks. Its owner may do something else before the next one.
#[derive(Debug)]
pub struct Pass {
    /// The residual stream, `[batch, tokens, n_embd]`; after the last block, of the wanted rows only.
    pub(super) x: Tensor,
    /// The next block.
    pub(super) next: usize,
    pub(super) wanted: Outputs,
    /// The position of the first row.
    position: usize,
    /// Rows in each sequence.
    tokens: usize,
    /// Whether somebody looks at attention weights, so that every member of a team computes them.
    weights: bool,
}

/// Where the keys and values of a pass are.
pub(super) enum CacheUse<'a> {
    /// There is no cache: the rows attend to each other.
    None,
    /// In a cache; the pass appends them.
    Append(&'a mut KvCache),
    /// In a cache, which has them already.
    Read(&'a KvCache),
}

impl CacheUse<'_> {
    /// A cache to append to, or none.
    pub fn new(cache: Option<&mut KvCache>) -> CacheUse<'_> {
        cache.map_or(CacheUse::None, CacheUse::Append)
    }

    /// The cache, if there is one, and what is done with it.
    pub fn used(&self) -> Option<(CacheOrder, &KvCache)> {
        match self {
            CacheUse::None => None,
            CacheUse::Append(cache) => Some((CacheOrder::Append, cache)),
            CacheUse::Read(cache) => Some((CacheOrder::Read, cache)),
        }
    }
}

impl Pass {
    pub(super) fn new(x: Tensor, wanted: Outputs, (position, tokens): (usize, usize), weights: bool) -> Self {
        Pass { x, next: 0, wanted, position, tokens, weights }
    }

    /// Blocks that have been passed.
    pub fn blocks(&self) -> usize {
        self.next
    }

    /// Rows that are read in each sequence.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The next block of this pass. The caller says whether it is the last.
    pub(super) fn block<'a>(
        &self,
        (config, member): (&'a Config, &'a Member),
        is_last: bool,
        cache: &'a mut CacheUse<'_>,
        observer: &'a mut Option<&mut dyn Observer>,
    ) -> Result<BlockPass<'a>> {
        let Pass { next: block, position, tokens, weights, .. } = *self;
        let end = position + tokens;
        let off = match cache {
            CacheUse::Append(cache) => Off::of(cache.off(), block),
            CacheUse::Read(cache) => Off::of(cache.off(), block),
            CacheUse::None => Off::default(),
        };
        let cache = match cache {
            CacheUse::None => BlockCacheUse::Rows(member.heads(config, config.context)),
            CacheUse::Append(cache) if cache.len() != position => {
                return Err(ModelError::Moved { expected: position, found: cache.len() });
            }
            CacheUse::Append(cache) => BlockCacheUse::Append { cache: cache.block_mut(block)?, position, end },
            CacheUse::Read(cache) => BlockCacheUse::Read { cache: cache.block(block)?, end },
        };
        let last_only = is_last && self.wanted == Outputs::Last;
        let watch = Watch(observer.as_deref_mut().map(|observer| observer as _));
        Ok(BlockPass { block, config, member, cache, off, last_only, weights, watch })
    }

    /// Notes that a block has been passed. After the last one, adds the rows to the cache's length.
    pub(super) fn advance(&mut self, x: Tensor, is_last: bool, cache: &mut CacheUse<'_>) {
        (self.x, self.next) = (x, self.next + 1);
        if let (true, CacheUse::Append(cache)) = (is_last, cache) {
            cache.advance(self.tokens);
        }
    }
}

/// One block of a pass: what its rows attend to, which rows go on, and the observer.
pub(super) struct BlockPass<'a> {
    block: usize,
    config: &'a Config,
    member: &'a Member,
    cache: BlockCacheUse<'a>,
    off: Off,
    /// Whether only the last row goes on after the attention.
    last_only: bool,
    weights: bool,
    watch: Watch<'a>,
}

/// What is switched off of a block.
#[derive(Default)]
struct Off {
    heads: Vec<usize>,
    mlp: bool,
}

impl Off {
    fn of(parts: &[Part], block: usize) -> Self {
        let mut off = Off::default();
        for part in parts.iter().filter(|part| part.layer() as usize == block) {
            match part {
                Part::Head { head, .. } => off.heads.push(*head as usize),
                Part::Mlp { .. } => off.mlp = true,
            }
        }
        off
    }
}

enum BlockCacheUse<'a> {
    Rows(Heads),
    Append { cache: &'a mut BlockCache, position: usize, end: usize },
    Read { cache: &'a BlockCache, end: usize },
}

impl BlockPass<'_> {
    /// Appends keys and values to the cache, unless there is none or it has them already.
    pub fn append(&mut self, qkv: &Tensor) -> Result<()> {
        match &mut self.cache {
            BlockCacheUse::Append { cache, position, .. } => Ok(ops::append(qkv, cache, *position)?),
            BlockCacheUse::Rows(_) | BlockCacheUse::Read { .. } => Ok(()),
        }
    }

    /// The positions that the rows attend to.
    pub fn attended(&self) -> Attended<'_> {
        match &self.cache {
            BlockCacheUse::Rows(heads) => Attended::Rows(*heads),
            BlockCacheUse::Append { cache, end, .. } => Attended::Cache { cache, end: *end },
            BlockCacheUse::Read { cache, end } => Attended::Cache { cache, end: *end },
        }
    }

    /// How many positions the last of so many rows attends to.
    pub fn positions(&self, tokens: usize) -> usize {
        match &self.cache {
            BlockCacheUse::Rows(_) => tokens,
            BlockCacheUse::Append { end, .. } | BlockCacheUse::Read { end, .. } => *end,
        }
    }

    /// What every member of a team has computed, `[batch, rows, own]` → `[batch, rows, all]`.
    pub fn gather(&self, part: Tensor, division: Division) -> Result<Tensor> {
        self.member.gather(self.config, part, division)
    }

    /// How many rows of `x`, `[batch, tokens, …]`, go on after the attention.
    pub fn rows(&self, x: &Tensor) -> Result<usize> {
        Ok(if self.last_only { 1 } else { x.dim(1)? })
    }

    /// The rows of the residual stream that go on after the attention.
    pub fn wanted(&self, x: &Tensor) -> Result<Tensor> {
        if self.last_only { last_row(x) } else { Ok(x.clone()) }
    }

    /// Whether the MLP is switched off.
    pub fn is_mlp_off(&self) -> bool {
        self.off.mlp
    }

    /// Sets the outputs of heads that are switched off to 0: of those that this member has, `[batch, rows, own]`.
    pub fn switch_off(&self, heads: &Tensor) -> Result<()> {
        if self.off.heads.is_empty() {
            return Ok(());
        }
        let (own, head_dim) = (self.member.share().part(self.config, Division::Heads), self.config.head_dim());
        let places = self.off.heads.iter().map(|head| head * head_dim);
        let places: Vec<usize> = places.filter(|start| own.contains(start)).map(|start| start - own.start).collect();
        Ok(with_numbers_mut(heads, |heads| {
            for row in heads.chunks_exact_mut(own.len().max(1)) {
                places.iter().for_each(|start| row[*start..][..head_dim].fill(0.0));
            }
        })?)
    }

    /// Whether somebody wants attention weights. In a team, members may not know of which block; then all compute them.
    pub fn wants_weights(&self) -> bool {
        self.weights && (self.member.is_in_team() || self.watch.wants(Hook::AttentionWeights(self.block)))
    }

    /// Shows the observer the attention weights, `[batch, heads, rows, positions]`; in a team those of every member's heads.
    /// Returns the observer's replacement, if there is one.
    pub fn see_weights(&mut self, own: &Tensor) -> Result<Option<Tensor>> {
        let hook = Hook::AttentionWeights(self.block);
        match self.member.is_in_team() {
            true => self.watch.show(hook, &self.member.gather_weights(self.config, own)?).map(|()| None),
            false => self.watch.replaced(hook, own),
        }
    }

    /// Shows a value to the observer. Returns the value to go on with.
    pub fn see(&mut self, hook: fn(usize) -> Hook, value: Tensor) -> Result<Tensor> {
        let hook = hook(self.block);
        match self.member.is_in_team() {
            true => self.watch.show(hook, &value).map(|()| value),
            false => self.watch.see(hook, value),
        }
    }
}

/// `[batch, tokens, …]` → `[batch, 1, …]`.
pub(super) fn last_row(x: &Tensor) -> Result<Tensor> {
    Ok(x.narrow(1, x.dim(1)? - 1, 1)?.contiguous()?)
}

/// Fails if memory is too small for a pass. candle's allocations would abort the program.
pub(super) fn ensure_memory(
    config: &Config,
    (batch, tokens): (usize, usize),
    wanted: Outputs,
    has_cache: bool,
) -> Result<()> {
    let Config { n_embd, n_inner, context, vocabulary_size, heads, .. } = *config;
    let [rows, seen] = [batch * tokens, context.max(tokens)].map(|count| count as u64);
    let [n_embd, n_inner, vocabulary, heads] = [n_embd, n_inner, vocabulary_size, heads].map(|size| size as u64);
    let answered = match wanted {
        Outputs::Last => batch as u64,
        Outputs::All => rows,
        Outputs::None => 0,
    };
    // The residual stream and its norm before and after the block, and the values between them: at most the three rows
    // and the heads' outputs of the attention, or the MLP's hidden layer.
    let stream = rows * (4 * n_embd + (5 * n_embd).max(n_inner + n_embd)) * 4;
    // Activations as bytes and as words, with their scales, without the memory that is held from an earlier pass.
    let activations = (rows * n_embd.max(n_inner) * 4).saturating_sub(ops::held_bytes() as u64);
    // Scores of a tile; and without a cache, one sequence's keys and values, with padding.
    let own = if has_cache { 0 } else { tokens as u64 * 2 * (n_embd + 8 * heads) * 4 };
    let attention = seen * 64 + own;
    let logits = answered * vocabulary * 4;
    // The largest tensor.
    let piece = logits.max(rows * n_inner.max(3 * n_embd) * 4);
    Ok(memory::ensure_in_pieces(stream + activations + attention + logits, piece)?)
}
