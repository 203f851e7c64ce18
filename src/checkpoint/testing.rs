//! Small models of random weights, for tests.

use std::io::Cursor;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use crate::checkpoint::import::{self, Answers, Inspection, Named};
use crate::checkpoint::precision::Precision;
use crate::checkpoint::{Checkpoint, gguf};
use crate::model::Weights;
use crate::model::config::{Activation, Head};
use crate::model::{Config, Gpt, Share};
use crate::tokenizer::{TokenizerSpec, bytes};

/// A shape small enough for debug builds: context 32, 27 tokens.
pub fn small() -> Config {
    Config {
        layers: 2,
        heads: 4,
        n_embd: 64,
        n_inner: 128,
        context: 32,
        vocabulary_size: 27,
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    }
}

/// Numbers in −1..1 that look random: Knuth's 64-bit linear congruential generator, upper bits.
pub fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// A model of this shape with random weights of standard deviation near 0.2, which keeps its logits apart.
pub fn random_gpt(config: &Config, seed: u64) -> Gpt {
    let mut number = numbers(seed);
    let mut weights = Weights::default();
    let mut add = |name: String, shape: &[usize]| {
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| 0.35 * number()).collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
        weights.insert(&name, QTensor::quantize(&tensor, GgmlDType::F32).unwrap()).unwrap();
    };
    let (n_embd, n_inner) = (config.n_embd, config.n_inner);
    add("token_embd.weight".into(), &[config.vocabulary_size, n_embd]);
    add("position_embd.weight".into(), &[config.context, n_embd]);
    for block in 0..config.layers {
        let linears = [
            ("attn_qkv", 3 * n_embd, n_embd),
            ("attn_output", n_embd, n_embd),
            ("ffn_up", n_inner, n_embd),
            ("ffn_down", n_embd, n_inner),
        ];
        for (name, outputs, inputs) in linears {
            add(format!("blk.{block}.{name}.weight"), &[outputs, inputs]);
            add(format!("blk.{block}.{name}.bias"), &[outputs]);
        }
        for name in ["attn_norm", "ffn_norm"] {
            add(format!("blk.{block}.{name}.weight"), &[n_embd]);
            add(format!("blk.{block}.{name}.bias"), &[n_embd]);
        }
    }
    add("output_norm.weight".into(), &[n_embd]);
    add("output_norm.bias".into(), &[n_embd]);
    Gpt::load(config, &mut weights).unwrap()
}

/// Weights of this shape in another precision, as files are converted.
pub fn in_precision(config: &Config, weights: Weights, precision: Precision) -> Weights {
    let spelled = |id: u32| bytes::spell(char::from_u32('一' as u32 + id).unwrap().to_string().as_bytes());
    let tokens = (0..config.vocabulary_size as u32).map(spelled).collect();
    let tokenizer = TokenizerSpec { tokens, merges: Vec::new(), start: 0, end_of_text: None };
    let (mut file, mut converted) = (Vec::new(), Vec::new());
    gguf::write(&Checkpoint { config: config.clone(), tokenizer, weights }, "test", &mut file).unwrap();
    let mut files = [Named { name: "test.gguf".to_string(), reader: Cursor::new(file) }];
    let Inspection::Ready(info) = import::inspect(&mut files, &Answers::default()).unwrap() else { panic!() };
    import::to_gguf(&info, "test", Some(precision)).unwrap().write(&info, &mut files, &mut converted).unwrap();
    gguf::read(&mut Cursor::new(converted), Share::WHOLE).unwrap().weights
}
