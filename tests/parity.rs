//! The model computes what PyTorch computes.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;

use candle_core::Tensor;
use common::{Folder, as_gguf, path, text};
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::{self, Checkpoint, Model};
use peargpt::explain::{Answer, Ask, Explainer, Progress as Looked};
use peargpt::generation::{Run, Settings};
use peargpt::model::{Gpt, Hook, Observer, Part};
use peargpt::tokenizer::Tokenizer;
use serde::Deserialize;

/// Ids and PyTorch's logits after each of them; see `tests/fixtures/make_small.py`.
#[derive(Deserialize)]
struct Case {
    ids: Vec<u32>,
    logits: Vec<Vec<f32>>,
}

/// A passage and PyTorch's likeliest id after each of its ids; see `tests/fixtures/make_held_out.py`.
#[derive(Deserialize)]
struct HeldOut {
    text: String,
    ids: Vec<u32>,
    likeliest: Vec<u32>,
}

fn load(checkpoint: Checkpoint) -> Gpt {
    let Checkpoint { config, mut weights, .. } = checkpoint;
    Gpt::load(&config, &mut weights).unwrap()
}

/// The largest difference from a fixture's logits, on any logit of any position.
fn distance(gpt: &Gpt, fixture: &str) -> f32 {
    let cases: Vec<Case> = serde_json::from_str(&text(&format!("tests/fixtures/{fixture}/logits.json"))).unwrap();
    let distance = |case: &Case| {
        let found: Vec<Vec<f32>> = gpt.forward_all(&case.ids, None).unwrap().to_vec2().unwrap();
        assert_eq!(found.len(), case.logits.len());
        let pairs = found.iter().flatten().zip(case.logits.iter().flatten());
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    cases.iter().map(distance).fold(0.0, f32::max)
}

#[test]
fn float32_logits_are_pytorchs_to_a_thousandth() {
    for fixture in ["small", "variant"] {
        let distance = distance(&load(Folder::fixture(fixture).read().unwrap()), fixture);
        assert!(distance < 1e-3, "{fixture}: {distance}");
    }
}

#[test]
fn a_gguf_of_float32_gives_the_same_logits() {
    for fixture in ["small", "variant"] {
        let bytes = as_gguf(fixture, Precision::F32);
        let distance = distance(&load(checkpoint::read(&mut std::io::Cursor::new(bytes)).unwrap()), fixture);
        assert!(distance < 1e-3, "{fixture}: {distance}");
    }
}

#[test]
fn the_shipped_file_agrees_with_pytorch_on_what_is_likeliest() {
    let held_out: HeldOut = serde_json::from_str(&text("tests/fixtures/held_out.json")).unwrap();
    let mut file = BufReader::new(File::open(path("weights/peargpt.gguf")).unwrap());
    let checkpoint = checkpoint::read(&mut file).unwrap();
    let tokenizer = Tokenizer::new(checkpoint.tokenizer.clone()).unwrap();
    assert_eq!(tokenizer.encode(&held_out.text).unwrap(), held_out.ids);
    let gpt = load(checkpoint);
    let likeliest = |ids: &[u32]| -> Vec<u32> {
        let logits: Tensor = gpt.forward_all(ids, None).unwrap(); // [ids, 65]
        logits.argmax(1).unwrap().to_vec1().unwrap()
    };
    let found: Vec<u32> = held_out.ids.chunks(256).flat_map(likeliest).collect();
    let same = found.iter().zip(&held_out.likeliest).filter(|(a, b)| a == b).count();
    println!("{same} of {} positions agree", found.len());
    assert_eq!(found.len(), 2000);
    assert!(same * 100 >= found.len() * 98, "{same} of {}", found.len());
}

/// What PyTorch shows of the inside of `small`; see `tests/fixtures/make_inside.py`.
#[derive(Deserialize)]
struct InsideOf {
    ids: Vec<u32>,
    /// `[layers][heads][rows]`, the positions up to the row's own.
    attention: Vec<Vec<Vec<Vec<f32>>>>,
    /// `[rows][n_embd]`, and for each layer.
    embedding: Vec<Vec<f32>>,
    middle: Vec<Vec<Vec<f32>>>,
    residual: Vec<Vec<Vec<f32>>>,
    /// `[layers + 1][vocabulary]`.
    lens: Vec<Vec<f32>>,
    off: Vec<Without>,
}

/// The last rows' logits with parts switched off.
#[derive(Deserialize)]
struct Without {
    off: Vec<String>,
    logits: Vec<Vec<f32>>,
}

fn inside() -> InsideOf {
    serde_json::from_str(&text("tests/fixtures/small/inside.json")).unwrap()
}

/// A text of these ids, as if it had been written, of float32 weights.
fn written(ids: &[u32]) -> (Model, Run) {
    let model = Model::build(Folder::fixture("small").read().unwrap()).unwrap();
    assert_eq!(model.tokenizer.start(), ids[0]);
    let settings = Settings::defaults(model.tokenizer.vocabulary());
    let (run, _) = Run::resume(&model, &settings, 1, &ids[1..]).unwrap();
    (model, run)
}

fn answer(model: &Model, run: &mut Run, ask: Ask) -> Answer {
    let mut explainer = Explainer::new();
    explainer.begin(model, run, ask).unwrap();
    loop {
        if let Some(Looked::Done(answer)) = explainer.step(model, run).unwrap() {
            return *answer;
        }
    }
}

fn largest(numbers: &[f32]) -> f32 {
    numbers.iter().fold(0.0, |largest, number| largest.max(number.abs()))
}

fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
}

#[test]
fn attention_is_pytorchs_from_both_sides() {
    let expected = inside();
    let (model, mut run) = written(&expected.ids);
    let last = expected.ids.len() - 1;
    let mut worst = 0f32;
    for position in 0..=last {
        let Answer::Attention(view) = answer(&model, &mut run, Ask::Attention(position as u32)) else { panic!() };
        let Answer::LookedAt(later) = answer(&model, &mut run, Ask::LookedAt(position as u32)) else { panic!() };
        for (layer, heads) in expected.attention.iter().enumerate() {
            for (head, rows) in heads.iter().enumerate() {
                worst = worst.max(difference(&view.layers[layer][head], &rows[position]));
                let column: Vec<f32> = rows[..last].iter().skip(position + 1).map(|row| row[position]).collect();
                worst = worst.max(difference(&later.layers[layer][head], &column));
            }
        }
        let norm = |row: &[f32]| row.iter().map(|number| number * number).sum::<f32>().sqrt();
        let near = |found: f32, row: &[f32]| assert!((found / norm(row) - 1.0).abs() < 1e-4, "{found}, {}", norm(row));
        near(view.norms.embedding, &expected.embedding[position]);
        for layer in 0..expected.residual.len() {
            near(view.norms.attention[layer], &expected.middle[layer][position]);
            near(view.norms.mlp[layer], &expected.residual[layer][position]);
        }
    }
    println!("attention weights differ by at most {worst:e}");
    assert!(worst <= 1e-5, "{worst}");
}

#[test]
fn hidden_states_and_the_lens_are_pytorchs() {
    struct States(BTreeMap<Hook, Vec<f32>>);
    impl Observer for States {
        fn wants(&self, hook: Hook) -> bool {
            matches!(hook, Hook::Embedding | Hook::ResidualMiddle(_) | Hook::Residual(_))
        }
        fn see(&mut self, hook: Hook, value: &Tensor) -> Option<Tensor> {
            self.0.insert(hook, value.flatten_all().unwrap().to_vec1().unwrap());
            None
        }
    }
    let expected = inside();
    let (model, mut run) = written(&expected.ids);
    let mut states = States(BTreeMap::new());
    let ids = Tensor::from_slice(&expected.ids, (1, expected.ids.len()), &candle_core::Device::Cpu).unwrap();
    model.gpt.forward_observed(&ids, Some(&mut model.gpt.new_cache().unwrap()), &mut states).unwrap();
    let layers = (0..expected.residual.len()).flat_map(|layer| {
        [(Hook::ResidualMiddle(layer), &expected.middle[layer]), (Hook::Residual(layer), &expected.residual[layer])]
    });
    for (hook, rows) in std::iter::once((Hook::Embedding, &expected.embedding)).chain(layers) {
        let rows = rows.concat();
        let distance = difference(&states.0[&hook], &rows) / largest(&rows);
        println!("{hook}: {distance:e}");
        assert!(distance <= 1e-4, "{hook}: {distance}");
    }
    let last = expected.ids.len() as u32 - 1;
    let Answer::Lens(view) = answer(&model, &mut run, Ask::Lens(last)) else { panic!() };
    assert_eq!(view.layers.len(), expected.lens.len());
    for (found, expected) in view.layers.iter().zip(&expected.lens) {
        let mut likeliest: Vec<usize> = (0..expected.len()).collect();
        likeliest.sort_by(|a, b| expected[*b].total_cmp(&expected[*a]));
        for (likely, id) in found.iter().zip(likeliest) {
            assert_eq!(likely.id as usize, id);
            assert!((likely.probability - f64::from(expected[id])).abs() < 1e-4, "{likely:?}: {}", expected[id]);
        }
    }
}

#[test]
fn parts_that_are_switched_off_leave_pytorchs_logits() {
    let expected = inside();
    let (model, _) = written(&expected.ids);
    let plain: Vec<Vec<f32>> = model.gpt.forward_all(&expected.ids, None).unwrap().to_vec2().unwrap();
    for Without { off, logits } in &expected.off {
        let parts: Vec<Part> = off.iter().map(|name| Part::named(name).unwrap()).collect();
        let mut cache = model.gpt.new_cache_without(&parts).unwrap();
        let (first, rest) = expected.ids.split_at(7);
        model.gpt.next_logits(first, &mut cache).unwrap();
        let found: Vec<Vec<f32>> = model.gpt.forward_all(rest, Some(&mut cache)).unwrap().to_vec2().unwrap();
        let found = found[found.len() - logits.len()..].concat();
        let distance = difference(&found, &logits.concat());
        assert!(distance < 1e-3, "{off:?}: {distance}");
        assert!(difference(&plain[plain.len() - logits.len()..].concat(), &logits.concat()) > 0.1, "{off:?}");
    }
}
