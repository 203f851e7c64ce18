//! GPT-2 (Radford et al. 2019): token and position embeddings, pre-norm blocks, a layer norm, the head.

use candle_core::{Device, Module, Tensor};
use candle_nn::LayerNorm;

use super::attention::Attention;
use super::config::{Activation, Config, Head};
use super::kv_cache::{BlockSlot, KvCache};
use super::linear::{Embedding, Linear, layer_norm};
use super::{ModelError, Result};
use crate::checkpoint::Weights;

/// The feed-forward half of a block.
#[derive(Debug)]
struct Mlp {
    up: Linear,
    down: Linear,
    activation: Activation,
}

impl Mlp {
    fn load(config: &Config, weights: &mut Weights, name: &str) -> Result<Self> {
        let (width, hidden) = (config.width, config.hidden);
        let up = Linear::load(weights, &format!("{name}.ffn_up"), (width, hidden), true)?;
        let down = Linear::load(weights, &format!("{name}.ffn_down"), (hidden, width), true)?;
        Ok(Mlp { up, down, activation: config.activation })
    }

    /// `[rows, width]` → `[rows, width]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = self.up.forward(x)?; // [rows, hidden]
        let hidden = match self.activation {
            Activation::GeluNew => hidden.gelu()?, // candle's `gelu` is the tanh approximation
            Activation::Relu => hidden.relu()?,
        };
        self.down.forward(&hidden)
    }
}

/// One block: attention and MLP, each behind a layer norm and added to the residual stream.
#[derive(Debug)]
struct Block {
    attention_norm: LayerNorm,
    attention: Attention,
    mlp_norm: LayerNorm,
    mlp: Mlp,
}

impl Block {
    fn load(config: &Config, weights: &mut Weights, name: &str) -> Result<Self> {
        let (width, epsilon) = (config.width, config.layer_norm_epsilon);
        Ok(Block {
            attention_norm: layer_norm(weights, &format!("{name}.attn_norm"), width, epsilon)?,
            attention: Attention::load(config, weights, name)?,
            mlp_norm: layer_norm(weights, &format!("{name}.ffn_norm"), width, epsilon)?,
            mlp: Mlp::load(config, weights, name)?,
        })
    }

    /// The block's matrices, in the order in which a row passes them.
    fn linears(&self) -> [&Linear; 4] {
        [&self.attention.qkv, &self.attention.output, &self.mlp.up, &self.mlp.down]
    }

    /// `[rows, width]` → `[rows, width]`.
    fn forward(&self, x: &Tensor, slot: Option<BlockSlot<'_>>) -> Result<Tensor> {
        let attended = self.attention.forward(&self.attention_norm.forward(x)?, slot)?;
        let x = x.add(&attended)?;
        let fed = self.mlp.forward(&self.mlp_norm.forward(&x)?)?;
        Ok(x.add(&fed)?)
    }
}

/// A model: ids → logits.
#[derive(Debug)]
pub struct Gpt {
    config: Config,
    tokens: Embedding,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Gpt {
    /// Takes the weights that `config` asks for; others are left where they are.
    pub fn load(config: &Config, weights: &mut Weights) -> Result<Self> {
        let (width, vocabulary) = (config.width, config.vocabulary_size);
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
            positions: positions.dequantize(&Device::Cpu)?,
            norm: layer_norm(weights, "output_norm", width, config.layer_norm_epsilon)?,
            head,
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The quantised matrices, in the order in which a token passes them; the head's is the embedding where tied.
    pub fn quantised(&self) -> impl Iterator<Item = &[i8]> {
        self.blocks.iter().flat_map(Block::linears).chain([&self.head]).filter_map(Linear::quantised)
    }

    /// Reads ids into the cache.
    pub fn prefill(&self, ids: &[u32], cache: &mut KvCache) -> Result<()> {
        self.hidden(ids, Some(cache))?;
        Ok(())
    }

    /// Reads ids into the cache and returns the logits after the last one, `[vocabulary]`.
    pub fn forward(&self, ids: &[u32], cache: &mut KvCache) -> Result<Vec<f32>> {
        let hidden = self.hidden(ids, Some(cache))?; // [ids, width]
        let last = hidden.narrow(0, ids.len() - 1, 1)?; // [1, width]
        Ok(self.logits(&last)?.flatten_all()?.to_vec1()?)
    }

    /// The logits after each of `ids`, `[ids, vocabulary]`; with a cache, the ids follow those in it.
    pub fn forward_all(&self, ids: &[u32], cache: Option<&mut KvCache>) -> Result<Tensor> {
        self.logits(&self.hidden(ids, cache)?)
    }

    /// `[rows, width]` → `[rows, vocabulary]`.
    fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        self.head.forward(&self.norm.forward(hidden)?)
    }

    /// The residual stream after the last block, `[ids, width]`.
    fn hidden(&self, ids: &[u32], mut cache: Option<&mut KvCache>) -> Result<Tensor> {
        let (context, start) = (self.config.context, cache.as_ref().map_or(0, |cache| cache.len()));
        if ids.is_empty() || start + ids.len() > context {
            return Err(ModelError::Context { context, start, found: ids.len() });
        }
        if let Some(&id) = ids.iter().find(|&&id| id as usize >= self.config.vocabulary_size) {
            return Err(ModelError::Id { id, vocabulary: self.config.vocabulary_size });
        }
        let positions = self.positions.narrow(0, start, ids.len())?; // [ids, width]
        let mut x = (self.tokens.forward(ids)? + positions)?;
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, cache.as_ref().map(|cache| cache.slot(index)))?;
        }
        if let Some(cache) = &mut cache {
            cache.advance(ids.len());
        }
        Ok(x)
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
            let mut cache = KvCache::new(gpt.config()).unwrap();
            let pieces: Vec<Tensor> =
                ids.chunks(piece).map(|ids| gpt.forward_all(ids, Some(&mut cache)).unwrap()).collect();
            let in_pieces = Tensor::cat(&pieces, 0).unwrap();
            assert!(distance(&at_once, &in_pieces) < 1e-4, "pieces of {piece}");
            assert_eq!(cache.len(), 32);
        }
    }

    #[test]
    fn a_cleared_cache_is_as_good_as_new() {
        let gpt = random_gpt(&small(), 2);
        let mut cache = KvCache::new(gpt.config()).unwrap();
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
        let mut cache = KvCache::new(gpt.config()).unwrap();
        gpt.prefill(&ids(30), &mut cache).unwrap();
        let error = gpt.prefill(&ids(3), &mut cache).unwrap_err().to_string();
        assert_eq!(error, "position 30: expected 1 to 2 tokens in a context of 32, found 3");
        assert!(gpt.forward(&[], &mut cache).is_err());
        assert_eq!(gpt.forward(&[27], &mut cache).unwrap_err().to_string(), "expected ids below 27, found 27");
        assert_eq!(cache.len(), 30);
    }
}
