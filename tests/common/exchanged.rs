//! GGUF files in which one tensor has another type than the rest.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use peargpt::checkpoint::{Checkpoint, random};
use peargpt::model::Config;
use peargpt::model::config::{Activation, Head};

use crate::common::characters;
use crate::common::numbers::Numbers;

/// llama.cpp's numbers of the types that are read.
pub const KNOWN: [(u32, GgmlDType); 15] = [
    (0, GgmlDType::F32),
    (1, GgmlDType::F16),
    (2, GgmlDType::Q4_0),
    (3, GgmlDType::Q4_1),
    (6, GgmlDType::Q5_0),
    (7, GgmlDType::Q5_1),
    (8, GgmlDType::Q8_0),
    (9, GgmlDType::Q8_1),
    (10, GgmlDType::Q2K),
    (11, GgmlDType::Q3K),
    (12, GgmlDType::Q4K),
    (13, GgmlDType::Q5K),
    (14, GgmlDType::Q6K),
    (15, GgmlDType::Q8K),
    (30, GgmlDType::BF16),
];
/// Those of types that are not: removed, importance-weighted, whole numbers, float64, ternary, and nobody's.
pub const UNKNOWN: [u32; 9] = [4, 5, 16, 24, 28, 29, 34, 41, u32::MAX];

/// A model of one block whose vectors and rows have this length, or a multiple of it.
pub fn model(length: usize) -> Checkpoint {
    let config = Config {
        layers: 1,
        heads: 4,
        n_embd: length,
        n_inner: 2 * length,
        context: 3,
        vocabulary_size: length,
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Untied { bias: true },
        qkv_bias: true,
    };
    let tokenizer = characters(length);
    let weights = random::weights(&config, 5).unwrap();
    Checkpoint { config, tokenizer, weights }
}

/// Random numbers of this shape as a type has them; none where its blocks do not fit.
pub fn stored(shape: &[usize], dtype: GgmlDType) -> Option<QTensor> {
    let mut numbers = Numbers(3);
    let values = (0..shape.iter().product()).map(|_| numbers.below(2001) as f32 / 1000.0 - 1.0).collect::<Vec<_>>();
    QTensor::quantize(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap(), dtype).ok()
}

/// Where the type of a tensor stands in a file: behind its name, its rank and its shape.
fn type_of(file: &[u8], name: &str) -> usize {
    // `output.bias` is the end of other names too.
    let whole = [&(name.len() as u64).to_le_bytes(), name.as_bytes()].concat();
    let rank = file.windows(whole.len()).position(|window| window == whole).unwrap() + whole.len();
    rank + 4 + 8 * usize::from(file[rank])
}

/// The file of a [`model`] with other bytes of another type for a tensor, which come to lie at its end.
pub fn exchange(file: &[u8], name: &str, kind: u32, data: &[u8]) -> Vec<u8> {
    let start = (type_of(file, "output.bias") + 4 + 8).next_multiple_of(32);
    let (at, end) = (type_of(file, name), file.len().next_multiple_of(32));
    let mut exchanged = file.to_vec();
    exchanged[at..at + 4].copy_from_slice(&kind.to_le_bytes());
    exchanged[at + 4..at + 12].copy_from_slice(&((end - start) as u64).to_le_bytes());
    exchanged.resize(end, 0);
    exchanged.extend(data);
    exchanged
}
