//! The model computes what PyTorch computes.

#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::fs::File;
use std::io::BufReader;

use candle_core::Tensor;
use common::{Folder, as_gguf, path, text};
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::{self, Checkpoint};
use peargpt::model::Gpt;
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
