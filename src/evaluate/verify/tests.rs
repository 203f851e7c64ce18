//! Compares a small random model with its own figures, and with these after one of them was changed.

use candle_core::Device;
use candle_core::quantized::{GgmlDType, QTensor};

use super::report::likeliest;
use super::*;
use crate::checkpoint::testing::{self, in_precision, small};
use crate::checkpoint::{Checkpoint, random};
use crate::model::Weights;
use crate::model::{Config, Gpt};
use crate::tokenizer::{Tokenizer, TokenizerSpec, bytes};

/// A character model of `a` to `z` and the newline.
fn spec() -> TokenizerSpec {
    let tokens = ('a'..='z').chain(['\n']).map(|character| bytes::spell(character.to_string().as_bytes())).collect();
    TokenizerSpec { tokens, merges: Vec::new(), start: 26, end_of_text: None }
}

fn tokenizer() -> Tokenizer {
    Tokenizer::new(spec()).unwrap()
}

fn model() -> Model {
    Model { gpt: testing::random_gpt(&small(), 11), tokenizer: tokenizer().into(), precision: Precision::F32 }
}

/// The same model, as if its weights were rounded.
fn rounded() -> Model {
    Model { precision: Precision::Q8_0, ..model() }
}

fn expectation(model: &Model, prompt: &str) -> Expectation {
    let token_ids = model.tokenizer.encode(prompt).unwrap();
    let mut logits = model.gpt.forward_all(&token_ids, None).unwrap().to_vec2::<f32>().unwrap();
    let logits = logits.pop().unwrap();
    let top10 = likeliest(&logits, 10).into_iter().map(|id| Scored { id, logit: logits[id as usize] }).collect();
    Expectation { prompt: prompt.into(), token_ids, n_logits: 27, first_logits: logits[..8].to_vec(), top10 }
}

/// The figures of this model. Unlike the verifier, this reads each text from its beginning.
fn figures(model: &Model) -> Figures {
    let mut text = "thedog".to_string();
    for _ in 0..12 {
        let next = expectation(model, &text).top10[0].id;
        text.push(char::from(model.tokenizer.bytes(next)[0]));
    }
    let continuation = Continuation { prompt: "thedog".into(), tokens: 12, text: text["thedog".len()..].into() };
    let expectations = ["hamlet", "ophelia", "x"].map(|prompt| expectation(model, prompt)).to_vec();
    Figures { parameters: model.gpt.config().parameters(), expectations, continuation }
}

fn verify(model: &Model, figures: Figures) -> Verification {
    let mut verifier = Verifier::new(model, figures).unwrap();
    loop {
        if let Some(verification) = verifier.step(model).unwrap() {
            return verification;
        }
    }
}

/// The problems that are reported after one figure was changed. No others may be.
fn problems(alter: impl Fn(&mut Figures)) -> Vec<String> {
    let model = model();
    let mut figures = figures(&model);
    alter(&mut figures);
    let verification = verify(&model, figures);
    assert!(!verification.passed);
    verification.checks.into_iter().flat_map(|check| check.problems).collect()
}

#[test]
fn a_model_is_itself() {
    for model in [model(), rounded()] {
        let verification = verify(&model, figures(&model));
        assert!(verification.passed && verification.checks.len() == 3, "{verification:?}");
        assert!(verification.checks.iter().all(|check| check.passed && check.shared_top10 == 10));
        assert_eq!(verification.greedy.found, verification.greedy.expected);
        assert_eq!(verification.greedy.found.len(), 12);
    }
}

#[test]
fn what_a_model_may_err_by_is_told_by_its_file() {
    for precision in [Precision::F32, Precision::F16, Precision::Q8_0] {
        let weights = in_precision(&small(), random::weights(&small(), 1).unwrap(), precision);
        let checkpoint = Checkpoint { config: small(), tokenizer: spec(), weights };
        assert_eq!(Model::build(checkpoint).unwrap().precision, precision);
    }
}

#[test]
fn each_step_is_at_most_one_prompt_or_one_token() {
    let model = model();
    let mut verifier = Verifier::new(&model, figures(&model)).unwrap();
    let mut seen = Vec::new();
    while verifier.step(&model).unwrap().is_none() {
        seen.push(verifier.progress());
    }
    seen.dedup(); // the text's own prompt passes one block in a step
    assert_eq!(seen, (1..=15).map(|done| (done, 15)).collect::<Vec<_>>());
}

#[test]
fn another_token_is_named() {
    let said = problems(|figures| figures.expectations[1].token_ids[0] = 3);
    assert!(said[0].starts_with("its tokens are [14, 15, 7,") && said[0].contains("expected [3, 15, 7,"), "{said:?}");
}

#[test]
fn another_likeliest_token_is_named() {
    let model = model();
    let figures = figures(&model);
    let [first, second] = [0, 1].map(|place| figures.expectations[0].top10[place].id);
    let text = char::from(model.tokenizer.bytes(first)[0]).to_string();
    let said = problems(|figures| figures.expectations[0].top10.swap(0, 1));
    assert_eq!(said, [format!("the likeliest token is {first} {text:?}, expected {second}")]);
}

#[test]
fn one_other_token_among_ten_may_be_and_two_may_not() {
    let model = model();
    let logits = |id| model.gpt.forward_all(&[id], None).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let logits = logits(23); // `x`
    let ranked = likeliest(&logits, 12);
    let replace = |figures: &mut Figures, count: usize| {
        for (place, &id) in ranked[10..10 + count].iter().enumerate() {
            figures.expectations[2].top10[8 + place] = Scored { id, logit: logits[id as usize] };
        }
    };
    let mut one = figures(&model);
    replace(&mut one, 1);
    assert!(verify(&model, one).passed);
    assert_eq!(
        problems(|figures| replace(figures, 2)),
        ["8 of the ten likeliest tokens are those expected, at least 9 must"]
    );
}

#[test]
fn a_logit_past_its_tolerance_is_named() {
    let said = problems(|figures| figures.expectations[2].first_logits[5] += 0.021);
    assert!(said.len() == 1 && said[0].starts_with("the logit of token 5 is "), "{said:?}");
    let model = model();
    let mut near = figures(&model);
    near.expectations[2].first_logits[5] += 0.019;
    assert!(verify(&model, near).passed);
}

#[test]
fn another_text_fails_where_it_must_be_equal() {
    let model = model();
    let mut altered = figures(&model);
    altered.continuation.text.push('a');
    let exact = verify(&model, altered.clone());
    assert!(!exact.passed && exact.checks.iter().all(|check| check.passed));
    assert!(exact.greedy.to_string().starts_with("FAILED \"thedog\" goes on"), "{}", exact.greedy);
    let rounded = verify(&rounded(), altered);
    assert!(rounded.passed && rounded.greedy.to_string().starts_with("other"), "{}", rounded.greedy);
}

#[test]
fn the_verdict_names_what_differs() {
    let model = model();
    let verdict = |alter: fn(&mut Figures), model: &Model| {
        let mut figures = figures(model);
        alter(&mut figures);
        verify(model, figures).verdict()
    };
    assert_eq!(verdict(|_| (), &model), "It is GPT-2: tokens, logits and text are as published.");
    let other_text = |figures: &mut Figures| figures.continuation.text.push('a');
    assert_eq!(verdict(other_text, &model), "It is not GPT-2 as published. What differs: the text.");
    let may_differ = "It is GPT-2: tokens and logits are as published; the text may differ.";
    assert_eq!(verdict(other_text, &rounded()), may_differ);
    let other_ranks = |figures: &mut Figures| {
        figures.expectations[0].token_ids[0] = 3;
        figures.expectations[1].top10.swap(0, 1);
        figures.expectations[2].top10.swap(0, 1);
    };
    let said = verdict(other_ranks, &model);
    assert!(said.starts_with("It is not GPT-2 as published. What differs: tokens (1 of 3 prompts), "), "{said}");
    assert!(said.contains(", the likeliest token ("), "{said}");
    let other_logits = |figures: &mut Figures| figures.expectations[2].first_logits[5] += 0.021;
    assert_eq!(verdict(other_logits, &model), "It is not GPT-2 as published. What differs: logits (1 of 3 prompts).");
}

#[test]
fn what_is_no_number_fails() {
    let right = model();
    // `Q8_0` matrices would read a row of NaN as zeros.
    let mut weights = in_precision(&small(), random::weights(&small(), 1).unwrap(), Precision::F32);
    weights.take("output_norm.bias", &[64]).unwrap();
    let broken = candle_core::Tensor::from_vec(vec![f32::NAN; 64], 64, &Device::Cpu).unwrap();
    weights.insert("output_norm.bias", QTensor::quantize(&broken, GgmlDType::F32).unwrap()).unwrap();
    let broken = Model { gpt: Gpt::load(&small(), &mut weights).unwrap(), ..rounded() };
    let verification = verify(&broken, figures(&right));
    assert!(!verification.passed);
    for check in verification.checks {
        assert!(!check.passed && check.largest_difference.is_nan(), "{check}");
        assert!(check.to_string().contains("is NaN, expected"), "{check}");
    }
    let mut expected = figures(&right);
    expected.expectations[0].first_logits[1] = f32::NAN;
    assert!(!verify(&rounded(), expected).passed);
}

#[test]
fn a_model_of_another_shape_is_told_so() {
    let model = model();
    let error = Verifier::new(&model, published().unwrap()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the figures are those of a model of 124439808 parameters and 50257 tokens, \
         this one has 70848 parameters and 27 tokens"
    );
}

/// Weights between the steps of [`random::weights`], so that `Q8_0` rounds them.
fn between_steps(weights: Weights) -> Weights {
    let mut number = testing::numbers(5);
    let mut moved = Weights::default();
    for (name, tensor) in weights {
        let tensor = tensor.dequantize(&Device::Cpu).unwrap();
        let numbers: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        let numbers: Vec<f32> = numbers.into_iter().map(|x| x + 0.5 * 0.02 / 37.0 * number()).collect();
        let tensor = candle_core::Tensor::from_vec(numbers, tensor.shape(), &Device::Cpu).unwrap();
        moved.insert(&name, QTensor::quantize(&tensor, GgmlDType::F32).unwrap()).unwrap();
    }
    moved
}

#[test]
fn weights_that_are_rounded_keep_within_what_the_tolerance_counts_on() {
    let config = Config { n_embd: 768, n_inner: 3072, heads: 12, vocabulary_size: 2000, ..small() };
    let logits = |precision| {
        let weights = between_steps(random::weights(&config, 1).unwrap());
        let mut weights = in_precision(&config, weights, precision);
        let gpt = Gpt::load(&config, &mut weights).unwrap();
        gpt.forward_all(&[5, 80, 1999, 3, 700, 41], None).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    let exact = logits(Precision::F32);
    let spread = (exact.iter().map(|logit| logit * logit).sum::<f32>() / exact.len() as f32).sqrt();
    // Half of the tolerance is for outliers, which random weights do not have. The lower bound shows that something is
    // measured at all.
    for (precision, least, most) in [(Precision::F16, 0.0005, 0.005), (Precision::Q8_0, 0.05, 0.125)] {
        let differences = exact.iter().zip(logits(precision)).map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f32::max) / spread;
        assert!((least..most).contains(&largest), "{precision:?}: {largest}");
    }
}
