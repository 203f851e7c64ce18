//! GPT-2's block stack (Radford et al. 2019) in candle's own layers, float32.

use candle_core::{Device, Module, Result, Tensor};
use candle_nn::kv_cache::KvCache;
use candle_nn::ops::softmax_last_dim;
use candle_nn::{Embedding, LayerNorm, Linear};

/// A model's shape; the hidden layer is four times as wide, and the head is the embedding.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    layers: usize,
    heads: usize,
    width: usize,
    context: usize,
    /// Rows of the embedding.
    pub vocabulary: usize,
}

impl Shape {
    /// The shape of one of the site's two models, by the catalog's id.
    pub fn named(model: &str) -> Option<Shape> {
        match model {
            "peargpt" => Some(Shape { layers: 8, heads: 5, width: 320, context: 256, vocabulary: 65 }),
            "gpt2" => Some(Shape { layers: 12, heads: 12, width: 768, context: 1024, vocabulary: 50257 }),
            _ => None,
        }
    }
}

/// One block's attention, with the keys and values of the tokens before.
struct Attention {
    qkv: Linear,
    output: Linear,
    cache: KvCache,
    heads: usize,
}

impl Attention {
    /// `[rows, width]` → `[rows, width]`.
    fn forward(&mut self, x: &Tensor) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let head_width = width / self.heads;
        let qkv = self.qkv.forward(x)?.reshape((rows, 3, self.heads, head_width))?;
        let split = |index| qkv.narrow(1, index, 1)?.squeeze(1)?.transpose(0, 1)?.contiguous();
        let q = (split(0)? / (head_width as f64).sqrt())?; // [heads, rows, head_width]
        let (k, v) = self.cache.append(&split(1)?, &split(2)?)?; // [heads, all, head_width]
        let scores = q.matmul(&k.t()?)?; // [heads, rows, all]
        let scores = if rows == 1 { scores } else { scores.broadcast_add(&mask(rows, k.dim(1)?)?)? };
        let mixed = softmax_last_dim(&scores)?.matmul(&v)?; // [heads, rows, head_width]
        self.output.forward(&mixed.transpose(0, 1)?.reshape((rows, width))?)
    }
}

/// `[rows, all]`: −∞ where a row would look ahead, else 0.
fn mask(rows: usize, all: usize) -> Result<Tensor> {
    let before = all - rows;
    let row = |row| (0..all).map(move |column| if column <= before + row { 0.0 } else { f32::NEG_INFINITY });
    Tensor::from_iter((0..rows).flat_map(row), &Device::Cpu)?.reshape((rows, all))
}

struct Block {
    attention_norm: LayerNorm,
    attention: Attention,
    mlp_norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Block {
    /// `[rows, width]` → `[rows, width]`.
    fn forward(&mut self, x: &Tensor) -> Result<Tensor> {
        let x = (x + self.attention.forward(&self.attention_norm.forward(x)?)?)?;
        let hidden = self.up.forward(&self.mlp_norm.forward(&x)?)?.gelu()?; // [rows, 4 · width]
        &x + self.down.forward(&hidden)?
    }
}

/// A model that keeps what it has read.
pub struct Gpt {
    tokens: Embedding,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
    len: usize,
}

impl Gpt {
    /// A model of this shape, the same each time.
    pub fn random(shape: Shape) -> Result<Self> {
        let mut random = Random(1);
        let Shape { layers, heads, width, context, vocabulary } = shape;
        let tokens = random.tensor((vocabulary, width))?;
        Ok(Gpt {
            positions: random.tensor((context, width))?,
            blocks: (0..layers).map(|_| block(&mut random, width, heads, context)).collect::<Result<_>>()?,
            norm: layer_norm(width)?,
            head: Linear::new(tokens.clone(), None),
            tokens: Embedding::new(tokens, width),
            len: 0,
        })
    }

    /// Reads ids and returns the likeliest that follows.
    pub fn next(&mut self, ids: &[u32]) -> Result<u32> {
        self.forward(ids)?.flatten_all()?.argmax(0)?.to_scalar()
    }

    /// Reads ids and returns the logits after the last one, `[1, vocabulary]`.
    fn forward(&mut self, ids: &[u32]) -> Result<Tensor> {
        let positions = self.positions.narrow(0, self.len, ids.len())?; // [ids, width]
        let mut x = (self.tokens.forward(&Tensor::new(ids, &Device::Cpu)?)? + positions)?;
        for block in &mut self.blocks {
            x = block.forward(&x)?;
        }
        self.len += ids.len();
        let last = x.narrow(0, ids.len() - 1, 1)?; // [1, width]
        self.head.forward(&self.norm.forward(&last)?)
    }
}

fn block(random: &mut Random, width: usize, heads: usize, context: usize) -> Result<Block> {
    Ok(Block {
        attention_norm: layer_norm(width)?,
        attention: Attention {
            qkv: random.linear(width, 3 * width)?,
            output: random.linear(width, width)?,
            cache: KvCache::new(1, context),
            heads,
        },
        mlp_norm: layer_norm(width)?,
        up: random.linear(width, 4 * width)?,
        down: random.linear(4 * width, width)?,
    })
}

fn layer_norm(width: usize) -> Result<LayerNorm> {
    let (ones, zeros) = (vec![1f32; width], vec![0f32; width]);
    Ok(LayerNorm::new(Tensor::new(ones, &Device::Cpu)?, Tensor::new(zeros, &Device::Cpu)?, 1e-5))
}

/// Small numbers from a linear congruential generator (Knuth's MMIX).
struct Random(u64);

impl Random {
    fn tensor(&mut self, shape: (usize, usize)) -> Result<Tensor> {
        let numbers: Vec<f32> = (0..shape.0 * shape.1).map(|_| self.number()).collect();
        Tensor::from_vec(numbers, shape, &Device::Cpu)
    }

    fn linear(&mut self, inputs: usize, outputs: usize) -> Result<Linear> {
        let bias = self.tensor((1, outputs))?.squeeze(0)?;
        Ok(Linear::new(self.tensor((outputs, inputs))?, Some(bias)))
    }

    /// From −0.05 to 0.05.
    fn number(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 40) as f32 / (1u32 << 24) as f32 - 0.5) / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Shape = Shape { layers: 2, heads: 2, width: 16, context: 24, vocabulary: 30 };

    #[test]
    fn reading_one_by_one_gives_the_logits_of_reading_at_once() {
        let ids: Vec<u32> = (0..20).map(|index| index * 7 % 30).collect();
        let (mut at_once, mut one_by_one) = (Gpt::random(SMALL).unwrap(), Gpt::random(SMALL).unwrap());
        let expected = at_once.forward(&ids).unwrap();
        let found = ids.iter().map(|id| one_by_one.forward(&[*id]).unwrap()).last().unwrap();
        let distance = (expected - found).unwrap().abs().unwrap().max_all().unwrap();
        assert!(distance.to_scalar::<f32>().unwrap() < 1e-4);
    }

    #[test]
    fn what_was_read_first_still_counts() {
        let follows = |first: u32| {
            let mut gpt = Gpt::random(SMALL).unwrap();
            gpt.forward(&[first, 3, 4]).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_ne!(follows(1), follows(2));
    }

    #[test]
    fn both_models_have_a_shape_and_no_other_has() {
        let vocabulary = |model| Shape::named(model).map(|shape| shape.vocabulary);
        assert_eq!(["peargpt", "gpt2", "gpt3"].map(vocabulary), [Some(65), Some(50257), None]);
    }
}
