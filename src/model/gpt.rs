//! GPT-2 (Radford et al. 2019): token and position embeddings, pre-norm blocks, a layer norm, the head.

use std::hint::black_box;

use candle_core::{Device, Tensor};

use super::block::Block;
use super::config::{Config, Head};
use super::kv_cache::KvCache;
use super::linear::{Embedding, LayerNorm, Linear};
use super::observer::Watch;
use super::pass::{CacheUse, Pass, ensure_memory, last_row};
use super::{CacheOrder, Division, Hook, Member, ModelError, Observer, Order, Outputs, Part, PassOrder, Result};
use crate::kernels::{memory, ops};
use crate::model::Weights;

/// A model: maps ids to logits.
#[derive(Debug)]
pub struct Gpt {
    config: Config,
    member: Member,
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Gpt {
    /// Takes the weights that `config` asks for, and leaves all others in `weights`.
    pub fn load(config: &Config, weights: &mut Weights) -> Result<Self> {
        Gpt::load_member(config, weights, Member::alone())
    }

    /// The same for a member of a team: `weights` has [its rows](super::Share::rows).
    pub fn load_member(config: &Config, weights: &mut Weights, member: Member) -> Result<Self> {
        let share = member.share();
        let embedding = Embedding::load(config, weights, share)?;
        let block = |index| Block::load(config, weights, share, &format!("blk.{index}"));
        let blocks = (0..config.layers).map(block).collect::<Result<_>>()?;
        let norm = LayerNorm::load(config, weights, "output_norm")?;
        let head = match config.head {
            Head::Tied => Linear::tied(&embedding),
            Head::Untied { bias } => {
                let rows = share.part(config, Division::Vocabulary).len();
                Linear::load(weights, "output", (config.n_embd, rows), bias)?
            }
        };
        Ok(Gpt { config: config.clone(), member, embedding, blocks, norm, head })
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// An empty cache for a text of this model.
    pub fn new_cache(&self) -> Result<KvCache> {
        self.cache_for(self.config.context)
    }

    /// An empty cache for a text that is written with these parts switched off, in every pass that uses it.
    pub fn new_cache_without(&self, off: &[Part]) -> Result<KvCache> {
        let mut cache = self.new_cache()?;
        cache.switch_off(&self.config, off)?;
        Ok(cache)
    }

    /// A cache for so many tokens. Beside 8-bit weights it has keys in 8 bits and values in 16 bits, which makes no
    /// measurable difference to float32. The products with keys then use the matrix kernels, and at the end of GPT-2's
    /// context each token reads 29 MB of the cache instead of 75.
    fn cache_for(&self, context: usize) -> Result<KvCache> {
        KvCache::new(self.config.layers, self.member.heads(&self.config, context), self.quantised().next().is_some())
    }

    /// How many threads compute.
    pub fn threads(&self) -> usize {
        self.member.share().members()
    }

    /// Whether every thread has the keys and values of this cache: a team has one cache, that of the pass begun last.
    pub fn has(&self, cache: &KvCache) -> bool {
        self.member.has(cache)
    }

    /// Does what the thread that leads has announced.
    pub fn follow(&self, order: &[u32], cache: &mut KvCache) -> Result<()> {
        let PassOrder { ids, position, outputs, cache: cache_order, weights, off } = match Order::from_words(order) {
            Order::Pass(pass) => pass,
            Order::ReadWeights => return self.read_weights().map(drop),
            Order::ReadOut(rows) => return self.read_out_rows(None, rows).map(drop),
        };
        cache.set_off(off);
        let mut cache = match cache_order {
            CacheOrder::None => CacheUse::None,
            CacheOrder::Append => {
                cache.set_len(position);
                CacheUse::Append(cache)
            }
            CacheOrder::Read => CacheUse::Read(cache),
        };
        let mut pass = self.begin_at(position, &tensor(&ids)?, (outputs, weights), cache.used(), &mut None)?;
        while !self.step(&mut pass, &mut cache, &mut None)? {}
        if outputs == Outputs::None { Ok(()) } else { self.finish(pass, None).map(drop) }
    }

    /// Reads the quantised matrices once, every thread its own, and returns how many bytes they have together: to measure
    /// what the memory gives.
    pub fn read_weights(&self) -> Result<u64> {
        const KIB: f32 = 1024.0;
        self.member.announce_read()?;
        let bytes: usize = self.quantised().map(|matrix| black_box((memory::read(matrix), matrix.len())).1).sum();
        Ok((self.member.sum(bytes as f32 / KIB)? * KIB) as u64)
    }

    /// The quantised matrices, in the order in which a token passes them. A tied head is the embedding's matrix.
    pub fn quantised(&self) -> impl Iterator<Item = &[u8]> {
        self.blocks.iter().flat_map(Block::linears).chain([&self.head]).filter_map(Linear::quantised)
    }

    /// Ids, `[batch, tokens]` → the logits after each, `[batch, tokens, vocabulary]`. With a cache, the ids follow
    /// those in it. Without one, the ids of a sequence attend to each other, in float32, and gradients flow to weights
    /// that are [learned](crate::model::Weight::Learned).
    pub fn forward(&self, ids: &Tensor, cache: Option<&mut KvCache>) -> Result<Tensor> {
        self.run(ids, Outputs::All, &mut CacheUse::new(cache), None)
    }

    /// The same as [`forward`](Self::forward), with an observer.
    pub fn forward_observed(
        &self,
        ids: &Tensor,
        cache: Option<&mut KvCache>,
        observer: &mut dyn Observer,
    ) -> Result<Tensor> {
        self.run(ids, Outputs::All, &mut CacheUse::new(cache), Some(observer))
    }

    /// Computes ids, `[1, tokens]`, again that are in the cache at `position` and after. Returns the logits after each,
    /// `[1, tokens, vocabulary]`. The rows attend to the cache, which stays as it is.
    pub fn read_again(
        &self,
        ids: &Tensor,
        position: usize,
        cache: &KvCache,
        observer: Option<&mut dyn Observer>,
    ) -> Result<Tensor> {
        let found = position + ids.dims2()?.1;
        if found > cache.len() {
            return Err(ModelError::NotRead { expected: cache.len(), found });
        }
        self.run_from(position, ids, Outputs::All, &mut CacheUse::Read(cache), observer)
    }

    /// Begins a pass through which an observer looks at ids that are in the cache at `position` and after. It computes no
    /// logits. Continue it by [`look_next_block`](Self::look_next_block).
    pub fn begin_looking(
        &self,
        ids: &[u32],
        position: usize,
        cache: &KvCache,
        observer: &mut dyn Observer,
    ) -> Result<Pass> {
        let found = position + ids.len();
        if found > cache.len() {
            return Err(ModelError::NotRead { expected: cache.len(), found });
        }
        let wanted = (Outputs::None, self.wants_weights(observer));
        self.begin_at(position, &tensor(ids)?, wanted, CacheUse::Read(cache).used(), &mut Some(observer))
    }

    /// Takes a pass of [`begin_looking`](Self::begin_looking) through one more block. Returns whether it was the last.
    pub fn look_next_block(&self, pass: &mut Pass, cache: &KvCache, observer: &mut dyn Observer) -> Result<bool> {
        self.step(pass, &mut CacheUse::Read(cache), &mut Some(observer))
    }

    /// Rows of the residual stream, `[1, rows, n_embd]` → their logits, `[1, rows, vocabulary]`: the last layer norm and the
    /// head. The head's weights are read once for all of them.
    pub fn read_out(&self, rows: &Tensor) -> Result<Tensor> {
        self.read_out_rows(Some(rows), rows.dim(1)?)
    }

    fn read_out_rows(&self, rows: Option<&Tensor>, count: usize) -> Result<Tensor> {
        let rows = self.member.share_rows(rows, (count, self.config.n_embd))?;
        self.member.gather(&self.config, self.head.forward(&self.norm.forward(&rows)?)?, Division::Vocabulary)
    }

    /// Whether an observer wants any block's attention weights.
    fn wants_weights(&self, observer: &dyn Observer) -> bool {
        (0..self.config.layers).any(|block| observer.wants(Hook::AttentionWeights(block)))
    }

    /// The logits after each of `ids`, `[ids, vocabulary]`, the same as in writing, which uses a cache.
    pub fn forward_all(&self, ids: &[u32], cache: Option<&mut KvCache>) -> Result<Tensor> {
        let mut own = None;
        let cache = match cache {
            Some(cache) => cache,
            None => own.insert(self.cache_for(ids.len().clamp(1, self.config.context))?),
        };
        Ok(self.forward(&tensor(ids)?, Some(cache))?.squeeze(0)?)
    }

    /// Begins a pass that reads ids into the cache and computes the logits that are wanted. Continue it by
    /// [`next_block`](Self::next_block).
    pub fn begin(&self, ids: &[u32], cache: &KvCache, wanted: Outputs) -> Result<Pass> {
        self.begin_at(cache.len(), &tensor(ids)?, (wanted, false), Some((CacheOrder::Append, cache)), &mut None)
    }

    /// Takes a pass of [`begin`](Self::begin) through one more block. Returns whether it was the last; then the ids are
    /// in the cache.
    pub fn next_block(&self, pass: &mut Pass, cache: &mut KvCache) -> Result<bool> {
        self.step(pass, &mut CacheUse::Append(cache), &mut None)
    }

    /// The logits at the end of a pass, `[1, rows, vocabulary]`, of the rows that are wanted.
    pub fn logits(&self, pass: Pass) -> Result<Tensor> {
        self.finish(pass, None)
    }

    /// Reads ids into the cache, and returns the logits after the last one, `[vocabulary]`.
    pub fn next_logits(&self, ids: &[u32], cache: &mut KvCache) -> Result<Tensor> {
        let logits = self.run(&tensor(ids)?, Outputs::Last, &mut CacheUse::Append(cache), None)?;
        Ok(logits.flatten_all()?)
    }

    fn run(
        &self,
        ids: &Tensor,
        wanted: Outputs,
        cache: &mut CacheUse<'_>,
        observer: Option<&mut dyn Observer>,
    ) -> Result<Tensor> {
        let position = if let CacheUse::Append(cache) = cache { cache.len() } else { 0 };
        self.run_from(position, ids, wanted, cache, observer)
    }

    fn run_from(
        &self,
        position: usize,
        ids: &Tensor,
        wanted: Outputs,
        cache: &mut CacheUse<'_>,
        mut observer: Option<&mut dyn Observer>,
    ) -> Result<Tensor> {
        let weights = observer.as_deref().is_some_and(|observer| self.wants_weights(observer));
        let mut pass = self.begin_at(position, ids, (wanted, weights), cache.used(), &mut observer)?;
        while !self.step(&mut pass, cache, &mut observer)? {}
        self.finish(pass, observer)
    }

    /// Begins a pass: computes the residual stream before the first block. `used` is the cache, if there is one.
    fn begin_at(
        &self,
        start: usize,
        ids: &Tensor,
        (wanted, weights): (Outputs, bool),
        used: Option<(CacheOrder, &KvCache)>,
        observer: &mut Option<&mut dyn Observer>,
    ) -> Result<Pass> {
        let (batch, tokens) = ids.dims2()?;
        let context = used.map_or(self.config.context, |(_, cache)| cache.len() + cache.room());
        if batch * tokens == 0 || start + tokens > context {
            return Err(ModelError::Context { context, start, found: tokens });
        }
        let vocabulary = self.config.vocabulary_size;
        let unknown = |ids: &[u32]| ids.iter().copied().find(|&id| id as usize >= vocabulary);
        if let Some(id) = ops::with_numbers(ids, unknown)? {
            return Err(ModelError::Id { id, vocabulary });
        }
        ensure_memory(&self.config, (batch, tokens), wanted, used.is_some())?;
        self.member.announce(ids, start, (wanted, weights), used)?;
        let x = self.embedding.forward(ids, start, &self.config, &self.member)?; // [batch, tokens, n_embd]
        let mut watch = Watch(observer.as_deref_mut().map(|observer| observer as _));
        let x = self.shown(&mut watch, Hook::Embedding, x)?;
        Ok(Pass::new(x, wanted, (start, tokens), weights))
    }

    /// Takes a pass through one more block. Returns whether it was the last.
    fn step(
        &self,
        pass: &mut Pass,
        cache: &mut CacheUse<'_>,
        observer: &mut Option<&mut dyn Observer>,
    ) -> Result<bool> {
        let Some(block) = self.blocks.get(pass.next) else { return Ok(true) };
        let is_last = pass.next + 1 == self.blocks.len();
        let x = block.forward(&pass.x, &mut pass.block((&self.config, &self.member), is_last, cache, observer)?)?;
        pass.advance(x, is_last, cache);
        Ok(is_last)
    }

    /// The logits of the rows that are wanted.
    fn finish(&self, pass: Pass, observer: Option<&mut dyn Observer>) -> Result<Tensor> {
        let mut watch = Watch(observer);
        let x = if pass.wanted == Outputs::Last { last_row(&pass.x)? } else { pass.x };
        let x = self.shown(&mut watch, Hook::Norm, self.norm.forward(&x)?)?;
        let logits = self.member.gather(&self.config, self.head.forward(&x)?, Division::Vocabulary)?;
        watch.see(Hook::Logits, logits) // [batch, rows, vocabulary]
    }

    /// The value to go on with after the observer has seen this one.
    fn shown(&self, watch: &mut Watch<'_>, hook: Hook, value: Tensor) -> Result<Tensor> {
        match self.member.is_in_team() {
            true => watch.show(hook, &value).map(|()| value),
            false => watch.see(hook, value),
        }
    }
}

/// One sequence of ids, `[1, ids]`.
fn tensor(ids: &[u32]) -> Result<Tensor> {
    Ok(Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::testing::{random_gpt, small};

    /// Ids from all of the vocabulary of [`small`].
    fn ids(count: u32) -> Vec<u32> {
        (0..count).map(|i| (i * 7 + i / 5) % 27).collect()
    }

    /// The largest difference between two sets of logits.
    fn distance(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    #[test]
    fn reading_in_pieces_gives_the_logits_of_reading_at_once() {
        let gpt = random_gpt(&small(), 1);
        let ids = ids(32);
        let at_once = gpt.forward_all(&ids, None).unwrap();
        for piece in [32, 20, 7, 1] {
            let mut cache = gpt.new_cache().unwrap();
            let pieces: Vec<Tensor> =
                ids.chunks(piece).map(|ids| gpt.forward_all(ids, Some(&mut cache)).unwrap()).collect();
            let in_pieces = Tensor::cat(&pieces, 0).unwrap();
            assert!(distance(&at_once, &in_pieces) < 1e-4, "pieces of {piece}");
            assert_eq!(cache.len(), 32);
        }
    }

    #[test]
    fn reading_for_the_last_row_gives_its_logits_and_leaves_the_same_cache() {
        let gpt = random_gpt(&small(), 6);
        let (ids, mut cache) = (ids(20), gpt.new_cache().unwrap());
        for read in [0..7, 7..8, 8..20] {
            let all = gpt.forward_all(&ids[..read.end], None).unwrap();
            let last: Vec<f32> = all.get(read.end - 1).unwrap().to_vec1().unwrap();
            let found: Vec<f32> = gpt.next_logits(&ids[read.clone()], &mut cache).unwrap().to_vec1().unwrap();
            assert_eq!(found, last, "{read:?}");
        }
    }

    #[test]
    fn a_cleared_cache_is_as_good_as_new() {
        let gpt = random_gpt(&small(), 2);
        let mut cache = gpt.new_cache().unwrap();
        let read =
            |ids: &[u32], cache: &mut KvCache| -> Vec<f32> { gpt.next_logits(ids, cache).unwrap().to_vec1().unwrap() };
        let first = read(&ids(9), &mut cache);
        read(&ids(20), &mut cache);
        cache.clear();
        assert_eq!(read(&ids(9), &mut cache), first);
    }

    #[test]
    fn what_a_position_sees_does_not_depend_on_what_follows() {
        let gpt = random_gpt(&small(), 3);
        let whole = gpt.forward_all(&ids(32), None).unwrap().narrow(0, 0, 5).unwrap();
        assert!(distance(&whole, &gpt.forward_all(&ids(5), None).unwrap()) < 1e-4);
    }

    #[test]
    fn too_many_tokens_and_unknown_ids_are_named() {
        let gpt = random_gpt(&small(), 4);
        let mut cache = gpt.new_cache().unwrap();
        gpt.next_logits(&ids(30), &mut cache).unwrap();
        let error = gpt.next_logits(&ids(3), &mut cache).unwrap_err().to_string();
        assert_eq!(error, "position 30: expected 1 to 2 tokens in a context of 32, found 3");
        assert!(gpt.next_logits(&[], &mut cache).is_err());
        assert_eq!(gpt.next_logits(&[27], &mut cache).unwrap_err().to_string(), "expected ids below 27, found 27");
        assert_eq!(cache.len(), 30);
    }
}
