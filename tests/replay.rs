//! The same logits, bit for bit, from every kernel, natively and in Chromium: over 300 tokens, past the context.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use peargpt::checkpoint::random;
use peargpt::kernels::{self, Kernel, SCALAR, vectors};
use peargpt::model::config::{Activation, Head};
use peargpt::model::{Config, Gpt};
use peargpt::sampler::{Sampler, Sampling};
use peargpt::tokenizer::Vocabulary;
use sha2::{Digest, Sha256};

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;
#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

const TOKENS: usize = 300;
/// The hashes that all builds have to give; tests/golden/README.md says how they were made.
const GOLDEN: &str = include_str!("golden/replay.txt");

/// The models' widths and heads with few blocks, so that the twin is done in time; and one that no block of 32 fits.
fn shapes() -> [(&'static str, Config); 3] {
    let peargpt = Config {
        layers: 3,
        heads: 5,
        n_embd: 320,
        n_inner: 1280,
        context: 256,
        vocabulary_size: 65,
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    };
    let gpt2 = Config { layers: 1, heads: 12, n_embd: 768, n_inner: 3072, vocabulary_size: 1001, ..peargpt.clone() };
    let odd = Config {
        layers: 2,
        heads: 3,
        n_embd: 42,
        n_inner: 90,
        context: 50,
        vocabulary_size: 131,
        activation: Activation::Relu,
        head: Head::Untied { bias: true },
        qkv_bias: false,
        ..peargpt.clone()
    };
    [("peargpt", peargpt), ("gpt2", gpt2), ("odd", odd)]
}

/// The hash of every logit of a text that is drawn from them; a full cache keeps its newer half.
fn hash_of_logits(gpt: &Gpt) -> String {
    let Config { context, vocabulary_size, .. } = *gpt.config();
    let mut ids: Vec<u32> = (0..37).map(|index| index * 7919 % vocabulary_size as u32).collect();
    let (mut cache, mut start, mut hash) = (gpt.new_cache().unwrap(), 0, Sha256::new());
    let mut sampler = Sampler::new(Sampling::defaults(Vocabulary::BytePairs), 1);
    for _ in 0..TOKENS {
        if cache.room() == 0 {
            cache.clear();
            start += context / 2;
        }
        let logits = gpt.next_logits(&ids[start + cache.len()..], &mut cache).unwrap();
        let logits: Vec<f32> = logits.to_vec1().unwrap();
        logits.iter().for_each(|logit| hash.update(logit.to_le_bytes()));
        ids.push(sampler.sample(&logits, &ids[start..]).unwrap());
    }
    assert!(start > 0, "the text is longer than the context");
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All there are here, the twin first. `cargo xtask test` names those that this machine lacks.
fn kernels() -> Vec<&'static Kernel> {
    let kernels = std::iter::once(&SCALAR).chain(vectors());
    #[cfg(target_arch = "wasm32")]
    let kernels = kernels.chain(kernels::relaxed::fitting());
    kernels.collect()
}

/// One test: which kernel computes is the whole program's.
#[test]
fn every_kernel_gives_the_committed_logits() {
    for (shape, config) in shapes() {
        let gpt = Gpt::load(&config, &mut random::weights(&config, 1).unwrap()).unwrap();
        for kernel in kernels() {
            kernels::select(kernel);
            let found = format!("{shape} {}", hash_of_logits(&gpt));
            assert!(GOLDEN.lines().any(|line| line == found), "{}: {found}", kernel.name);
        }
    }
}
