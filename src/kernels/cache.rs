//! The keys and values of one block, for as many positions as the context has.

use half::bf16;

use super::attention;
use super::keys::{Keys, Scores};
use super::layout::{Heads, append};
use super::memory::{OutOfMemory, filled};

/// One block's keys and values. Beside 8-bit weights, keys in 8 bits and values in 16 bits make no measurable
/// difference.
#[derive(Debug)]
pub struct BlockCache {
    heads: Heads,
    keys: Keys,
    values: Values,
}

/// `[heads, context, row]`.
#[derive(Debug)]
enum Values {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
}

impl BlockCache {
    /// Memory for a context: in float32, or with keys in 8 bits and values in bfloat16.
    pub fn new(heads: Heads, is_quantised: bool) -> Result<Self, OutOfMemory> {
        let numbers = heads.count * heads.context * heads.row();
        let (keys, values) = match is_quantised {
            true => (Keys::q8(&heads)?, Values::Bf16(filled(numbers, bf16::ZERO)?)),
            false => (Keys::plain(&heads)?, Values::F32(filled(numbers, 0.0)?)),
        };
        Ok(BlockCache { heads, keys, values })
    }

    /// The shape.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    /// Writes the keys and values of rows of `qkv`, `[rows, 3 · n_embd]`, at `position` and after. Rows behind the
    /// context are left out.
    pub fn append(&mut self, qkv: &[f32], position: usize) {
        let BlockCache { heads, keys, values } = self;
        let n_embd = heads.n_embd();
        for (position, row) in (position..heads.context).zip(qkv.chunks_exact(3 * n_embd)) {
            let (key, value) = row[n_embd..].split_at(n_embd);
            keys.append(heads, key, position);
            match values {
                Values::F32(values) => append(heads, value, position, values),
                Values::Bf16(values) => append(heads, value, position, values),
            }
        }
    }

    /// The same as [`attention::attend`].
    pub fn attend(&self, qkv: &[f32], position: usize, memory: &mut Scores, out: &mut [f32]) {
        let BlockCache { heads, keys, values } = self;
        match values {
            Values::F32(values) => attention::attend(heads, (keys, values), position, qkv, memory, out),
            Values::Bf16(values) => attention::attend(heads, (keys, values), position, qkv, memory, out),
        }
    }

    /// The same as [`attention::attention_weights`].
    pub fn weights(&self, qkv: &[f32], position: usize, memory: &mut Scores, weights: &mut [f32]) {
        attention::attention_weights(&self.heads, &self.keys, position, qkv, memory, weights);
    }

    /// The same as [`attention::mix_values`].
    pub fn mix(&self, weights: &[f32], rows: usize, out: &mut [f32]) {
        match &self.values {
            Values::F32(values) => attention::mix_values(&self.heads, values, weights, rows, out),
            Values::Bf16(values) => attention::mix_values(&self.heads, values, weights, rows, out),
        }
    }
}
