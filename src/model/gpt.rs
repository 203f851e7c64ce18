//! GPT-2 (Radford et al. 2019): token and position embeddings, pre-norm blocks, a layer norm, the head.

use std::collections::BTreeSet;

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device, Tensor};

use super::attention::Attention;
use super::config::{Activation, Config, Head};
use super::kv_cache::{BlockSlot, KvCache, Wanted};
use super::linear::{Embedding, LayerNorm, Linear, float32};
use super::workspace::Workspace;
use super::{ModelError, Result};
use crate::checkpoint::Weights;
use crate::kernels::{FillRows, Finish};

/// The feed-forward half of a block.
#[derive(Debug)]
struct Mlp {
    up: Linear,
    down: Linear,
    finish: Finish,
}

impl Mlp {
    fn load(config: &Config, weights: &mut Weights, name: &str) -> Result<Self> {
        let (width, hidden) = (config.width, config.hidden);
        let up = Linear::load(weights, &format!("{name}.ffn_up"), (width, hidden), true)?;
        let down = Linear::load(weights, &format!("{name}.ffn_down"), (hidden, width), true)?;
        let finish = match config.activation {
            Activation::GeluNew => Finish::Gelu,
            Activation::Gelu => Finish::ExactGelu,
            Activation::Relu => Finish::Relu,
        };
        Ok(Mlp { up, down, finish })
    }

    /// Adds what becomes of the normed rows to the residual stream.
    fn forward(&self, space: &Workspace) -> Result<()> {
        self.up.forward(&space.normed, &space.hidden, self.finish, &space.scratch)?;
        self.down.add_to(&space.stream, &space.hidden, &space.scratch)
    }
}

/// One block: attention and MLP, each behind a layer norm and added to the residual stream.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) attention_norm: LayerNorm,
    attention: Attention,
    pub(super) mlp_norm: LayerNorm,
    mlp: Mlp,
}

impl Block {
    fn load(config: &Config, weights: &mut Weights, name: &str) -> Result<Self> {
        let (width, epsilon) = (config.width, config.layer_norm_epsilon);
        Ok(Block {
            attention_norm: LayerNorm::load(weights, &format!("{name}.attn_norm"), width, epsilon)?,
            attention: Attention::load(config, weights, name)?,
            mlp_norm: LayerNorm::load(weights, &format!("{name}.ffn_norm"), width, epsilon)?,
            mlp: Mlp::load(config, weights, name)?,
        })
    }

    /// The block's matrices, in the order in which a row passes them.
    pub(super) fn linears(&self) -> [&Linear; 4] {
        [&self.attention.qkv, &self.attention.output, &self.mlp.up, &self.mlp.down]
    }

    /// Takes the residual stream one block further, or of it only the row that is wanted.
    fn forward(&self, space: &Workspace, slot: &BlockSlot<'_>, wanted: Wanted) -> Result<()> {
        self.attention_norm.forward(&space.stream, &space.normed)?;
        self.attention.keep(space, slot)?;
        match wanted {
            Wanted::All => self.go_on(space, slot),
            Wanted::Last => self.go_on(&space.last()?, &slot.after(space.rows() - 1)),
        }
    }

    /// What follows once keys and values are in the cache.
    fn go_on(&self, space: &Workspace, slot: &BlockSlot<'_>) -> Result<()> {
        self.attention.look(space, slot)?;
        self.mlp_norm.forward(&space.stream, &space.normed)?;
        self.mlp.forward(space)
    }
}

/// A model: ids → logits.
#[derive(Debug)]
pub struct Gpt {
    config: Config,
    pub(super) tokens: Embedding,
    /// `[context, width]`.
    pub(super) positions: Vec<f32>,
    pub(super) blocks: Vec<Block>,
    pub(super) norm: LayerNorm,
    pub(super) head: Linear,
    /// Names of the tensors that the file had in 16 bits.
    pub(super) halves: BTreeSet<String>,
}

impl Gpt {
    /// Takes the weights that `config` asks for; others are left where they are.
    pub fn load(config: &Config, weights: &mut Weights) -> Result<Self> {
        let (width, vocabulary) = (config.width, config.vocabulary_size);
        let in_half = weights.iter().filter(|(_, weight)| weight.dtype() == GgmlDType::F16);
        let halves = in_half.map(|(name, _)| name.to_string()).collect();
        let tokens = Embedding::load(weights, "token_embd", vocabulary, width)?;
        let head = match config.head {
            Head::Tied => Linear::tied(&tokens),
            Head::Untied { bias } => Linear::load(weights, "output", (width, vocabulary), bias)?,
        };
        let positions = weights.take("position_embd.weight", &[config.context, width])?;
        let block = |index| Block::load(config, weights, &format!("blk.{index}"));
        Ok(Gpt {
            blocks: (0..config.layers).map(block).collect::<Result<_>>()?,
            config: config.clone(),
            tokens,
            positions: float32(&positions)?,
            norm: LayerNorm::load(weights, "output_norm", width, config.layer_norm_epsilon)?,
            head,
            halves,
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// An empty cache for a text of this model.
    pub fn new_cache(&self) -> Result<KvCache> {
        self.cache_for(self.config.context)
    }

    /// Beside 8-bit weights, keys in 8 bits and values in 16 lose nothing that could be measured; the products with keys
    /// are made as those with weights are, and at the end of GPT-2's context 29 MB are to be read for each token instead
    /// of 75.
    fn cache_for(&self, context: usize) -> Result<KvCache> {
        KvCache::new(&self.config, context, self.quantised().next().is_some())
    }

    /// The quantised matrices, in the order in which a token passes them; the head's is the embedding where tied.
    pub fn quantised(&self) -> impl Iterator<Item = &[u8]> {
        self.blocks.iter().flat_map(Block::linears).chain([&self.head]).filter_map(Linear::quantised)
    }

    /// Begins to read ids into the cache; [`next_block`](Self::next_block) goes on.
    pub fn begin(&self, ids: &[u32], cache: &mut KvCache) -> Result<()> {
        self.begin_for(Wanted::Last, ids, cache)
    }

    fn begin_for(&self, wanted: Wanted, ids: &[u32], cache: &mut KvCache) -> Result<()> {
        let (context, start) = (self.config.context, cache.len());
        if ids.is_empty() || ids.len() > cache.room() {
            return Err(ModelError::Context { context, start, found: ids.len() });
        }
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= self.config.vocabulary_size) {
            return Err(ModelError::Id { id, vocabulary: self.config.vocabulary_size });
        }
        cache.begin(ids.len(), wanted)?;
        self.embed(ids, start, &cache.workspace().stream)
    }

    /// Takes what was begun through one more block; whether it was the last, and the ids are in the cache.
    pub fn next_block(&self, cache: &mut KvCache) -> Result<bool> {
        if let Some((index, block)) = cache.next_block().and_then(|index| Some((index, self.blocks.get(index)?))) {
            block.forward(cache.workspace(), &cache.slot(index), cache.wanted(index))?;
            cache.advance();
        }
        Ok(cache.next_block().is_none())
    }

    /// Reads ids into the cache.
    pub fn prefill(&self, ids: &[u32], cache: &mut KvCache) -> Result<()> {
        self.begin(ids, cache)?;
        self.all_blocks(cache)
    }

    fn all_blocks(&self, cache: &mut KvCache) -> Result<()> {
        while !self.next_block(cache)? {}
        Ok(())
    }

    /// Hands over the logits after the id that was read last, some after the other from id 0 on.
    pub fn logits(&self, cache: &KvCache, take: impl FnMut(&[f32])) -> Result<()> {
        let Workspace { stream, normed, scratch, .. } = cache.workspace();
        let last = cache.workspace().rows() - 1;
        let (stream, normed) = (stream.narrow(0, last, 1)?, normed.narrow(0, last, 1)?);
        self.norm.forward(&stream, &normed)?;
        self.head.each(&normed, scratch, take)
    }

    /// Reads ids into the cache and returns the logits after the last one, `[vocabulary]`.
    pub fn forward(&self, ids: &[u32], cache: &mut KvCache) -> Result<Vec<f32>> {
        let mut logits = Vec::with_capacity(self.config.vocabulary_size);
        self.prefill(ids, cache)?;
        self.logits(cache, |part| logits.extend_from_slice(part))?;
        Ok(logits)
    }

    /// The logits after each of `ids`, `[ids, vocabulary]`; with a cache, the ids follow those in it.
    pub fn forward_all(&self, ids: &[u32], cache: Option<&mut KvCache>) -> Result<Tensor> {
        let mut own = None;
        let cache = match cache {
            Some(cache) => cache,
            None => own.insert(self.cache_for(ids.len().clamp(1, self.config.context))?),
        };
        self.begin_for(Wanted::All, ids, cache)?;
        self.all_blocks(cache)?;
        let Workspace { stream, normed, scratch, .. } = cache.workspace();
        self.norm.forward(stream, normed)?;
        let logits = Tensor::zeros((ids.len(), self.head.outputs()), DType::F32, &Device::Cpu)?;
        self.head.forward(normed, &logits, Finish::Keep, scratch)?;
        Ok(logits)
    }

    /// Writes the embeddings of ids that stand at `start` and after to `stream`, `[ids, width]`.
    fn embed(&self, ids: &[u32], start: usize, stream: &Tensor) -> Result<()> {
        let width = self.config.width;
        Ok(stream.inplace_op1(&FillRows(|row: usize, out: &mut [f32]| {
            out.copy_from_slice(&self.positions[(start + row) * width..][..width]);
            self.tokens.add_row(ids[row], out);
        }))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{random_gpt, small};

    /// Ids that visit the vocabulary of [`small`].
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
            assert_eq!(gpt.forward(&ids[read.clone()], &mut cache).unwrap(), last, "{read:?}");
        }
    }

    #[test]
    fn a_cleared_cache_is_as_good_as_new() {
        let gpt = random_gpt(&small(), 2);
        let mut cache = gpt.new_cache().unwrap();
        let first = gpt.forward(&ids(9), &mut cache).unwrap();
        gpt.prefill(&ids(20), &mut cache).unwrap();
        cache.clear();
        assert_eq!(gpt.forward(&ids(9), &mut cache).unwrap(), first);
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
        gpt.prefill(&ids(30), &mut cache).unwrap();
        let error = gpt.prefill(&ids(3), &mut cache).unwrap_err().to_string();
        assert_eq!(error, "position 30: expected 1 to 2 tokens in a context of 32, found 3");
        assert!(gpt.forward(&[], &mut cache).is_err());
        assert_eq!(gpt.forward(&[27], &mut cache).unwrap_err().to_string(), "expected ids below 27, found 27");
        assert_eq!(cache.len(), 30);
    }
}
