//! GPT-2's shape, with random weights: a long prompt, and both windows past the context.

#![allow(clippy::unwrap_used, reason = "a test")]

use peargpt::checkpoint::random;
use peargpt::generation::Window;
use peargpt::generation::{Decoding, Step};
use peargpt::model::config::{Activation, Head};
use peargpt::model::{Config, Gpt};
use peargpt::sampler::{Sampler, Sampling};
use peargpt::tokenizer::Vocabulary;

const CONTEXT: usize = 1024;

fn gpt2() -> Config {
    Config {
        layers: 12,
        heads: 12,
        n_embd: 768,
        n_inner: 3072,
        context: CONTEXT,
        vocabulary_size: 50257,
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    }
}

/// Ids from all over the vocabulary.
fn prompt(count: u32) -> Vec<u32> {
    (0..count).map(|index| index * 7919 % 50257).collect()
}

/// A text that goes on from `count` tokens, all of them read, at the sampler's defaults.
fn decoding(gpt: &Gpt, count: u32, window: Window) -> Decoding {
    let sampler = Sampler::new(Sampling::defaults(Vocabulary::BytePairs), 1);
    Decoding::new(gpt, prompt(count), window, sampler).unwrap()
}

/// Writes tokens; the sampler refuses logits that are not finite.
fn write(decoding: &mut Decoding, gpt: &Gpt, tokens: usize) {
    let end = decoding.ids().len() + tokens;
    while decoding.ids().len() < end {
        if let Step::Token(id) = decoding.step(gpt).unwrap() {
            assert!(id < 50257);
        }
    }
}

/// One test, so that the model is made once.
#[test]
fn a_model_of_gpt2s_shape_reads_a_thousand_tokens_and_writes_past_its_context() {
    let mut weights = random::weights(&gpt2(), 1).unwrap();
    let bytes: usize = weights.iter().map(|(_, tensor)| tensor.stored_length()).sum();
    let gpt = Gpt::load(&gpt2(), &mut weights).unwrap();
    // 34 bytes for 32 weights; positions, norms and biases in float32.
    assert!((132_000_000..136_000_000).contains(&bytes), "{bytes}");

    let mut rolling = decoding(&gpt, 1000, Window::Rolling);
    write(&mut rolling, &gpt, CONTEXT - 1000 + 1);
    assert_eq!((rolling.crossings(), rolling.forwarded_rows(), rolling.cached()), (0, CONTEXT as u64, CONTEXT));
    write(&mut rolling, &gpt, 3);
    // The newer half and the token behind it are read again, then one token each.
    assert_eq!(rolling.crossings(), 1);
    assert_eq!(rolling.forwarded_rows(), (CONTEXT + CONTEXT / 2 + 1 + 2) as u64);
    assert_eq!(rolling.visible(), CONTEXT / 2 + 1 + 3);

    // Two tokens past the context: the prompt is one longer than it, so the first is one already.
    let mut exact = decoding(&gpt, CONTEXT as u32 + 1, Window::Exact);
    write(&mut exact, &gpt, 2);
    assert_eq!((exact.crossings(), exact.forwarded_rows()), (1, 2 * CONTEXT as u64));
    assert_eq!(exact.visible(), CONTEXT + 1);
}
